// Metrics of requests, under Kubernetes' names. No label repeats text that a client made up: each such text would make a
// permanent series.

import type { Kind } from '../../api/api.ts';
import {
  type Counter,
  type CounterSeries,
  exponentialBuckets,
  type GaugeSeries,
  type HistogramSeries,
  linearBuckets,
  type Metrics,
  perRegistry,
} from '../../machinery/metrics.ts';
import type { ApiRequest } from '../request/request.ts';
import { isConnection, type RequestInfo } from '../request/request-info.ts';
import type { Server } from '../server.ts';

const sliSeconds = [0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60];
const seconds = [0.005, 0.025, ...sliSeconds];
const filterSeconds = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 5, 10, 15, 30];

const place = 'verb, group, version, resource, subresource, scope and component';

export const requestMetrics = perRegistry((metrics) => ({
  total: metrics.counter(
    'apiserver_request_total',
    'Counter of apiserver requests broken out for each verb, dry run value, group, version, resource, scope, component, and HTTP response code.',
  ),
  duration: metrics.histogram(
    'apiserver_request_duration_seconds',
    'Response latency distribution in seconds for each verb, dry run value, group, version, resource, subresource, scope and component.',
    seconds,
  ),
  sliDuration: metrics.histogram(
    'apiserver_request_sli_duration_seconds',
    `Response latency distribution (not counting webhook duration and priority & fairness queue wait times) in seconds for each ${place}.`,
    sliSeconds,
  ),
  longRunning: metrics.gauge(
    'apiserver_longrunning_requests',
    'Gauge of all active long-running apiserver requests broken out by verb, group, version, resource, scope and component. Not all requests are tracked this way.',
  ),
  responseSizes: metrics.histogram(
    'apiserver_response_sizes',
    `Response size distribution in bytes for each ${place}.`,
    exponentialBuckets(1_000, 10, 7),
  ),
  bodySizes: metrics.histogram(
    'apiserver_request_body_size_bytes',
    'Apiserver request body size in bytes broken out by resource and verb.',
    linearBuckets(50_000, 100_000, 31),
  ),
  fieldValidation: metrics.histogram(
    'field_validation_request_duration_seconds',
    'Response latency distribution in seconds for each field validation value',
    sliSeconds,
  ),
  own: metrics.counter(
    'apiserver_selfrequest_total',
    'Counter of apiserver self-requests broken out for each verb, API resource and subresource.',
  ),
  deprecated: metrics.gauge(
    'apiserver_requested_deprecated_apis',
    'Gauge of deprecated APIs that have been requested, broken out by API group, version, resource, subresource, and removed_release.',
  ),
  terminations: metrics.counter(
    'apiserver_request_terminations_total',
    'Number of requests which apiserver terminated in self-defense.',
  ),
  postTimeout: metrics.counter(
    'apiserver_request_post_timeout_total',
    'Tracks the activity of the request handlers after the associated requests have been timed out by the apiserver',
  ),
  filters: filtersOf(metrics),
}));

/** Stages by Kubernetes' names. */
function filtersOf(metrics: Metrics) {
  const duration = metrics.histogram(
    'apiserver_request_filter_duration_seconds',
    'Request filter latency distribution in seconds, for each filter type',
    filterSeconds,
  );
  const at = (filter: string) => duration.at({ filter });
  return {
    authentication: at('authentication'),
    authorization: at('authorization'),
    impersonation: at('impersonation'),
    fairness: at('priorityandfairness'),
  };
}

type RequestMetrics = ReturnType<typeof requestMetrics>;

/** The series of requests with the same labels. */
class RequestSeries {
  readonly #total: Counter;
  readonly #terminations: Counter;
  readonly #labels: Readonly<Record<string, string>>;
  readonly #byCode = new Map<number, CounterSeries>();
  readonly duration: HistogramSeries;
  readonly sliDuration: HistogramSeries | undefined;
  /** Undefined: sizes are recorded for reads alone. */
  readonly responseSizes: HistogramSeries | undefined;
  readonly longRunning: GaugeSeries | undefined;
  readonly own: CounterSeries;

  constructor(metrics: RequestMetrics, labels: Labels, isLong: boolean) {
    const { dry_run, component, version, scope, ...own } = labels;
    const { verb } = labels;
    const undried = { component, scope, version, ...own };
    this.#total = metrics.total;
    this.#terminations = metrics.terminations;
    this.#labels = labels;
    this.duration = metrics.duration.at(labels);
    this.sliDuration = dry_run ? undefined : metrics.sliDuration.at(undried);
    this.responseSizes = verb === 'GET' || verb === 'LIST' ? metrics.responseSizes.at(undried) : undefined;
    this.longRunning = isLong ? metrics.longRunning.at(undried) : undefined;
    this.own = { add: () => metrics.own.add(1, own) };
  }

