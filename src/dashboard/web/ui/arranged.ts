// The arranged rows of a feed. Arranging 100,000 rows takes a while: the more it takes, the rarer it is.

import { effect, type ReadonlySignal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { OpenFeed } from '../feeds/client.ts';
import { arrange, type Order, type Row, type RowChange, rearrange } from '../model/rows.ts';
import { after, monotonic } from '../system.ts';

/** Faster than a frame: at once. */
const cheapMs = 8;
const costFactor = 6;
const longestMs = 2_000;

export function useArranged(
  feed: OpenFeed | undefined,
  names: readonly string[],
  { column, isDescending }: Order,
): ReadonlySignal<readonly Row[]> {
  const shown = useSignal<readonly Row[]>([]);
  const parts = names.join(' ');
  useEffect(() => {
    if (!feed) return;
    let costMs = 0;
    let cancel: (() => void) | undefined;
    /** Since the rows were arranged; undefined: all of them are new. */
    let pending: Map<string, RowChange> | undefined;
    const stop = feed.onRows((changes) => {
      if (changes) for (const change of changes) note(pending, change);
      else pending = undefined;
    });
    const run = () => {
      cancel = undefined;
      const beginMs = monotonic();
      const order = { column, isDescending };
      const [columns, wanted] = [feed.columns.peek(), parts ? parts.split(' ') : []];
      shown.value =
        (pending && rearrange(shown.peek(), pending.values(), columns, wanted, order)) ??
        arrange(feed.rows.values(), columns, wanted, order);
      pending = new Map();
      costMs = monotonic() - beginMs;
    };
    const dispose = effect(() => {
      void feed.version.value;
      if (costMs < cheapMs) run();
      else cancel ??= after(Math.min(longestMs, costMs * costFactor), run);
    });
    return () => {
      stop();
      dispose();
      cancel?.();
    };
  }, [feed, parts, column, isDescending, shown]);
  return shown;
}

/** Several changes of a row are one. */
function note(pending: Map<string, RowChange> | undefined, { before, after }: RowChange): void {
  const key = (after ?? before)?.key;
  if (!pending || key === undefined) return;
  const first = pending.get(key);
  pending.set(key, { before: first ? first.before : before, after });
}
