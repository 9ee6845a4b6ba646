// Histograms of values over time: each value counts for as long as it lasts, in nanoseconds, as in Kubernetes.

import type { HistogramSeries, Metrics } from '../../machinery/metrics.ts';

const seatBuckets = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1];
const requestBuckets = [0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.25, 0.5, 0.75, 1];
const demandBuckets = [0.2, 0.4, 0.6, 0.8, 1, 1.2, 1.4, 1.7, 2, 2.8, 4, 6];
const currentBuckets = [0, 0.001, 0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1];

class OverTime {
  readonly #series: HistogramSeries;
  #value = 0;
  #sinceMs: number;

  constructor(series: HistogramSeries, nowMs: number) {
    this.#series = series;
    this.#sinceMs = nowMs;
  }

  set(value: number, nowMs: number): void {
    this.pass(nowMs);
    this.#value = value;
  }

  pass(nowMs: number): void {
    const nanoseconds = Math.round((nowMs - this.#sinceMs) * 1e6);
    if (nanoseconds <= 0) return;
    this.#series.observe(this.#value, nanoseconds);
    this.#sinceMs = nowMs;
  }
}

/** The use of a priority level, and its limits. */
interface LevelLoad {
  readonly seatsInUse: number;
  readonly seatsWaiting: number;
  readonly executing: number;
  readonly waiting: number;
  readonly limit: number;
  /** Requests that may wait. */
  readonly places: number;
}

const share = (part: number, whole: number): number => (whole > 0 ? part / whole : part);

class LevelUtilization {
  readonly #demand: OverTime;
  readonly #seats: OverTime;
  readonly #waiting: OverTime;
  readonly #executing: OverTime;
  /** Seats of the level's own. */
  nominal = 0;

  constructor({ demand, seats, requests }: Families, level: string, nowMs: number) {
    const labels = { priority_level: level };
    this.#demand = new OverTime(demand.at(labels), nowMs);
    this.#seats = new OverTime(seats.at({ phase: 'executing', ...labels }), nowMs);
    this.#waiting = new OverTime(requests.at({ phase: 'waiting', ...labels }), nowMs);
    this.#executing = new OverTime(requests.at({ phase: 'executing', ...labels }), nowMs);
  }

  set({ seatsInUse, seatsWaiting, executing, waiting, limit, places }: LevelLoad, nowMs: number): void {
    this.#demand.set(share(seatsInUse + seatsWaiting, this.nominal), nowMs);
    this.#seats.set(share(seatsInUse, limit), nowMs);
    this.#waiting.set(share(waiting, places), nowMs);
    this.#executing.set(share(executing, limit), nowMs);
  }

  pass(nowMs: number): void {
    for (const value of [this.#demand, this.#seats, this.#waiting, this.#executing]) value.pass(nowMs);
  }
}

type RequestKind = 'mutating' | 'readOnly';

interface Families {
  readonly demand: { at(labels: Readonly<Record<string, string>>): HistogramSeries };
  readonly seats: Families['demand'];
  readonly requests: Families['demand'];
}

/** Of all levels, and of reads and writes. */
export class Utilization {
  readonly #families: Families;
  readonly #now: () => number;
  readonly #levels = new Map<string, LevelUtilization>();
  readonly #kinds: Readonly<Record<RequestKind, { readonly waiting: OverTime; readonly executing: OverTime }>>;
  readonly #limit: number;
  readonly current = { mutating: { waiting: 0, executing: 0 }, readOnly: { waiting: 0, executing: 0 } };

  /** `limit`: the seats of the server. */
  constructor(metrics: Metrics, now: () => number, limit: number) {
    const histogram = (name: string, help: string, buckets: readonly number[]) =>
      metrics.histogram(
        `apiserver_flowcontrol_${name}`,
        `Observations, at the end of every nanosecond, of ${help}`,
        buckets,
      );
    this.#families = {
      demand: histogram(
        'demand_seats',
        '(the number of seats each priority level could use) / (nominal number of seats for that level)',
        demandBuckets,
      ),
      seats: histogram(
        'priority_level_seat_utilization',
        'utilization of seats for any stage of execution (but only initial stage for WATCHes)',
        seatBuckets,
      ),
      requests: histogram(
        'priority_level_request_utilization',
        'number of requests (as a fraction of the relevant limit) waiting or in any stage of execution (but only initial stage for WATCHes)',
        requestBuckets,
      ),
    };
    const current = histogram(
      'read_vs_write_current_requests',
      'the number of requests (as a fraction of the relevant limit) waiting or in regular stage of execution',
      currentBuckets,
    );
    const of = (kind: RequestKind) => {
      const at = (phase: string) => new OverTime(current.at({ phase, request_kind: kind }), now());
      return { waiting: at('waiting'), executing: at('executing') };
    };
    this.#kinds = { mutating: of('mutating'), readOnly: of('readOnly') };
    this.#now = now;
    this.#limit = limit;
  }

  /** `nominal`: seats of the level's own. */
  level(name: string, nominal: number): LevelUtilization {
    let level = this.#levels.get(name);
    if (!level) this.#levels.set(name, (level = new LevelUtilization(this.#families, name, this.#now())));
    level.nominal = nominal;
    return level;
  }

  /** A request begins or ends to wait or to run. */
  moved(kind: RequestKind, phase: 'waiting' | 'executing', by: 1 | -1, nowMs: number): void {
    const count = (this.current[kind][phase] += by);
    this.#kinds[kind][phase].set(share(count, this.#limit), nowMs);
  }

  /** Counts the time until now, before the histograms are read. */
  pass(): void {
    const now = this.#now();
    for (const level of this.#levels.values()) level.pass(now);
    for (const { waiting, executing } of Object.values(this.#kinds)) {
      waiting.pass(now);
      executing.pass(now);
    }
  }
}
