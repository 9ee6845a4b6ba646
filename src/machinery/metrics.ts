// Counters, gauges, histograms and summaries with labels, written out in the Prometheus text format (version 0.0.4).

import { Quantiles } from './quantiles.ts';

type Labels = Readonly<Record<string, string>>;

/** One series of a metric. Hold it where observations are frequent: this saves the search by labels. */
export interface CounterSeries {
  add(by?: number): void;
}
export interface GaugeSeries extends CounterSeries {
  set(value: number): void;
}
export interface HistogramSeries {
  /** Counts `value` this many times; default 1. */
  observe(value: number, times?: number): void;
}

export interface Counter {
  add(by?: number, labels?: Labels): void;
  /** For a total that is counted elsewhere. */
  total(value: number, labels?: Labels): void;
  at(labels?: Labels): CounterSeries;
}
interface Gauge {
  set(value: number, labels?: Labels): void;
  add(by: number, labels?: Labels): void;
  at(labels?: Labels): GaugeSeries;
  /** Removes all series, before a collector sets the current ones. */
  clear(): void;
}
export interface Histogram {
  observe(value: number, labels?: Labels): void;
  at(labels?: Labels): HistogramSeries;
}

/** Parts of a large registry, for a reader that comes often. */
export interface MetricsSelection {
  /** Families without which none is written. Unknown names have no text. */
  readonly names?: ReadonlySet<string>;
  /** By family: labels that are kept. Series that differ in other labels are added up, as PromQL's `sum by` does. */
  readonly labels?: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Registers by name: a repeated name returns the same metric. */
export class Metrics {
  #families = new Map<string, Family<Sample>>();
  #collectors: (() => void)[] = [];

  counter(name: string, help: string): Counter {
    const family = this.#family(name, help, 'counter', (labels) => new Value(labels));
    return {
      add: (by, labels) => family.at(labels).add(by),
      total: (value, labels) => family.at(labels).set(value),
      at: (labels) => family.at(labels),
    };
  }

  gauge(name: string, help: string): Gauge {
    const family = this.#family(name, help, 'gauge', (labels) => new Value(labels));
    return {
      set: (value, labels) => family.at(labels).set(value),
      add: (by, labels) => family.at(labels).add(by),
      at: (labels) => family.at(labels),
      clear: () => family.clear(),
    };
  }

  /** `buckets` are upper bounds, ascending, in the unit that the name ends with; +Inf is added. */
  histogram(name: string, help: string, buckets: readonly number[]): Histogram {
    const family = this.#family(name, help, 'histogram', (labels) => new Distribution(labels, buckets));
    return {
      observe: (value, labels) => family.at(labels).observe(value),
      at: (labels) => family.at(labels),
    };
  }

  /** Quantiles of the observations of the last `maxAgeMs`. `now` is a monotonic clock. */
  summary(name: string, help: string, options: { readonly maxAgeMs: number; readonly now: () => number }): Histogram {
    const family = this.#family(name, help, 'summary', (labels) => new Ranking(labels, options.maxAgeMs, options.now));
    return {
      observe: (value, labels) => family.at(labels).observe(value),
      at: (labels) => family.at(labels),
    };
  }

  /** Runs `collect` before each `text`, to set gauges that are computed on demand. Returns its removal. */
  onCollect(collect: () => void): () => void {
    this.#collectors.push(collect);
    return () => {
      this.#collectors = this.#collectors.filter((other) => other !== collect);
    };
  }

  /** Without a selection: all families. */
  text({ names, labels }: MetricsSelection = {}): string {
    for (const collect of this.#collectors) collect();
    const chosen = names ? [...names].flatMap((name) => this.#families.get(name) ?? []) : [...this.#families.values()];
    return chosen.map((family) => family.text(labels?.get(family.name))).join('');
  }

  #family<T extends Sample>(name: string, help: string, type: string, make: (labels: string) => T): Family<T> {
    let family = this.#families.get(name) as Family<T> | undefined;
    if (!family) this.#families.set(name, (family = new Family(name, help, type, make)));
    return family;
  }
}

/** One value for each registry, made on first use: the metrics of a part of the program. */
export function perRegistry<T>(make: (metrics: Metrics) => T): (metrics: Metrics) => T {
  const made = new WeakMap<Metrics, T>();
  return (metrics) => {
    let found = made.get(metrics);
    if (found === undefined) made.set(metrics, (found = make(metrics)));
    return found;
  };
}

/** `count` bounds, each `factor` times the one before. */
export const exponentialBuckets = (first: number, factor: number, count: number): readonly number[] =>
  // Rounded to the digits that a sum of products has in common with its decimal form.
  Array.from({ length: count }, (_, i) => Number((first * factor ** i).toPrecision(12)));

/** `count` bounds, each `width` above the one before. */
export const linearBuckets = (first: number, width: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, i) => first + width * i);

/** Prometheus' own default, in seconds. */
export const defaultBuckets: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

interface Sample {
  lines(name: string): string[];
}

/** Quantiles have no sum: a summary is not one of these. */
interface Summable extends Sample {
  /** Adds the values of a sample of the same family. */
  addAll(sample: this): void;
}

const isSummable = (sample: Sample): sample is Summable => 'addAll' in sample;

class Value implements Summable, GaugeSeries {
  readonly #labels: string;
  #value = 0;

  constructor(labels: string) {
    this.#labels = labels;
  }

  add(by = 1): void {
    this.#value += by;
  }

  set(value: number): void {
    this.#value = value;
  }

  addAll(sample: Value): void {
    this.#value += sample.#value;
  }

