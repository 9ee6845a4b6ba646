// The work queue of controllers: it holds a key at most once, gives it to one worker at a time, and delays it after a
// failure. Same rules and times as client-go's workqueue.

import type { Clock, Timer } from '../../machinery/time/clock.ts';
import type { WorkQueueMetrics } from './work-queue-metrics.ts';

const firstBackoffMs = 5;
const longestBackoffMs = 1_000_000;

export interface WorkQueueOptions {
  readonly clock: Clock;
  /** Undefined: nothing is measured. */
  readonly metrics?: WorkQueueMetrics;
  readonly firstBackoffMs?: number;
  readonly longestBackoffMs?: number;
}

export class WorkQueue {
  readonly #clock: Clock;
  readonly #metrics: WorkQueueMetrics | undefined;
  readonly #firstBackoffMs: number;
  readonly #longestBackoffMs: number;
  /** Waiting, in order. */
  readonly #waiting = new Set<string>();
  readonly #processing = new Set<string>();
  /** Added again while being processed. */
  readonly #again = new Set<string>();
  readonly #delayed = new Map<string, { at: number; timer: Timer }>();
  readonly #failures = new Map<string, number>();
  #idle: (() => void)[] = [];
  #closed = false;

  constructor(options: WorkQueueOptions) {
    this.#clock = options.clock;
    this.#metrics = options.metrics;
    this.#metrics?.follow(() => this.#waiting.size);
    this.#firstBackoffMs = options.firstBackoffMs ?? firstBackoffMs;
    this.#longestBackoffMs = options.longestBackoffMs ?? longestBackoffMs;
  }

  /** Keys that are waiting now. */
  get length(): number {
    return this.#waiting.size;
  }

  add(key: string): void {
    if (this.#closed) return;
    if (this.#processing.has(key)) {
      if (!this.#again.has(key)) this.#metrics?.added(key);
      this.#again.add(key);
      return;
    }
    if (!this.#waiting.has(key)) this.#metrics?.added(key);
    this.#waiting.add(key);
    this.#idle.shift()?.();
  }

  /** Adds the key after `ms`; the earliest of several calls counts. */
  addAfter(key: string, ms: number): void {
    if (this.#closed) return;
    if (ms <= 0) {
      this.add(key);
      return;
    }
    const at = this.#clock.monotonic() + ms;
    const pending = this.#delayed.get(key);
    if (pending && pending.at <= at) return;
    pending?.timer.cancel();
    const timer = this.#clock.after(ms, () => {
      this.#delayed.delete(key);
      this.add(key);
    });
    this.#delayed.set(key, { at, timer });
  }

  /** Adds the key after a delay that doubles with every failure since the last `forget`. Returns the delay in ms. */
  retry(key: string): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    this.#metrics?.retried();
    const ms = Math.min(this.#firstBackoffMs * 2 ** failures, this.#longestBackoffMs);
    this.addAfter(key, ms);
    return ms;
  }

  /** The number of `retry` calls since the last `forget`. */
  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** The next key, or undefined once the queue is closed. Call `done` when its work has ended. */
  async next(): Promise<string | undefined> {
    while (!this.#closed) {
      for (const key of this.#waiting) {
        this.#waiting.delete(key);
        this.#processing.add(key);
        this.#metrics?.begun(key);
        return key;
      }
      await new Promise<void>((resolve) => this.#idle.push(resolve));
    }
    return undefined;
  }

  done(key: string): void {
    this.#processing.delete(key);
    this.#metrics?.ended(key);
    if (!this.#again.delete(key) || this.#closed) return;
    this.#waiting.add(key);
    this.#idle.shift()?.();
  }

  /** Ends all pending `next` calls, and rejects further keys. */
  close(): void {
    this.#closed = true;
    this.#metrics?.close();
    for (const { timer } of this.#delayed.values()) timer.cancel();
    this.#delayed.clear();
    for (const wake of this.#idle) wake();
    this.#idle = [];
  }
}
