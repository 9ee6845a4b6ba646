import type { Clock } from '../../machinery/time/clock.ts';

/** Kubernetes' smoothing: an old demand counts half after five minutes of samples every 10 s. */
const smoothing = 0.977;

interface DemandFigures {
  readonly highWatermark: number;
  readonly average: number;
  readonly deviation: number;
  /** The latest average and deviation together, which fall off slowly. */
  readonly smoothed: number;
}

/** Seats that requests of a priority level use and wait for, over time. */
export class Demand {
  readonly #clock: Clock;
  #value = 0;
  #changedAt: number;
  #startedAt: number;
  #sum = 0;
  #squares = 0;
  #most = 0;
  figures: DemandFigures = { highWatermark: 0, average: 0, deviation: 0, smoothed: 0 };

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#changedAt = this.#startedAt = clock.monotonic();
  }

  set(value: number, nowMs = this.#clock.monotonic()): void {
    this.#pass(nowMs);
    this.#value = value;
    this.#most = Math.max(this.#most, value);
  }

  /** Computes the figures since the last call, and resets them. */
  look(): DemandFigures {
    this.#pass(this.#clock.monotonic());
    const ms = this.#changedAt - this.#startedAt;
    const highWatermark = Math.round(this.#most);
    if (ms > 0) {
      const average = this.#sum / ms;
      const deviation = Math.sqrt(Math.max(0, this.#squares / ms - average * average));
      const envelope = average + deviation;
      const smoothed = Math.max(envelope, smoothing * this.figures.smoothed + (1 - smoothing) * envelope);
      this.figures = { highWatermark, average, deviation, smoothed };
    } else this.figures = { ...this.figures, highWatermark };
    this.#startedAt = this.#changedAt;
    this.#sum = this.#squares = 0;
    this.#most = this.#value;
    return this.figures;
  }

  #pass(now: number): void {
    const ms = now - this.#changedAt;
    this.#sum += this.#value * ms;
    this.#squares += this.#value * this.#value * ms;
    this.#changedAt = now;
  }
}
