import { timeout } from '../api/api.ts';
import type { Clock } from '../machinery/time/clock.ts';

/**
 * Longer than the work of one request takes. Others go on beside one that takes longer: it may wait for another server,
 * such as a webhook, and many of them in a row must not hold up the clients behind them.
 */
const longestMs = 2_000;

/** Requests that take much time or memory: one at a time, in the order of their arrival. */
export class OneByOne {
  #tail: Promise<unknown> = Promise.resolve();

  /** Throws a 504 if the client gave up before its turn. */
  async run<T>(clock: Clock, signal: AbortSignal, act: () => Promise<T>): Promise<T> {
    const before = this.#tail;
    const done = new AbortController();
    this.#tail = before.then(() => clock.sleep(longestMs, done.signal).catch(() => {}));
    await before;
    try {
      if (signal.aborted) throw timeout('request did not complete within the allotted timeout');
      return await act();
    } finally {
      done.abort();
    }
  }
}
