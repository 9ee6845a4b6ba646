// Bounds how many requests are under way at once, so that a flood slows its senders and not the server.

import { tooManyRequests } from '../../api/api.ts';
import { FairQueue } from '../fair-queue.ts';
import type { ApiRequest, Stage } from '../request.ts';
import { isLongRunning } from '../request-info.ts';

/** Requests of one sort: how many are under way, and the queue of the others. */
interface Lane {
  readonly most: number;
  underWay: number;
  readonly waiting: FairQueue<string>;
}

/**
 * Kubernetes' own defaults: --max-requests-inflight and --max-mutating-requests-inflight. Writes of this process's own
 * components are fewer at a time: others wait for all that these do in one turn of the event loop.
 */
const lanesOf = (): Readonly<Record<'reading' | 'writing' | 'own', Lane>> => ({
  reading: { most: 400, underWay: 0, waiting: new FairQueue<string>() },
  writing: { most: 200, underWay: 0, waiting: new FairQueue<string>() },
  own: { most: 64, underWay: 0, waiting: new FairQueue<string>() },
});

const lanes = new WeakMap<object, ReturnType<typeof lanesOf>>();
/** Requests beyond the bound wait for their turn; those of one user, and of all, beyond this are told to come back. */
const longestOfUser = 2_000;
const longestQueue = 20_000;

export const limit: Stage = async (request, next) => {
  const name = laneOf(request);
  if (!name) return next();
  let all = lanes.get(request.server);
  if (!all) lanes.set(request.server, (all = lanesOf()));
  const lane = all[name];
  if (lane.underWay < lane.most) lane.underWay++;
  else if (name === 'own' || hasRoom(lane.waiting, request.user.name))
    await new Promise<void>((turn) => lane.waiting.push(request.user.name, turn));
  else throw tooManyRequests('too many requests, please try again later.', 1);
  try {
    return await next();
  } finally {
    // The next that waits takes over this one's place.
    const turn = lane.waiting.shift();
    if (turn) turn();
    else lane.underWay--;
  }
};

const hasRoom = (waiting: FairQueue<string>, user: string): boolean =>
  waiting.length < longestQueue && waiting.waiting(user) < longestOfUser;

const reads = new Set(['get', 'list', 'watch']);

/** Undefined: not bounded, as for administrators and for the server's own reads. */
function laneOf(request: ApiRequest): 'reading' | 'writing' | 'own' | undefined {
  if (isLongRunning(request.info) || request.user.groups.includes('system:masters')) return undefined;
  const isRead = reads.has(request.info.verb);
  if (request.connection) return isRead ? 'reading' : 'writing';
  return isRead ? undefined : 'own';
}
