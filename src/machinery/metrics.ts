// Counters, gauges and histograms with labels, written out in the Prometheus text format (version 0.0.4).

type Labels = Readonly<Record<string, string>>;

export interface Counter {
  add(by?: number, labels?: Labels): void;
}
export interface Gauge {
  set(value: number, labels?: Labels): void;
  add(by: number, labels?: Labels): void;
  /** Sets the value, and removes those with other labels. */
  setOnly(value: number, labels: Labels): void;
}
export interface Histogram {
  observe(value: number, labels?: Labels): void;
}

/** Registers by name: a repeated name returns the same metric. */
export class Metrics {
  #families = new Map<string, Family>();
  #collectors: (() => void)[] = [];

  counter(name: string, help: string): Counter {
    const family = this.#family(name, help, 'counter');
    return { add: (by = 1, labels) => family.add(labels, by) };
  }

  gauge(name: string, help: string): Gauge {
    const family = this.#family(name, help, 'gauge');
    return {
      set: (value, labels) => family.set(labels, value),
      add: (by, labels) => family.add(labels, by),
      setOnly(value, labels) {
        family.clear();
        family.set(labels, value);
      },
    };
  }

  /** `buckets` are upper bounds, ascending, in the unit that the name ends with; +Inf is added. */
  histogram(name: string, help: string, buckets: readonly number[]): Histogram {
    const family = this.#family(name, help, 'histogram', buckets);
    return { observe: (value, labels) => family.observe(labels, value) };
  }

  /** Runs `collect` before each `text`, to set gauges that are computed on demand. */
  onCollect(collect: () => void): void {
    this.#collectors.push(collect);
  }

  text(): string {
    for (const collect of this.#collectors) collect();
    return [...this.#families.values()].map((family) => family.text()).join('');
  }

  #family(name: string, help: string, type: Family['type'], buckets: readonly number[] = []): Family {
    let family = this.#families.get(name);
    if (!family) this.#families.set(name, (family = new Family(name, help, type, buckets)));
    return family;
  }
}

interface Sample {
  labels: string;
  value: number;
  counts: number[];
  count: number;
}

const noLabels: Labels = {};

class Family {
  readonly #samples = new Map<string, Sample>();
  /** Callers that hand in the same object each time are spared the spelling out of its labels. */
  #byObject = new WeakMap<Labels, Sample>();
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly buckets: readonly number[];

  constructor(name: string, help: string, type: Family['type'], buckets: readonly number[]) {
    this.name = name;
    this.help = help;
    this.type = type;
    this.buckets = buckets;
  }

  clear(): void {
    this.#samples.clear();
    this.#byObject = new WeakMap();
  }

  set(labels: Labels | undefined, value: number): void {
    this.#sample(labels).value = value;
  }

  add(labels: Labels | undefined, by: number): void {
    this.#sample(labels).value += by;
  }

  observe(labels: Labels | undefined, value: number): void {
    const sample = this.#sample(labels);
    const bucket = this.buckets.findIndex((bound) => value <= bound);
    if (bucket >= 0) sample.counts[bucket]++;
    sample.count++;
    sample.value += value;
  }

  text(): string {
    const lines = [`# HELP ${this.name} ${this.help}`, `# TYPE ${this.name} ${this.type}`];
    for (const sample of this.#samples.values())
      if (this.type === 'histogram') lines.push(...this.#histogramLines(sample));
      else lines.push(`${this.name}${sample.labels ? `{${sample.labels}}` : ''} ${sample.value}`);
    return `${lines.join('\n')}\n`;
  }

  #histogramLines(sample: Sample): string[] {
    const with_ = (le: string) => `{${sample.labels ? `${sample.labels},` : ''}le="${le}"}`;
    const suffix = sample.labels ? `{${sample.labels}}` : '';
    let sum = 0;
    const lines = this.buckets.map(
      (bound, i) => `${this.name}_bucket${with_(String(bound))} ${(sum += sample.counts[i])}`,
    );
    return [
      ...lines,
      `${this.name}_bucket${with_('+Inf')} ${sample.count}`,
      `${this.name}_sum${suffix} ${sample.value}`,
      `${this.name}_count${suffix} ${sample.count}`,
    ];
  }

  #sample(labels: Labels = noLabels): Sample {
    let sample = this.#byObject.get(labels);
    if (!sample) this.#byObject.set(labels, (sample = this.#find(labels)));
    return sample;
  }

  #find(labels: Labels): Sample {
    const key = Object.entries(labels)
      .map(
        ([name, value]) => `${name}="${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`,
      )
      .join(',');
    let sample = this.#samples.get(key);
    if (!sample) {
      sample = { labels: key, value: 0, counts: this.buckets.map(() => 0), count: 0 };
      this.#samples.set(key, sample);
    }
    return sample;
  }
}
