// Bounds how many requests are under way at once, so that a flood slows its senders and not the server.

import { tooManyRequests } from '../api/api.ts';
import type { ApiRequest, Stage } from './request.ts';

/** Kubernetes' own defaults: --max-requests-inflight and --max-mutating-requests-inflight. */
const most = { reading: 400, writing: 200 };

const underWay = new WeakMap<object, { reading: number; writing: number; waiting: (() => void)[] }>();
/** Requests beyond the bounds wait for their turn; only these many do. */
const longestQueue = 2_000;

export const limit: Stage = async (request, next) => {
  // Components of this process are bounded by their own queues, and whoever administers must always get through.
  if (!request.connection || isLong(request) || request.user.groups.includes('system:masters')) return next();
  let counts = underWay.get(request.server);
  if (!counts) underWay.set(request.server, (counts = { reading: 0, writing: 0, waiting: [] }));
  const kind = ['get', 'list', 'watch'].includes(request.info.verb) ? 'reading' : 'writing';
  while (counts[kind] >= most[kind]) {
    if (counts.waiting.length >= longestQueue) throw tooManyRequests('too many requests, please try again later.', 1);
    await new Promise<void>((turn) => counts.waiting.push(turn));
  }
  counts[kind]++;
  try {
    return await next();
  } finally {
    counts[kind]--;
    counts.waiting.shift()?.();
  }
};

const long = new Set(['exec', 'attach', 'portforward', 'proxy', 'log']);

const isLong = ({ info }: ApiRequest): boolean => info.verb === 'watch' || long.has(info.subresource);
