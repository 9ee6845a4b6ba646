// Requests with long selectors: a selector of a megabyte takes a hundred times as much memory when it is read.

import { collectSoon } from '../heavy.ts';
import { OneByOne } from '../one-by-one.ts';
import type { Reply } from '../request/reply.ts';
import type { ApiRequest, Stage } from '../request/request.ts';

/** Characters of a selector that is not read beside others. */
const longSelector = 64 << 10;

const queues = new WeakMap<object, OneByOne>();

export const longSelectors: Stage = (request, next): Promise<Reply> => {
  const { connection, server, signal } = request;
  const length = selectorLength(request);
  if (!connection || length < longSelector) return next();
  let queue = queues.get(server);
  if (!queue) queues.set(server, (queue = new OneByOne()));
  return queue.run(server.clock, signal, next).finally(() => collectSoon(length));
};

function selectorLength({ query }: ApiRequest): number {
  if (!query.size) return 0;
  return (query.get('labelSelector')?.length ?? 0) + (query.get('fieldSelector')?.length ?? 0);
}
