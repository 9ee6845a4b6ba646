// Requests with large bodies: one at a time, in steps with turns of other requests in between, so that a large body
// delays others by one step at most.

import type { Clock } from '../machinery/time/clock.ts';
import { finish, type Steps } from '../machinery/time/steps.ts';
import { isTurnOver, nextTurn } from '../machinery/time/turn.ts';
import { OneByOne } from './one-by-one.ts';
import type { Stage } from './request/request.ts';

/** Bytes of a body that is worked on in steps. Objects of this size take a millisecond or two. */
const heavyBytes = 64 << 10;

/** Objects above this size are processed by another thread: here, one step could take a tenth of a second. */
const largeBytes = 256 << 10;

/** Objects above this size are read, ordered and written in steps. */
export const hugeBytes: number = 512 << 10;

/**
 * Of requests with smaller bodies, the server works on a few at one time. A body of this size may have ten thousand
 * items, and with the objects of a hundred bodies each garbage collection would take long.
 */
const mediumBytes = 16 << 10;
const lanes = 4;

/** A turn of small requests that come together: shorter ones are usual, and taking turns costs time. */
const busyTurnMs = 50;

interface Gate {
  readonly requests: OneByOne;
  readonly lanes: readonly OneByOne[];
  nextLane: number;
  /** Ends when the step before had its turn of the event loop: there is one step in a turn. */
  step: Promise<void>;
}

const gates = new WeakMap<object, Gate>();
/** A request, or an operation of the server itself. */
export interface Work {
  readonly server: { readonly clock: Pick<Clock, 'monotonic'> };
}

/** Size in bytes of the largest object in work. */
const heavyWork = new WeakMap<Work, number>();

function gateOf(server: object): Gate {
  let gate = gates.get(server);
  if (!gate) gates.set(server, (gate = newGate()));
  return gate;
}

const newGate = (): Gate => ({
  requests: new OneByOne(),
  lanes: Array.from({ length: lanes }, () => new OneByOne()),
  nextLane: 0,
  step: Promise.resolve(),
});

function laneOf({ server }: Work): OneByOne {
  const gate = gateOf(server);
  return gate.lanes[gate.nextLane++ % lanes];
}

/** Marks a request with a large body, and runs it after the previous one. */
export const heavy: Stage = async (request, next) => {
  if (!request.connection || request.connection.upgrade || request.info.subresource === 'proxy') return next();
  const body = request.method === 'GET' || request.method === 'HEAD' ? undefined : await request.body();
  if (!body || !('bytes' in body) || body.bytes.length < mediumBytes) return next();
  if (body.bytes.length < heavyBytes)
    return laneOf(request)
      .run(request.server.clock, request.signal, next)
      .finally(() => collectSoon(body.bytes.length));
  workOn(request, body.bytes.length);
  return gateOf(request.server).requests.run(request.server.clock, request.signal, async () => {
    try {
      await breathe(request);
      return await next();
    } finally {
      if (isLarge(request)) collectSoon(body.bytes.length);
    }
  });
};

/** Garbage per byte of an object, and the maximum reported to V8. */
const garbageFactor = 24;
const mostGarbage = 128 << 20;

/**
 * V8 would let garbage of large requests grow to hundreds of megabytes. External memory, never touched and so never
 * resident, makes it collect in small steps beside other work.
 */
export function collectSoon(bytes: number): void {
  try {
    new ArrayBuffer(Math.min(bytes * garbageFactor, mostGarbage));
  } catch {
    // Allocation failed: V8 collects anyway.
  }
}

/** The same for a request that is short itself, such as a patch, and works on a large object. */
export function workOn(work: Work, bytes: number): void {
  if (bytes >= heavyBytes) heavyWork.set(work, Math.max(bytes, heavyWork.get(work) ?? 0));
}

/** Whether another thread should check the object. */
export const isLarge = (work: Work): boolean => (heavyWork.get(work) ?? 0) >= largeBytes;

/** Whether reading or writing the object at once would take too long. In steps, it takes more time in all. */
export const isHuge = (work: Work): boolean => (heavyWork.get(work) ?? 0) >= hugeBytes;

/** Between two steps of work: on a large object, or on others that come together. */
export function breathe(work: Work): Promise<void> | undefined {
  if (!heavyWork.has(work) && !isTurnOver(work.server.clock, busyTurnMs)) return undefined;
  const gate = gateOf(work.server);
  // After input or output, the first turn runs before all other input, so two turns are needed.
  gate.step = gate.step.then(nextTurn).then(nextTurn);
  return gate.step;
}

/** Runs work in steps: with turns of other requests in between, if it is long. */
export async function inSteps<T>(work: Work, steps: Steps<T>): Promise<T> {
  if (!heavyWork.has(work)) return finish(steps);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await breathe(work);
  }
}
