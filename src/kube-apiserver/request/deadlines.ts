import type { Clock, Timer } from '../../machinery/time/clock.ts';

interface Running {
  readonly deadlineMs: number;
  readonly expire: () => void;
}

/** Work with one limit of time for all. There is one timer, for the oldest: most work ends long before. */
export class Deadlines {
  readonly #clock: Clock;
  readonly #limitMs: number;
  /** The oldest first. */
  readonly #running = new Set<Running>();
  #timer: Timer | undefined;

  constructor(clock: Clock, limitMs: number) {
    this.#clock = clock;
    this.#limitMs = limitMs;
  }

  /** Calls `expire` at the limit, unless the returned function is called before. */
  start(expire: () => void): () => void {
    const work = { deadlineMs: this.#clock.monotonic() + this.#limitMs, expire };
    this.#running.add(work);
    this.#timer ??= this.#after(this.#limitMs);
    return () => void this.#running.delete(work);
  }

  #after(ms: number): Timer {
    return this.#clock.after(ms, () => this.#look(), { background: true });
  }

  #look(): void {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    for (const work of this.#running) {
      // Timers of the system may be early by a fraction of a millisecond.
      if (work.deadlineMs > now + 1) {
        this.#timer = this.#after(work.deadlineMs - now);
        return;
      }
      this.#running.delete(work);
      work.expire();
    }
  }
}
