// Operations on one volume run one after the other: a driver that hangs delays the users of that volume only. A failed
// operation is repeated after a growing delay.

import type { Clock } from '../../machinery/time/clock.ts';
import { unlessAborted } from '../pods/unless-aborted.ts';

const firstBackoffMs = 500;
const longestBackoffMs = 2 * 60_000 + 2_000;

interface Backoff {
  readonly delayMs: number;
  readonly untilMs: number;
}

export class Turns {
  readonly #clock: Clock;
  readonly #last = new Map<string, Promise<unknown>>();
  readonly #backoffs = new Map<string, Backoff>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Runs `work` after all earlier work on `key`. When `signal` aborts, the caller is released; work that has begun goes
   * on, and work that waits is left out.
   */
  run<T>(key: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve();
    const result = before.then(() => {
      signal?.throwIfAborted();
      return work();
    });
    const settled = result.then(
      () => {},
      () => {},
    );
    this.#last.set(key, settled);
    void settled.then(() => {
      if (this.#last.get(key) === settled) this.#last.delete(key);
    });
    return signal ? unlessAborted(result, signal) : result;
  }

  /** Milliseconds until the next attempt. */
  delayMs(key: string): number {
    const backoff = this.#backoffs.get(key);
    return backoff ? Math.max(0, backoff.untilMs - this.#clock.monotonic()) : 0;
  }

  failed(key: string): void {
    const delayMs = Math.min((this.#backoffs.get(key)?.delayMs ?? firstBackoffMs / 2) * 2, longestBackoffMs);
    this.#backoffs.set(key, { delayMs, untilMs: this.#clock.monotonic() + delayMs });
  }

  succeeded(key: string): void {
    this.#backoffs.delete(key);
  }

  /** Resolves when no work is in progress. */
  async idle(): Promise<void> {
    while (this.#last.size > 0) await Promise.all(this.#last.values());
  }
}
