// A clock whose speed can be changed while it runs: time goes faster, slower, or is held. For simulated clusters.

import type { Clock, Timer } from './clock.ts';

interface Pending {
  readonly atMs: number;
  readonly order: number;
  readonly isBackground: boolean;
  readonly callback: () => void;
}

export class PacedClock implements Clock {
  readonly #base: Clock;
  /** This clock's times at the last change of the pace, and the base's at that moment. */
  #changedMs: number;
  #changedMonotonicMs: number;
  #baseMs: number;
  #pace = 1;
  #order = 0;
  #pending: Pending[] = [];
  /** Pending timers that keep the process alive. */
  #foreground = 0;
  #timer: Timer | undefined;

  constructor(base: Clock) {
    this.#base = base;
    this.#changedMs = base.now();
    this.#changedMonotonicMs = base.monotonic();
    this.#baseMs = base.monotonic();
  }

  /** Milliseconds of this clock for one of the base; 0: time is held. */
  get pace(): number {
    return this.#pace;
  }

  setPace(pace: number): void {
    if (!(pace >= 0) || !Number.isFinite(pace)) throw new Error(`the pace is a number from 0 on, not ${pace}`);
    const elapsed = this.#elapsed();
    this.#changedMs += elapsed;
    this.#changedMonotonicMs += elapsed;
    this.#baseMs = this.#base.monotonic();
    this.#pace = pace;
    this.#arm();
  }

  now(): number {
    return Math.floor(this.#changedMs + this.#elapsed());
  }

  monotonic(): number {
    return this.#changedMonotonicMs + this.#elapsed();
  }

  after(ms: number, callback: () => void, { background = false }: { background?: boolean } = {}): Timer {
    const entry: Pending = {
      ...{ atMs: this.monotonic() + Math.max(ms, 0), order: this.#order++, isBackground: background, callback },
    };
    const index = indexAfter(this.#pending, entry);
    this.#pending.splice(index, 0, entry);
    if (!background) this.#foreground++;
    if (index === 0) this.#arm();
    return { cancel: () => this.#cancel(entry) };
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const abort = () => {
        timer.cancel();
        reject(signal?.reason);
      };
      const timer = this.after(ms, () => {
        signal?.removeEventListener('abort', abort);
        resolve();
      });
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  #elapsed(): number {
    return (this.#base.monotonic() - this.#baseMs) * this.#pace;
  }

  #cancel(entry: Pending): void {
    const start = indexAfter(this.#pending, { ...entry, order: entry.order - 1 });
    if (this.#pending[start] !== entry) return;
    this.#pending.splice(start, 1);
    if (!entry.isBackground) this.#foreground--;
    if (start === 0) this.#arm();
  }

  /** One timer of the base stands for the first of this clock. */
  #arm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const [first] = this.#pending;
    if (!first || this.#pace === 0) return;
    // Whole milliseconds: after a fraction of one, the timer would not be due yet.
    const ms = Math.max(0, Math.ceil((first.atMs - this.monotonic()) / this.#pace));
    this.#timer = this.#base.after(ms, () => this.#fire(), { background: this.#foreground === 0 });
  }

  #fire(): void {
    this.#timer = undefined;
    const now = this.monotonic();
    // One by one: a callback may cancel the next timer.
    try {
      for (let [first] = this.#pending; first && first.atMs <= now; [first] = this.#pending) {
        this.#pending.shift();
        if (!first.isBackground) this.#foreground--;
        first.callback();
      }
    } finally {
      this.#arm();
    }
  }
}

/** The place behind all entries that come before, or are, this one. */
function indexAfter(pending: readonly Pending[], { atMs, order }: Pick<Pending, 'atMs' | 'order'>): number {
  let [low, high] = [0, pending.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const other = pending[middle];
    if (other && (other.atMs < atMs || (other.atMs === atMs && other.order <= order))) low = middle + 1;
    else high = middle;
  }
  return low;
}
