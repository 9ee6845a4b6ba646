// Usage of nodes and pods over time: the points that the server keeps, and those that the page reads while it is open.

import { fieldsIn, listIn, textIn } from '../../../machinery/parsed.ts';
import { amountOf } from './amounts.ts';

interface UsagePoint {
  readonly atMs: number;
  readonly cpu: number;
  readonly memory: number;
}

export interface UsageRow {
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  /** Oldest first; never empty. */
  readonly points: readonly UsagePoint[];
}

type Series = ReadonlyMap<string, UsageRow>;

/** Points of each row that the page keeps. */
const most = 240;

/** A list of metrics.k8s.io. */
export function readUsage(list: unknown): UsageRow[] {
  return listIn(fieldsIn(list)['items']).flatMap((item) => {
    const { metadata, timestamp, usage, containers } = fieldsIn(item);
    const { name, namespace } = fieldsIn(metadata);
    const atMs = Date.parse(textIn(timestamp));
    const parts = containers === undefined ? [usage] : listIn(containers).map((one) => fieldsIn(one)['usage']);
    if (textIn(name) === '' || Number.isNaN(atMs) || parts.length === 0) return [];
    const total = (field: string) =>
      parts.reduce<number>((sum, part) => sum + (amountOf(textIn(fieldsIn(part)[field])) ?? 0), 0);
    return [rowOf(textIn(namespace), textIn(name), [{ atMs, cpu: total('cpu'), memory: total('memory') }])];
  });
}

/** The history that the server keeps. */
export function readHistory(answer: unknown): UsageRow[] {
  return listIn(fieldsIn(answer)['series']).flatMap((item) => {
    const { namespace, name, points } = fieldsIn(item);
    const read = listIn(points).map((point) => {
      const { atMs, cpuCores, memoryBytes } = fieldsIn(point);
      return { atMs: Number(atMs), cpu: Number(cpuCores), memory: Number(memoryBytes) };
    });
    return read.length > 0 ? [rowOf(textIn(namespace), textIn(name), read)] : [];
  });
}

const rowOf = (namespace: string, name: string, points: readonly UsagePoint[]): UsageRow => ({
  ...{ key: `${namespace}/${name}`, namespace, name, points },
});

/** Adds points that are newer; with `isComplete`, rows that are not in `read` have ended. */
export function addUsage(series: Series, read: readonly UsageRow[], isComplete: boolean): Series {
  const next = new Map<string, UsageRow>(isComplete ? [] : series);
  for (const row of read) {
    const earlier = series.get(row.key)?.points ?? [];
    const merged = new Map([...earlier, ...row.points].map((point) => [point.atMs, point]));
    const points = [...merged.values()].sort((a, b) => a.atMs - b.atMs).slice(-most);
    next.set(row.key, { ...row, points });
  }
  return next;
}

/** A line through values, for a `viewBox` of the given size; '' with fewer than two points. */
export function linePath(
  values: readonly { readonly atMs: number; readonly value: number }[],
  { width, height, top }: { readonly width: number; readonly height: number; readonly top: number },
): string {
  if (values.length < 2) return '';
  const [from, to] = [values[0].atMs, values[values.length - 1].atMs];
  const span = Math.max(1, to - from);
  return values
    .map(({ atMs, value }, index) => {
      const x = ((atMs - from) / span) * width;
      const y = height - (Math.min(value, top) / (top || 1)) * height;
      return `${index === 0 ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`;
    })
    .join('');
}
