// Requests with large bodies: one at a time, in steps between which everybody else has a turn, so that no body of one
// client keeps the others waiting for longer than its largest step.

import { nextTurn } from '../machinery/turn.ts';
import type { ApiRequest, Stage } from './request.ts';

/** Bytes of a body that is worked on in steps. Objects of this size take a millisecond or two. */
const heavyBytes = 64 << 10;

/** Others go on beside one that takes longer. */
const longestMs = 10_000;

interface Gate {
  /** Ends when the request before is done. */
  tail: Promise<void>;
  /** Ends when the step before had its turn of the event loop: there is one step in a turn. */
  step: Promise<void>;
}

const gates = new WeakMap<object, Gate>();
const heavyRequests = new WeakSet<ApiRequest>();

/** Marks a request whose body is large, and lets it go on when the one before is done. */
export const heavy: Stage = async (request, next) => {
  if (!request.connection || request.connection.upgrade || request.info.subresource === 'proxy') return next();
  const body = request.method === 'GET' || request.method === 'HEAD' ? undefined : await request.body();
  if (!body || !('bytes' in body) || body.bytes.length < heavyBytes) return next();
  heavyRequests.add(request);
  let gate = gates.get(request.server);
  if (!gate) gates.set(request.server, (gate = { tail: Promise.resolve(), step: Promise.resolve() }));
  const before = gate.tail;
  let done!: () => void;
  gate.tail = new Promise((resolve) => (done = resolve));
  // One that waits for somebody else, such as a webhook, does not hold up the line.
  await Promise.race([before, request.server.clock.sleep(longestMs)]);
  try {
    await breathe(request);
    return await next();
  } finally {
    done();
  }
};

/** Between two steps of work on a large object. */
export function breathe(request: ApiRequest): Promise<void> | undefined {
  const gate = heavyRequests.has(request) ? gates.get(request.server) : undefined;
  if (!gate) return undefined;
  gate.step = gate.step.then(nextTurn);
  return gate.step;
}
