/** Values of one bucket differ by this factor, so a quantile is wrong by 2.5 % at most. */
const factor = 1.05;
const logOfFactor = Math.log(factor);
/** Parts of the window, which are dropped one at a time. */
const parts = 5;

interface Part {
  readonly startMs: number;
  /** Observations by bucket. */
  readonly counts: Map<number, number>;
  count: number;
}

/** Approximate quantiles of the positive values of a sliding window, in bounded memory. */
export class Quantiles {
  readonly #windowMs: number;
  readonly #now: () => number;
  #parts: Part[] = [];

  constructor(windowMs: number, now: () => number) {
    this.#windowMs = windowMs;
    this.#now = now;
  }

  add(value: number): void {
    const part = this.#current();
    const bucket = value > 0 ? Math.ceil(Math.log(value) / logOfFactor) : Number.NEGATIVE_INFINITY;
    part.counts.set(bucket, (part.counts.get(bucket) ?? 0) + 1);
    part.count++;
  }

  /** The value at each rank, from 0 to 1 and ascending; NaN without observations. */
  at(ranks: readonly number[]): number[] {
    this.#dropOld();
    const counts = new Map<number, number>();
    let total = 0;
    for (const part of this.#parts) {
      total += part.count;
      for (const [bucket, count] of part.counts) counts.set(bucket, (counts.get(bucket) ?? 0) + count);
    }
    const buckets = [...counts].sort(([a], [b]) => a - b);
    return ranks.map((rank) => {
      let below = 0;
      for (const [bucket, count] of buckets) {
        below += count;
        if (below >= rank * total) return bucket === Number.NEGATIVE_INFINITY ? 0 : factor ** (bucket - 0.5);
      }
      return Number.NaN;
    });
  }

  #current(): Part {
    const now = this.#now();
    const last = this.#parts.at(-1);
    if (last && now < last.startMs + this.#windowMs / parts) return last;
    this.#dropOld();
    const part = { startMs: now, counts: new Map<number, number>(), count: 0 };
    this.#parts.push(part);
    return part;
  }

  #dropOld(): void {
    const oldest = this.#now() - this.#windowMs;
    this.#parts = this.#parts.filter(({ startMs }) => startMs > oldest);
  }
}
