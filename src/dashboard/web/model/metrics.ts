// Metrics of the API server, as far as the picture of the architecture shows them: rates between two readings, latencies
// from histograms. https://prometheus.io/docs/instrumenting/exposition_formats/

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** One reading: samples of the wanted families, by their line. */
export interface Reading {
  /** Milliseconds. */
  readonly timeMs: number;
  readonly samples: ReadonlyMap<string, Sample>;
}

/** The families of the picture, and the labels that it shows or selects by; undefined: all of them. */
const wanted: ReadonlyMap<string, string | undefined> = new Map([
  ['apiserver_request_total', 'verb,resource,subresource,code'],
  ['apiserver_request_duration_seconds', 'verb'],
  ['apiserver_longrunning_requests', 'verb'],
  ['apiserver_current_inflight_requests', ''],
  ['etcd_requests_total', ''],
  ['etcd_request_duration_seconds', ''],
  ['apiserver_storage_size_bytes', ''],
  ['apiserver_storage_objects', undefined],
  ['workqueue_depth', 'name'],
  ['workqueue_adds_total', 'name'],
  ['workqueue_retries_total', 'name'],
  ['scheduler_schedule_attempts_total', ''],
  ['scheduler_pending_pods', ''],
  ['process_resident_memory_bytes', undefined],
]);

/** Coracle answers these families alone, with their series added up. Other servers ignore one part or both. */
export const metricsQuery: readonly (readonly [string, string])[] = [...wanted].flatMap(([name, labels]) => [
  ['name[]', name] as const,
  ...(labels === undefined ? [] : [[`by[${name}]`, labels] as const]),
]);

const wantedSamples = new Set(
  [...wanted.keys()].flatMap((name) =>
    name.endsWith('_seconds') ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  ),
);

export function readMetrics(text: string, timeMs: number): Reading {
  const samples = new Map<string, Sample>();
  for (const line of text.split('\n')) {
    const end = line.search(/[{ ]/);
    if (end < 0 || !wantedSamples.has(line.slice(0, end))) continue;
    const space = line.lastIndexOf(' ');
    const key = line.slice(0, space);
    samples.set(key, {
      name: line.slice(0, end),
      labels: labelsIn(key.slice(end)),
      value: Number(line.slice(space + 1)),
    });
  }
  return { timeMs, samples };
}

function labelsIn(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [, name, value] of text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g))
    labels[name] = value.replace(/\\(.)/g, (_, char) => (char === 'n' ? '\n' : char));
  return labels;
}

interface RequestGroup {
  readonly verb: string;
  readonly resource: string;
  readonly perSecond: number;
  readonly errorsPerSecond: number;
}

export interface Activity {
  readonly requestsPerSecond: number;
  /** Answers of 500 and above, and 429. */
  readonly errorsPerSecond: number;
  /** In seconds; undefined without requests. */
  readonly p50?: number;
  readonly p99?: number;
  readonly busiest: readonly RequestGroup[];
  readonly watches: number;
  readonly inFlight: number;
  readonly storePerSecond: number;
  readonly storeSeconds?: number;
  readonly storeBytes: number;
  readonly objects: readonly { readonly resource: string; readonly count: number }[];
  readonly queues: readonly Queue[];
  readonly schedulingPerSecond: number;
  readonly pendingPods: number;
  readonly memoryBytes: number;
  /** Undefined: this server has no metrics of these parts. */
  readonly hasScheduler: boolean;
  readonly hasControllers: boolean;
}

interface Queue {
  readonly name: string;
  readonly depth: number;
  readonly addsPerSecond: number;
  readonly retriesPerSecond: number;
}

const longRunning = new Set(['WATCH', 'CONNECT']);
const mostGroups = 12;

