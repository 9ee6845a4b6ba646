// The measurements in a kubelet's /metrics/resource.
// https://kubernetes.io/docs/reference/instrumentation/node-metrics/

/** A counter of CPU time, and the memory at the same time. */
export interface Sample {
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
  readonly atMs: number;
  /** Of a container: its start, from which the counter runs. */
  readonly startMs?: number;
}

interface Scraped {
  /** Undefined: the kubelet did not report the whole node. */
  readonly node: Sample | undefined;
  /** By "namespace/name", then by container. */
  readonly pods: ReadonlyMap<string, ReadonlyMap<string, Sample>>;
}

/** The last two scrapes of a node. */
export interface NodeScrapes {
  readonly previous: Scraped | undefined;
  readonly last: Scraped;
}

/** A sample while its lines are read: it is whole with CPU and memory. */
interface Draft {
  cpuSeconds?: number;
  memoryBytes?: number;
  atMs?: number;
  startMs?: number;
}

type Read = (draft: Draft, value: number, atMs: number | undefined) => void;

const cpu: Read = (draft, value, atMs) => {
  draft.cpuSeconds = value;
  if (atMs !== undefined) draft.atMs = atMs;
};
const memory: Read = (draft, value) => {
  draft.memoryBytes = value;
};

const families: Readonly<Record<string, Read>> = {
  node_cpu_usage_seconds_total: cpu,
  node_memory_working_set_bytes: memory,
  container_cpu_usage_seconds_total: cpu,
  container_memory_working_set_bytes: memory,
  container_start_time_seconds(draft, value) {
    draft.startMs = value * 1000;
  },
};

const labelNames = ['namespace', 'pod', 'container'];

const line = /^([a-z_]+)(?:\{(.*)\})? (\S+)(?: (-?\d+))?$/;
/** Sticky: a search would look at a line of a hostile node once for each of its letters. */
const label = /([a-z_]+)="((?:[^"\\]|\\.)*)",?/y;

/** `nowMs` is the time of lines without one. */
export function readScraped(text: string, nowMs: number): Scraped {
  const node: Draft = {};
  const pods = new Map<string, Map<string, Draft>>();
  for (const each of text.split('\n')) {
    const [, family = '', labels, value, time] = line.exec(each) ?? [];
    const read = Object.hasOwn(families, family) ? families[family] : undefined;
    if (!read) continue;
    const draft = labels ? draftOf(pods, labels) : node;
    read(draft, Number(value), time === undefined ? undefined : Number(time));
  }
  return {
    node: sampleOf(node, nowMs),
    pods: new Map(
      [...pods].map(([pod, containers]) => [
        pod,
        new Map(
          [...containers].flatMap(([name, draft]) => {
            const sample = sampleOf(draft, nowMs);
            return sample ? [[name, sample] as const] : [];
          }),
        ),
      ]),
    ),
  };
}

function draftOf(pods: Map<string, Map<string, Draft>>, text: string): Draft {
  const labels: Record<string, string> = {};
  label.lastIndex = 0;
  for (let found = label.exec(text); found; found = label.exec(text)) {
    const [, name, value] = found;
    if (labelNames.includes(name)) labels[name] = value.replace(/\\(.)/g, '$1');
  }
  const pod = `${labels['namespace']}/${labels['pod']}`;
  const containers = pods.get(pod) ?? new Map<string, Draft>();
  pods.set(pod, containers);
  const { container = '' } = labels;
  const draft = containers.get(container) ?? {};
  containers.set(container, draft);
  return draft;
}

function sampleOf({ cpuSeconds, memoryBytes, atMs, startMs }: Draft, nowMs: number): Sample | undefined {
  if (cpuSeconds === undefined || memoryBytes === undefined) return undefined;
  return { cpuSeconds, memoryBytes, atMs: atMs ?? nowMs, ...(startMs !== undefined && { startMs }) };
}
