// The size of a page, for readers of a whole range: some megabytes for entries of any size.

import type { Entry } from './interface.ts';

export const firstPageEntries = 100;
const mostEntries = 2_000;
const pageBytes = 2 << 20;

/** Entries for the next page, by the average size of those of the last page. */
export function nextPageEntries(last: readonly Entry[]): number {
  const bytes = last.reduce((sum, { key, value }) => sum + key.length + value.length, 1);
  return Math.max(1, Math.min(mostEntries, Math.floor((pageBytes * last.length) / bytes)));
}