/** The activity between two readings. */
export function activityOf(before: Reading, after: Reading): Activity {
  const seconds = Math.max(0.001, (after.timeMs - before.timeMs) / 1000);
  const families = Map.groupBy(after.samples, ([, sample]) => sample.name);
  const of = (name: string) => (families.get(name) ?? []).map(([, sample]) => sample);
  const increases = (name: string) =>
    (families.get(name) ?? []).map(([key, sample]) => ({
      ...sample,
      // A counter that is lower than before has begun again.
      value: Math.max(0, sample.value - (before.samples.get(key)?.value ?? 0)),
    }));
  const requests = increases('apiserver_request_total').filter(({ labels }) => !longRunning.has(labels['verb'] ?? ''));
  const buckets = bucketsOf(increases('apiserver_request_duration_seconds_bucket'));
  const storeCount = sum(increases('etcd_request_duration_seconds_count'));
  const perSecond = (samples: readonly Sample[]) => sum(samples) / seconds;
  return {
    requestsPerSecond: perSecond(requests),
    errorsPerSecond: perSecond(requests.filter(isError)),
    ...percentiles(buckets),
    busiest: groupsOf(requests, seconds),
    watches: sum(of('apiserver_longrunning_requests').filter(({ labels }) => labels['verb'] === 'WATCH')),
    inFlight: sum(of('apiserver_current_inflight_requests')),
    storePerSecond: perSecond(increases('etcd_requests_total')),
    ...(storeCount > 0 && { storeSeconds: sum(increases('etcd_request_duration_seconds_sum')) / storeCount }),
    storeBytes: sum(of('apiserver_storage_size_bytes')),
    objects: of('apiserver_storage_objects')
      .map(({ labels, value }) => ({ resource: labels['resource'] ?? '', count: value }))
      .filter(({ count }) => count > 0)
      .sort((a, b) => b.count - a.count),
    queues: queuesOf(of('workqueue_depth'), increases, seconds),
    schedulingPerSecond: perSecond(increases('scheduler_schedule_attempts_total')),
    pendingPods: sum(of('scheduler_pending_pods')),
    memoryBytes: sum(of('process_resident_memory_bytes')),
    hasScheduler: families.has('scheduler_pending_pods'),
    hasControllers: families.has('workqueue_depth'),
  };
}

const sum = (samples: readonly Sample[]): number => samples.reduce((total, { value }) => total + value, 0);

const isError = ({ labels }: Sample): boolean => /^5|^429$/.test(labels['code'] ?? '');

function groupsOf(requests: readonly Sample[], seconds: number): RequestGroup[] {
  const groups = Map.groupBy(
    requests.filter(({ value }) => value > 0),
    ({ labels: { verb = '', resource = '', subresource = '' } }) =>
      `${verb} ${resource}${subresource && `/${subresource}`}`,
  );
  return [...groups]
    .map(([name, samples]) => {
      const [verb, resource = ''] = name.split(' ');
      const errors = sum(samples.filter(isError));
      return { verb, resource, perSecond: sum(samples) / seconds, errorsPerSecond: errors / seconds };
    })
    .sort((a, b) => b.perSecond - a.perSecond)
    .slice(0, mostGroups);
}

/** Of all requests together: the count up to each bound, in order of the bounds. */
function bucketsOf(samples: readonly Sample[]): (readonly [bound: number, count: number])[] {
  const counts = new Map<number, number>();
  for (const { labels, value } of samples) {
    if (longRunning.has(labels['verb'] ?? '')) continue;
    const bound = labels['le'] === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels['le']);
    counts.set(bound, (counts.get(bound) ?? 0) + value);
  }
  return [...counts].sort(([a], [b]) => a - b);
}

function percentiles(buckets: readonly (readonly [number, number])[]): { p50?: number; p99?: number } {
  const total = buckets.at(-1)?.[1] ?? 0;
  if (total === 0) return {};
  return { p50: percentile(buckets, total * 0.5), p99: percentile(buckets, total * 0.99) };
}

/** Linear within a bucket, as Prometheus' histogram_quantile. */
function percentile(buckets: readonly (readonly [number, number])[], rank: number): number {
  let [lower, below] = [0, 0];
  for (const [bound, count] of buckets) {
    if (count >= rank)
      return bound === Number.POSITIVE_INFINITY || count === below
        ? lower
        : lower + ((bound - lower) * (rank - below)) / (count - below);
    [lower, below] = [bound, count];
  }
  return lower;
}

function queuesOf(depths: readonly Sample[], increases: (name: string) => Sample[], seconds: number): Queue[] {
  const rates = (family: string) =>
    new Map(increases(family).map(({ labels, value }) => [labels['name'] ?? '', value / seconds]));
  const [adds, retries] = [rates('workqueue_adds_total'), rates('workqueue_retries_total')];
  return depths
    .map(({ labels: { name = '' }, value }) => ({
      ...{ name, depth: value },
      addsPerSecond: adds.get(name) ?? 0,
      retriesPerSecond: retries.get(name) ?? 0,
    }))
    .sort((a, b) => b.depth - a.depth || b.addsPerSecond - a.addsPerSecond || (a.name < b.name ? -1 : 1));
}
