import type { Kind } from '../../api/api.ts';
import { must } from '../../machinery/must.ts';
import type { Reply } from '../reply.ts';
import type { ApiRequest, Stage } from '../request.ts';
import { isLongRunning } from '../request-info.ts';
import type { Server } from '../server.ts';

const reads = new Set(['GET', 'HEAD']);
const seconds = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60];

type Labels = Readonly<Record<string, string>>;

/** Label sets are shared, so that a metric finds its series by object identity. The other ones: of no served kind. */
interface LabelSets {
  readonly ofKinds: WeakMap<Kind, Map<string, Labels>>;
  readonly others: Map<string, Labels>;
}

const labelSets = new WeakMap<Server, LabelSets>();

/** No label repeats text that a client made up: each such text would make a permanent series. */
function labelsOf({ server, info, method, query }: ApiRequest, code: number): Labels {
  let sets = labelSets.get(server);
  if (!sets) labelSets.set(server, (sets = { ofKinds: new WeakMap(), others: new Map() }));
  const kind = info.isResource ? server.kinds.byResource(info.group, info.version, info.resource) : undefined;
  let ofKind = kind ? sets.ofKinds.get(kind) : sets.others;
  if (!ofKind) sets.ofKinds.set(must(kind, 'kind'), (ofKind = new Map()));
  const scope = !info.isResource ? '' : info.name ? 'resource' : info.namespace ? 'namespace' : 'cluster';
  const given = query.get('dryRun') ?? '';
  const dryRun = given === '' || given === 'All' ? given : 'invalid';
  const verb = info.isResource ? info.verb.toUpperCase() : method;
  const isKnown = kind?.subresources.some(({ name }) => name === info.subresource);
  const subresource = info.subresource && isKnown ? info.subresource : '';
  const key = `${verb} ${subresource} ${scope} ${code} ${dryRun}`;
  let labels = ofKind.get(key);
  if (!labels) {
    const { group = '', version = '', resource = '' } = kind ?? {};
    const place = { component: 'apiserver', dry_run: dryRun, group, resource, scope, subresource, verb, version };
    ofKind.set(key, (labels = { ...(code && { code: String(code) }), ...place }));
  }
  return labels;
}

/** The requests that run, without those that run for long. */
interface Running {
  mutating: number;
  readOnly: number;
}

const running = new WeakMap<Server, Running>();

function runningOf(server: Server): Running {
  let counts = running.get(server);
  if (!counts) {
    const made: Running = { mutating: 0, readOnly: 0 };
    const { metrics } = server;
    metrics.onCollect(() => {
      const gauge = metrics.gauge('apiserver_current_inflight_requests', 'Number of requests that run, by their kind.');
      for (const kind of ['mutating', 'readOnly'] as const) gauge.set(made[kind], { request_kind: kind });
    });
    running.set(server, (counts = made));
  }
  return counts;
}

/** Counts requests and their durations under Kubernetes' metric names. */
export const measure: Stage = async (request, next) => {
  const { metrics, clock } = request.server;
  const begin = clock.monotonic();
  const counts = runningOf(request.server);
  const kind = isLongRunning(request.info) ? undefined : reads.has(request.method) ? 'readOnly' : 'mutating';
  if (kind) counts[kind]++;
  let reply: Reply;
  try {
    reply = await next();
  } finally {
    if (kind) counts[kind]--;
  }
  metrics
    .counter('apiserver_request_total', 'Counter of apiserver requests by verb, resource and code.')
    .add(1, labelsOf(request, reply.code));
  if (request.info.verb !== 'watch')
    metrics
      .histogram('apiserver_request_duration_seconds', 'Response latency distribution in seconds.', seconds)
      .observe((clock.monotonic() - begin) / 1_000, labelsOf(request, 0));
  return reply;
};
