// Reads that repeat. A hidden page reads nothing, and an untouched one seldom; both read at once when the user is back.

import { after, monotonic } from '../system.ts';

/** A page that is not touched for so long is idle. */
const idleMs = 60_000;
/** An idle page waits so much longer. */
const idleFactor = 4;

let touchedMs = monotonic();
const waiting = new Set<() => void>();
const touch = () => {
  const wasIdle = isIdle();
  touchedMs = monotonic();
  if (wasIdle) for (const wake of waiting) wake();
};
const isIdle = (): boolean => monotonic() - touchedMs > idleMs;
if (globalThis.document)
  for (const type of ['pointermove', 'pointerdown', 'keydown', 'wheel'])
    document.addEventListener(type, touch, { passive: true, capture: true });

/**
 * Calls `read`, and again `ms` milliseconds after it is done, or after the time that it returns. It handles its own errors.
 * Returns a function that ends this.
 */
export function whileVisible(ms: number, read: () => Promise<number | void>): () => void {
  let isBusy = false;
  let isOver = false;
  let cancel = () => {};
  const run = async () => {
    cancel();
    if (document.hidden || isBusy || isOver) return;
    isBusy = true;
    const nextMs = (await read().catch(() => undefined)) ?? ms;
    isBusy = false;
    if (!isOver) cancel = after(isIdle() ? nextMs * idleFactor : nextMs, wake);
  };
  const wake = () => void run();
  document.addEventListener('visibilitychange', wake);
  waiting.add(wake);
  wake();
  return () => {
    isOver = true;
    cancel();
    waiting.delete(wake);
    document.removeEventListener('visibilitychange', wake);
  };
}
