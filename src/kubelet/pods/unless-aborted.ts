import type { Clock } from '../../machinery/time/clock.ts';

/** The promise's result; rejects with the signal's reason as soon as it aborts. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    promise.catch(() => {}); // the result is unused
    return Promise.reject(signal.reason);
  }
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** Aborts like the signal, `ms` later. */
export function later(signal: AbortSignal, ms: number, clock: Clock): AbortSignal {
  const late = new AbortController();
  const wait = () => void clock.after(ms, () => late.abort(signal.reason), { background: true });
  if (signal.aborted) wait();
  else signal.addEventListener('abort', wait, { once: true });
  return late.signal;
}
