import { fieldValidationOf, requestMetrics, seriesOf } from '../metrics/request-metrics.ts';
import { completing } from '../request/completion.ts';
import type { Reply } from '../request/reply.ts';
import type { ApiRequest, Stage } from '../request/request.ts';
import { isLongRunning } from '../request/request-info.ts';
import type { Server } from '../server.ts';

const reads = new Set(['GET', 'HEAD']);

/** The requests that run or wait for seats, without those that run for long. */
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

/** Counts requests and their durations. Those that last count when they end, as in Kubernetes. */
export const measure: Stage = async (request, next) => {
  const { info, server } = request;
  const begin = server.clock.monotonic();
  const counts = runningOf(server);
  const isLong = isLongRunning(info);
  const kind = isLong ? undefined : reads.has(request.method) ? 'readOnly' : 'mutating';
  request.waits = { ms: 0 };
  if (kind) counts[kind]++;
  let reply: Reply;
  try {
    reply = await next();
  } finally {
    if (kind) counts[kind]--;
  }
  const series = seriesOf(request, isLong);
  request.series = series;
  const ended = () => {
    const ms = server.clock.monotonic() - begin;
    series.count(reply.code);
    series.duration.observe(ms / 1_000);
    series.sliDuration?.observe((ms - (request.waits?.ms ?? 0)) / 1_000);
    if (kind === 'mutating') observeValidation(request, ms);
    if (isOwn(request)) series.own.add();
  };
  if (reply.type === 'object' || reply.type === 'list') {
    ended();
    return reply;
  }
  const { longRunning } = series;
  let hasBegun = false;
  return completing(request, reply, {
    begin() {
      hasBegun = true;
      longRunning?.add(1);
    },
    end() {
      if (hasBegun) longRunning?.add(-1);
      ended();
    },
  });
};

function observeValidation({ server, query }: ApiRequest, ms: number): void {
  const { fieldValidation } = requestMetrics(server.metrics);
  fieldValidation.observe(ms / 1_000, validationLabels[fieldValidationOf(query)]);
}

const validationLabels: Readonly<Record<string, { readonly field_validation: string }>> = Object.fromEntries(
  ['', 'Ignore', 'Warn', 'Strict', 'invalid'].map((value) => [value, { field_validation: value }]),
);

/** Of the server's own client. */
const isOwn = ({ connection, user }: ApiRequest): boolean => !connection && user.name === 'system:apiserver';
