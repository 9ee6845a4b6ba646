// Requests over sockets get seats by priority and fairness. Writes of this process's components have a lower limit,
// because all other requests wait for the work of one event-loop turn.

import { FairQueue } from '../fair-queue.ts';
import type { Outcome } from '../fairness/queue-set.ts';
import { requestMetrics } from '../metrics/request-metrics.ts';
import { type Reply, textReply } from '../request/reply.ts';
import type { ApiRequest, Stage } from '../request/request.ts';
import { isLongRunning } from '../request/request-info.ts';

export const limit: Stage = async (request, next) => {
  if (!request.connection) return isOwnWrite(request) ? ownTurn(request, next) : next();
  const { info, server } = request;
  if (isLongRunning(info) && info.verb !== 'watch') return next();
  const { fairness, clock } = server;
  const arrivedMs = clock.monotonic();
  const { flow, outcome } = fairness.admit(request);
  request.flow = { schemaUid: flow.schema.metadata.uid, levelUid: flow.level.config.metadata.uid };
  const kind = reads.has(info.verb) || !info.isResource ? 'readOnly' : 'mutating';
  const { utilization } = fairness;
  let decided: Outcome;
  if (outcome instanceof Promise) {
    utilization.moved(kind, 'waiting', 1, arrivedMs);
    decided = await outcome;
    utilization.moved(kind, 'waiting', -1, clock.monotonic());
  } else decided = outcome;
  if (!decided.isGranted) return comeBack(fairness.rejected(flow, decided.reason));
  const startedMs = clock.monotonic();
  requestMetrics(server.metrics).filters.fairness.observe((startedMs - arrivedMs) / 1_000);
  utilization.moved(kind, 'executing', 1, startedMs);
  if (request.waits) request.waits.ms += startedMs - arrivedMs;
  try {
    // A watch keeps its seats until it has begun.
    return await next();
  } finally {
    decided.release();
    const endedMs = clock.monotonic();
    utilization.moved(kind, 'executing', -1, endedMs);
    fairness.ran(flow, startedMs - arrivedMs, endedMs - startedMs);
  }
};

const comeBack = (seconds: number): Reply => ({
  ...textReply(429, 'Too many requests, please try again later.\n'),
  headers: { 'Retry-After': String(seconds) },
});

const mostOwnWrites = 64;
const own = new WeakMap<object, { underWay: number; readonly waiting: FairQueue<string> }>();
const reads = new Set(['get', 'list', 'watch']);

const isOwnWrite = ({ info, user }: ApiRequest): boolean =>
  !isLongRunning(info) && !reads.has(info.verb) && !user.groups.includes('system:masters');

/** Components alternate, regardless of their queue lengths. */
async function ownTurn({ server, user }: ApiRequest, next: () => Promise<Reply>): Promise<Reply> {
  let lane = own.get(server);
  if (!lane) own.set(server, (lane = { underWay: 0, waiting: new FairQueue() }));
  const { waiting } = lane;
  if (lane.underWay < mostOwnWrites) lane.underWay++;
  else await new Promise<void>((turn) => waiting.push(user.name, turn));
  try {
    return await next();
  } finally {
    // The next that waits takes over this one's place.
    const turn = waiting.shift();
    if (turn) turn();
    else lane.underWay--;
  }
}
