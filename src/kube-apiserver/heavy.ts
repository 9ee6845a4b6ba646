// Requests with large bodies: one at a time, in steps between which everybody else has a turn, so that no body of one
// client keeps the others waiting for longer than its largest step.

import { finish, type Steps } from '../machinery/time/steps.ts';
import { nextTurn } from '../machinery/time/turn.ts';
import type { Stage } from './request.ts';

/** Bytes of a body that is worked on in steps. Objects of this size take a millisecond or two. */
const heavyBytes = 64 << 10;

/** Bytes of an object that another thread works on: here, a tenth of a second would be one step. */
const largeBytes = 256 << 10;

/** Others go on beside one that takes longer. */
const longestMs = 10_000;

interface Gate {
  /** Ends when the request before is done. */
  tail: Promise<void>;
  /** Ends when the step before had its turn of the event loop: there is one step in a turn. */
  step: Promise<void>;
}

const gates = new WeakMap<object, Gate>();
/** A request, or an operation of the server itself. */
export interface Work {
  readonly server: object;
}

/** Bytes of the largest thing that is worked on. */
const heavyWork = new WeakMap<Work, number>();

function gateOf(server: object): Gate {
  let gate = gates.get(server);
  if (!gate) gates.set(server, (gate = { tail: Promise.resolve(), step: Promise.resolve() }));
  return gate;
}

/** Marks a request whose body is large, and lets it go on when the one before is done. */
export const heavy: Stage = async (request, next) => {
  if (!request.connection || request.connection.upgrade || request.info.subresource === 'proxy') return next();
  const body = request.method === 'GET' || request.method === 'HEAD' ? undefined : await request.body();
  if (!body || !('bytes' in body) || body.bytes.length < heavyBytes) return next();
  workOn(request, body.bytes.length);
  const gate = gateOf(request.server);
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
    collectSoon(request);
  }
};

/** Garbage that work on an object makes, as a multiple of the object, and the most that V8 is told of. */
const garbageFactor = 24;
const mostGarbage = 128 << 20;

/**
 * V8 would let the garbage of some large requests pile up to hundreds of megabytes. Memory outside of its heap, which is
 * never touched and so takes no room, makes it collect beside other work, in small steps.
 */
function collectSoon(work: Work): void {
  const bytes = heavyWork.get(work) ?? 0;
  if (bytes < largeBytes) return;
  try {
    new ArrayBuffer(Math.min(bytes * garbageFactor, mostGarbage));
  } catch {
    // There is no room for it: V8 collects anyway.
  }
}

/** The same for a request that is short itself, such as a patch, and works on a large object. */
export function workOn(work: Work, bytes: number): void {
  if (bytes >= heavyBytes) heavyWork.set(work, Math.max(bytes, heavyWork.get(work) ?? 0));
}

/** Whether its object is one for another thread. */
export const isLarge = (work: Work): boolean => (heavyWork.get(work) ?? 0) >= largeBytes;

/** Between two steps of work on a large object. */
export function breathe(work: Work): Promise<void> | undefined {
  if (!heavyWork.has(work)) return undefined;
  const gate = gateOf(work.server);
  // Of a step that began with input or output the first turn comes before all others' input.
  gate.step = gate.step.then(nextTurn).then(nextTurn);
  return gate.step;
}

/** Does work that has steps: with others' turns between them where it is long. */
export async function inSteps<T>(work: Work, steps: Steps<T>): Promise<T> {
  if (!heavyWork.has(work)) return finish(steps);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await breathe(work);
  }
}
