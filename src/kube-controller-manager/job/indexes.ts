// Completion indexes of Indexed Jobs: sets as sorted ranges, and the text form in status, "0-2,4".
// https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode

import type { Pod } from '../../api/api.ts';

export const indexAnnotation = 'batch.kubernetes.io/job-completion-index';

/** Undefined when the pod has none, or one that is no number. */
export function indexOf(pod: Pod): number | undefined {
  const text = pod.metadata.annotations?.[indexAnnotation];
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

interface Range {
  readonly first: number;
  readonly last: number;
}

/** Ascending ranges with gaps between them. Costs depend on the number of ranges, not of indexes. */
export type Indexes = readonly Range[];

export const noIndexes: Indexes = [];

/** Parses the text of a status or success policy; indexes from `completions` on and invalid parts are skipped. */
export function parseIndexes(text: string | undefined, completions: number): Indexes {
  const ranges = (text ?? '').split(',').flatMap((part) => {
    const [, first, last = first] = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(part) ?? [];
    if (first === undefined || Number(first) >= completions) return [];
    return [{ first: Number(first), last: Math.min(Number(last), completions - 1) }];
  });
  return normalized(ranges);
}

export const indexesOf = (numbers: Iterable<number>): Indexes =>
  normalized([...numbers].map((index) => ({ first: index, last: index })));

export const union = (...sets: readonly Indexes[]): Indexes => normalized(sets.flat());

function normalized(ranges: readonly Range[]): Indexes {
  const result: { first: number; last: number }[] = [];
  for (const { first, last } of [...ranges].sort((a, b) => a.first - b.first)) {
    const previous = result.at(-1);
    if (previous && first <= previous.last + 1) previous.last = Math.max(previous.last, last);
    else if (first <= last) result.push({ first, last });
  }
  return result;
}

/** Two neighbours are listed, three or more are a range. */
export const formatIndexes = (indexes: Indexes): string =>
  indexes
    .map(({ first, last }) => (last === first ? `${first}` : `${first}${last === first + 1 ? ',' : '-'}${last}`))
    .join(',');

export const countIndexes = (indexes: Indexes): number =>
  indexes.reduce((count, { first, last }) => count + last - first + 1, 0);

export function hasIndex(indexes: Indexes, index: number): boolean {
  let [low, high] = [0, indexes.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (indexes[middle].last < index) low = middle + 1;
    else high = middle;
  }
  return low < indexes.length && indexes[low].first <= index;
}

/** How many indexes are in both sets. */
export function countCommon(a: Indexes, b: Indexes): number {
  let count = 0;
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    count += Math.max(0, Math.min(a[i].last, b[j].last) - Math.max(a[i].first, b[j].first) + 1);
    if (a[i].last < b[j].last) i++;
    else j++;
  }
  return count;
}

/** The lowest `count` indexes below `completions` that are not in `taken`. */
export function freeIndexes(taken: Indexes, count: number, completions: number): number[] {
  const free: number[] = [];
  let index = 0;
  for (const { first, last } of [...taken, { first: completions, last: completions }]) {
    for (; index < Math.min(first, completions) && free.length < count; index++) free.push(index);
    index = Math.max(index, last + 1);
  }
  return free;
}
