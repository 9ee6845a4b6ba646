import type { Steps } from '../time/steps.ts';

/** Items that are sorted in one step: about a millisecond. */
const runLength = 4_096;

type Compare<T> = (a: T, b: T) => number;

/** Sorts a list of any length in steps. Stable. */
export function* sortSteps<T>(items: T[], compare: Compare<T>): Steps<T[]> {
  if (items.length <= runLength) return items.sort(compare);
  let runs: T[][] = [];
  for (let at = 0; at < items.length; at += runLength) {
    runs.push(items.slice(at, at + runLength).sort(compare));
    yield;
  }
  while (runs.length > 1) {
    const merged: T[][] = [];
    for (let at = 0; at < runs.length; at += 2)
      merged.push(at + 1 < runs.length ? yield* mergeSteps(runs[at], runs[at + 1], compare) : runs[at]);
    runs = merged;
  }
  return runs[0];
}

function* mergeSteps<T>(left: readonly T[], right: readonly T[], compare: Compare<T>): Steps<T[]> {
  const merged: T[] = [];
  let fromLeft = 0;
  let fromRight = 0;
  while (fromLeft < left.length && fromRight < right.length) {
    merged.push(compare(left[fromLeft], right[fromRight]) <= 0 ? left[fromLeft++] : right[fromRight++]);
    if (merged.length % runLength === 0) yield;
  }
  while (fromLeft < left.length) merged.push(left[fromLeft++]);
  while (fromRight < right.length) merged.push(right[fromRight++]);
  return merged;
}