  terminated(code: number): void {
    const { dry_run: _, ...undried } = this.#labels;
    this.#terminations.add(1, { code: String(code), ...undried });
  }

  count(code: number): void {
    let series = this.#byCode.get(code);
    if (!series) this.#byCode.set(code, (series = this.#total.at({ code: String(code), ...this.#labels })));
    series.add();
  }
}

/** The others are of no served kind. */
interface SeriesSets {
  readonly ofKinds: WeakMap<Kind, Map<string, RequestSeries>>;
  readonly others: Map<string, RequestSeries>;
}

const seriesSets = new WeakMap<Server, SeriesSets>();

interface Labels extends Readonly<Record<string, string>> {
  readonly component: string;
  readonly dry_run: string;
  readonly group: string;
  readonly resource: string;
  readonly scope: string;
  readonly subresource: string;
  readonly verb: string;
  readonly version: string;
}

export function seriesOf(request: ApiRequest, isLong: boolean): RequestSeries {
  const { server, info } = request;
  let sets = seriesSets.get(server);
  if (!sets) seriesSets.set(server, (sets = { ofKinds: new WeakMap(), others: new Map() }));
  const kind = info.isResource ? server.kinds.byResource(info.group, info.version, info.resource) : undefined;
  let ofKind = kind ? sets.ofKinds.get(kind) : sets.others;
  if (!ofKind) sets.ofKinds.set(kind as Kind, (ofKind = new Map()));
  const scope = scopeOf(info);
  const verb = verbOf(request, scope);
  const dryRun = request.query.size ? dryRunOf(request.query) : '';
  const isServed = kind?.subresources.some(({ name }) => name === info.subresource);
  const subresource = info.subresource && isServed ? info.subresource : '';
  const key = `${verb} ${subresource} ${scope} ${dryRun}`;
  let series = ofKind.get(key);
  if (!series) {
    const metrics = requestMetrics(server.metrics);
    const { group = '', version = '', resource = '' } = kind ?? {};
    const labels = { component: 'apiserver', dry_run: dryRun, group, resource, scope, subresource, verb, version };
    ofKind.set(key, (series = new RequestSeries(metrics, labels, isLong)));
    if (kind?.deprecation) metrics.deprecated.set(1, { group, version, resource, subresource, removed_release: '' });
  }
  return series;
}

function scopeOf({ isResource, name, verb, namespace }: RequestInfo): string {
  if (!isResource) return '';
  if (name || verb === 'create') return 'resource';
  return namespace ? 'namespace' : 'cluster';
}

const methods = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

/** Kubernetes' names, and no other: an HTTP/2 client chooses its method freely. */
function verbOf({ method, info, contentType }: ApiRequest, scope: string): string {
  if (info.verb === 'watch') return 'WATCH';
  if (isConnection(info)) return 'CONNECT';
  if (method === 'GET' || method === 'HEAD') return scope === 'namespace' || scope === 'cluster' ? 'LIST' : 'GET';
  if (method === 'PATCH' && contentType.startsWith('application/apply-patch')) return 'APPLY';
  return methods.has(method) ? method : 'other';
}

function dryRunOf(query: URLSearchParams): string {
  const given = query.get('dryRun') ?? '';
  return given === '' || given === 'All' ? given : 'invalid';
}

const validations = new Set(['', 'Ignore', 'Warn', 'Strict']);

export function fieldValidationOf(query: URLSearchParams): string {
  const given = query.get('fieldValidation') ?? '';
  return validations.has(given) ? given : 'invalid';
}

const bodyVerbs: Readonly<Record<string, string>> = {
  create: 'create',
  update: 'update',
  patch: 'patch',
  delete: 'delete',
  deletecollection: 'delete_collection',
};

/** Records the size of a body, if it is for a served resource. */
export function observeBody({ server, info }: ApiRequest, bytes: number): void {
  const verb = bodyVerbs[info.verb];
  const kind = verb && info.isResource ? server.kinds.byResource(info.group, info.version, info.resource) : undefined;
  if (!kind) return;
  const { bodySizes } = requestMetrics(server.metrics);
  let ofKind = bodySeries.get(kind);
  if (!ofKind) bodySeries.set(kind, (ofKind = new Map()));
  let series = ofKind.get(bodySizes);
  if (!series) ofKind.set(bodySizes, (series = {}));
  series[verb] ??= bodySizes.at({ group: kind.group, resource: kind.resource, verb });
  series[verb].observe(bytes);
}

/** By the metric: tests run several servers with the same kinds. */
const bodySeries = new WeakMap<Kind, Map<object, Record<string, HistogramSeries>>>();
