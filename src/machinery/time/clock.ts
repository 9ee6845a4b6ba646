// Time, handed in: no component reads the system's clock or sets its timers (docs/design.md, idea 6).

/** A pending timer; `cancel` is idempotent, and does nothing after the timer fired. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Milliseconds from an arbitrary start that never jump: for durations and deadlines. */
  monotonic(): number;
  /** Calls `callback` once after `ms` milliseconds. `background` timers do not keep the process alive. */
  after(ms: number, callback: () => void, options?: { background?: boolean }): Timer;
  /** Resolves after `ms` milliseconds; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

declare function setTimeout(callback: () => void, ms: number): { unref(): void };
declare function clearTimeout(timer: unknown): void;
declare const performance: { now(): number };

/** Longest delay that setTimeout takes without overflowing. */
const longestDelayMs = 2 ** 31 - 1;

function sleepWith(clock: Pick<Clock, 'after'>, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const timer = clock.after(ms, () => {
      signal?.removeEventListener('abort', abort);
      resolve();
    });
    const abort = () => {
      timer.cancel();
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', abort, { once: true });
  });
}

/** The system clock. Only `cluster`, `cli` and tests use it; other code gets a Clock as a parameter. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, callback, options) {
    const timer = setTimeout(callback, Math.min(Math.max(ms, 0), longestDelayMs));
    if (options?.background) timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
  sleep: (ms, signal) => sleepWith(systemClock, ms, signal),
};

interface Pending {
  at: number;
  order: number;
  callback: () => void;
}

declare function setImmediate(callback: () => void): void;

/**
 * A clock that moves on command. Timers fire in the order of their times, ties in the order of creation. Between two
 * timers all runnable work completes, so every run is the same.
 */
export class VirtualClock implements Clock {
  #nowMs: number;
  #order = 0;
  #pending: Pending[] = [];

  constructor(startMs: number = Date.UTC(2026, 0, 1)) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  monotonic(): number {
    return this.#nowMs;
  }

  after(ms: number, callback: () => void): Timer {
    const entry: Pending = { at: this.#nowMs + Math.max(ms, 0), order: this.#order++, callback };
    const index = this.#pending.findIndex((p) => p.at > entry.at);
    this.#pending.splice(index < 0 ? this.#pending.length : index, 0, entry);
    return {
      cancel: () => {
        const found = this.#pending.indexOf(entry);
        if (found >= 0) this.#pending.splice(found, 1);
      },
    };
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepWith(this, ms, signal);
  }

  /** Lets all that is runnable now run, without moving time. */
  async settle(): Promise<void> {
    // An event-loop turn runs every queued microtask; chains through I/O callbacks take a few.
    for (let turn = 0; turn < 8; turn++) await new Promise<void>((done) => setImmediate(done));
  }

  /** Moves time forward by `ms`, firing every timer on the way. */
  async advance(ms: number): Promise<void> {
    const end = this.#nowMs + ms;
    await this.settle();
    for (let next = this.#pending[0]; next && next.at <= end; next = this.#pending[0]) {
      this.#pending.shift();
      this.#nowMs = Math.max(this.#nowMs, next.at);
      next.callback();
      await this.settle();
    }
    this.#nowMs = end;
  }
}