  lines(name: string): string[] {
    return [`${name}${braced(this.#labels)} ${textOf(this.#value)}`];
  }
}

class Distribution implements Summable, HistogramSeries {
  readonly #labels: string;
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #count = 0;
  #sum = 0;

  constructor(labels: string, bounds: readonly number[]) {
    this.#labels = labels;
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  observe(value: number, times = 1): void {
    const bounds = this.#bounds;
    for (let i = 0; i < bounds.length; i++)
      if (value <= bounds[i]) {
        this.#counts[i] += times;
        break;
      }
    this.#count += times;
    this.#sum += value * times;
  }

  addAll(sample: Distribution): void {
    for (const [i, count] of sample.#counts.entries()) this.#counts[i] += count;
    this.#count += sample.#count;
    this.#sum += sample.#sum;
  }

  lines(name: string): string[] {
    const labels = this.#labels;
    const bucket = (le: string, count: number) => `${name}_bucket${braced(labels, `le="${le}"`)} ${textOf(count)}`;
    let below = 0;
    return [
      ...this.#bounds.map((bound, i) => bucket(boundText(bound), (below += this.#counts[i]))),
      bucket('+Inf', this.#count),
      ...totals(name, labels, this.#sum, this.#count),
    ];
  }
}

/** Kubernetes' quantiles. */
const ranks = [0.5, 0.9, 0.99];

class Ranking implements Sample, HistogramSeries {
  readonly #labels: string;
  readonly #recent: Quantiles;
  #count = 0;
  #sum = 0;

  constructor(labels: string, maxAgeMs: number, now: () => number) {
    this.#labels = labels;
    this.#recent = new Quantiles(maxAgeMs, now);
  }

  observe(value: number): void {
    this.#recent.add(value);
    this.#count++;
    this.#sum += value;
  }

  lines(name: string): string[] {
    const values = this.#recent.at(ranks);
    const line = (rank: number, i: number) =>
      `${name}${braced(this.#labels, `quantile="${rank}"`)} ${textOf(values[i])}`;
    return [...ranks.map(line), ...totals(name, this.#labels, this.#sum, this.#count)];
  }
}

const totals = (name: string, labels: string, sum: number, count: number): string[] => [
  `${name}_sum${braced(labels)} ${textOf(sum)}`,
  `${name}_count${braced(labels)} ${textOf(count)}`,
];

function braced(labels: string, last = ''): string {
  const all = labels && last ? `${labels},${last}` : labels || last;
  return all ? `{${all}}` : '';
}

function textOf(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}

/** As Go writes numbers: a bound is a label, and queries compare it as text. */
function boundText(bound: number): string {
  const size = Math.abs(bound);
  if (size === 0 || (size >= 1e-4 && size < 1e6)) return String(bound);
  return bound.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
}

const noLabels: Labels = {};
const mostSelections = 4;

/** The pairs of these names, in their order. */
const keptOf = (labels: string, kept: ReadonlySet<string>): string =>
  [...labels.matchAll(/([^=,]+)="(?:[^"\\]|\\.)*"/g)]
    .filter(([, name]) => kept.has(name))
    .map(([pair]) => pair)
    .join(',');

class Family<T extends Sample> {
  readonly #samples = new Map<string, T>();
  /** By a list of kept labels: those of each series. */
  readonly #kept = new Map<string, Map<string, string>>();
  /** Label sets that callers reuse are not converted to text again. */
  #byObject = new WeakMap<Labels, T>();
  readonly name: string;
  readonly #head: string;
  readonly #make: (labels: string) => T;

  constructor(name: string, help: string, type: string, make: (labels: string) => T) {
    this.name = name;
    this.#make = make;
    this.#head = `# HELP ${name} ${help}\n# TYPE ${name} ${type}`;
  }

  text(labels?: ReadonlySet<string>): string {
    const lines = [this.#head];
    const samples = labels ? this.#summed(labels) : this.#samples;
    for (const sample of samples.values()) lines.push(...sample.lines(this.name));
    return `${lines.join('\n')}\n`;
  }

  #summed(kept: ReadonlySet<string>): ReadonlyMap<string, Sample> {
    const sums = new Map<string, Sample>();
    const keys = this.#keysFor(kept);
    for (const [labels, sample] of this.#samples) {
      if (!isSummable(sample)) return this.#samples;
      let key = keys.get(labels);
      if (key === undefined) keys.set(labels, (key = keptOf(labels, kept)));
      let sum = sums.get(key);
      if (!sum) sums.set(key, (sum = this.#make(key)));
      if (isSummable(sum)) sum.addAll(sample);
    }
    return sums;
  }

  /** The same reader comes again and again. */
  #keysFor(kept: ReadonlySet<string>): Map<string, string> {
    const name = [...kept].join();
    const found = this.#kept.get(name);
    if (found) return found;
    const keys = new Map<string, string>();
    if (this.#kept.size >= mostSelections) this.#kept.clear();
    this.#kept.set(name, keys);
    return keys;
  }

  clear(): void {
    this.#kept.clear();
    this.#samples.clear();
    this.#byObject = new WeakMap();
  }

  at(labels: Labels = noLabels): T {
    let sample = this.#byObject.get(labels);
    if (!sample) this.#byObject.set(labels, (sample = this.#find(labels)));
    return sample;
  }

  #find(labels: Labels): T {
    const key = Object.entries(labels)
      .map(
        ([name, value]) => `${name}="${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`,
      )
      .join(',');
    let sample = this.#samples.get(key);
    if (!sample) this.#samples.set(key, (sample = this.#make(key)));
    return sample;
  }
}
