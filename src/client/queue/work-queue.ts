// The work queue of controllers: it holds a key at most once, gives it to one worker at a time, and delays it after a
// failure. Same rules and times as client-go's workqueue. Unlike there, keys whose work takes long, such as those that wait
// for a webhook without an answer, have only a part of the workers: the others are free for keys that work at once.

import type { Clock, Timer } from '../../machinery/time/clock.ts';
import type { WorkQueueMetrics } from './work-queue-metrics.ts';

const firstBackoffMs = 5;
const longestBackoffMs = 1_000_000;

interface WorkQueueOptions {
  readonly clock: Clock;
  /** Undefined: nothing is measured. */
  readonly metrics?: WorkQueueMetrics;
  readonly firstBackoffMs?: number;
  readonly longestBackoffMs?: number;
  /** How many keys whose last work took long may be worked on at the same time. Default: any number. */
  readonly slowAtOnce?: number;
}

/** Work that takes longer is slow. */
const slowMs = 1_000;
/** Slow keys that are remembered. */
const mostSlow = 10_000;

export class WorkQueue {
  readonly #clock: Clock;
  readonly #metrics: WorkQueueMetrics | undefined;
  readonly #firstBackoffMs: number;
  readonly #longestBackoffMs: number;
  readonly #slowAtOnce: number;
  /** Waiting, in order. */
  readonly #waiting = new Set<string>();
  readonly #waitingSlow = new Set<string>();
  /** With the time of the begin. */
  readonly #processing = new Map<string, number>();
  /** The last work on them took long. */
  readonly #slow = new Set<string>();
  readonly #processingSlow = new Set<string>();
  #wasSlow = false;
  /** Added again while being processed. */
  readonly #again = new Set<string>();
  readonly #delayed = new Map<string, { at: number; timer: Timer }>();
  readonly #failures = new Map<string, number>();
  #idle: (() => void)[] = [];
  #closed = false;

  constructor(options: WorkQueueOptions) {
    this.#clock = options.clock;
    this.#metrics = options.metrics;
    this.#metrics?.follow(() => this.length);
    this.#firstBackoffMs = options.firstBackoffMs ?? firstBackoffMs;
    this.#longestBackoffMs = options.longestBackoffMs ?? longestBackoffMs;
    this.#slowAtOnce = options.slowAtOnce ?? Number.POSITIVE_INFINITY;
  }

  /** Keys that are waiting now. */
  get length(): number {
    return this.#waiting.size + this.#waitingSlow.size;
  }

  add(key: string): void {
    if (this.#closed) return;
    if (this.#processing.has(key)) {
      if (!this.#again.has(key)) this.#metrics?.added(key);
      this.#again.add(key);
      return;
    }
    if (!this.#waiting.has(key) && !this.#waitingSlow.has(key)) this.#metrics?.added(key);
    this.#wait(key);
  }

  #wait(key: string): void {
    (this.#slow.has(key) ? this.#waitingSlow : this.#waiting).add(key);
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
      const key = this.#take();
      if (key !== undefined) {
        this.#processing.set(key, this.#clock.monotonic());
        this.#metrics?.begun(key);
        return key;
      }
      await new Promise<void>((resolve) => this.#idle.push(resolve));
    }
    return undefined;
  }

  /** Slow keys and others take turns. */
  #take(): string | undefined {
    const maySlow = this.#processingSlow.size < this.#slowAtOnce && (!this.#wasSlow || this.#waiting.size === 0);
    const isSlow = maySlow && this.#waitingSlow.size > 0;
    const from = isSlow ? this.#waitingSlow : this.#waiting;
    for (const key of from) {
      from.delete(key);
      if (isSlow) this.#processingSlow.add(key);
      this.#wasSlow = isSlow;
      return key;
    }
    return undefined;
  }

  done(key: string): void {
    const tookMs = this.#clock.monotonic() - (this.#processing.get(key) ?? 0);
    this.#processing.delete(key);
    this.#processingSlow.delete(key);
    this.#slow.delete(key);
    if (tookMs > slowMs) this.#slow.add(key);
    if (this.#slow.size > mostSlow) for (const oldest of this.#slow) if (this.#slow.delete(oldest)) break;
    this.#metrics?.ended(key);
    if (this.#again.delete(key) && !this.#closed) this.#wait(key);
    // A slow key may have waited for this one.
    else if (this.#waitingSlow.size > 0) this.#idle.shift()?.();
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
