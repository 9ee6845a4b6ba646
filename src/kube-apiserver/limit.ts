// Bounds how many requests are under way at once, so that a flood slows its senders and not the server.

import { tooManyRequests } from '../api/api.ts';
import type { ApiRequest, Stage } from './request.ts';

/** Requests of one sort: how many are under way, and who waits for a turn. */
interface Lane {
  readonly most: number;
  underWay: number;
  readonly waiting: (() => void)[];
}

/** Kubernetes' own defaults: --max-requests-inflight and --max-mutating-requests-inflight. */
const lanesOf = (): Readonly<Record<'reading' | 'writing', Lane>> => ({
  reading: { most: 400, underWay: 0, waiting: [] },
  writing: { most: 200, underWay: 0, waiting: [] },
});

const lanes = new WeakMap<object, ReturnType<typeof lanesOf>>();
/** Requests beyond the bound wait for their turn; those beyond this are told to come back. */
const longestQueue = 2_000;

export const limit: Stage = async (request, next) => {
  // Components of this process are bounded by their own queues, and whoever administers must always get through.
  if (!request.connection || isLong(request) || request.user.groups.includes('system:masters')) return next();
  let both = lanes.get(request.server);
  if (!both) lanes.set(request.server, (both = lanesOf()));
  const lane = both[['get', 'list', 'watch'].includes(request.info.verb) ? 'reading' : 'writing'];
  if (lane.underWay < lane.most) lane.underWay++;
  else if (lane.waiting.length < longestQueue) await new Promise<void>((turn) => lane.waiting.push(turn));
  else throw tooManyRequests('too many requests, please try again later.', 1);
  try {
    return await next();
  } finally {
    // Whoever waits takes over this one's place.
    const turn = lane.waiting.shift();
    if (turn) turn();
    else lane.underWay--;
  }
};

const long = new Set(['exec', 'attach', 'portforward', 'proxy', 'log']);

const isLong = ({ info }: ApiRequest): boolean => info.verb === 'watch' || long.has(info.subresource);
