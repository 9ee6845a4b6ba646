import type { Clock } from '../../machinery/time/clock.ts';

const longestSeconds = 32;

/**
 * When clients whose requests were rejected should come back: later while rejections go on, sooner when they cease, as
 * TCP does it.
 */
export class Rejections {
  readonly #clock: Clock;
  #history: { readonly second: number; count: number }[] = [];
  #changedAt = 0;
  retryAfterSeconds = 1;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  note(): void {
    const second = Math.floor(this.#clock.now() / 1000);
    const last = this.#history.at(-1);
    if (last?.second === second) {
      last.count++;
      return;
    }
    this.#adjust(second);
    this.#history.push({ second, count: 1 });
    this.#history = this.#history.filter((entry) => second - entry.second <= 2 * longestSeconds);
  }

  #adjust(now: number): void {
    const wait = this.retryAfterSeconds;
    const recent = this.#history.filter(({ second }) => now - second <= wait);
    const count = recent.reduce((sum, entry) => sum + entry.count, 0);
    if (now - this.#changedAt >= wait && count >= 3 * wait) {
      this.retryAfterSeconds = Math.min(2 * wait, longestSeconds);
      this.#changedAt = now;
    } else if (count < wait && wait > 1) this.retryAfterSeconds = wait - 1;
  }
}
