// The arranged rows of a feed. Arranging 100,000 rows takes a while: the more it takes, the rarer it is.

import { effect, type ReadonlySignal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { OpenFeed } from '../feeds/client.ts';
import { arrange, type Order, type Row } from '../model/rows.ts';
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
    const run = () => {
      cancel = undefined;
      const beginMs = monotonic();
      const order = { column, isDescending };
      shown.value = arrange(feed.rows.values(), feed.columns.peek(), parts ? parts.split(' ') : [], order);
      costMs = monotonic() - beginMs;
    };
    const dispose = effect(() => {
      void feed.version.value;
      if (costMs < cheapMs) run();
      else cancel ??= after(Math.min(longestMs, costMs * costFactor), run);
    });
    return () => {
      dispose();
      cancel?.();
    };
  }, [feed, parts, column, isDescending, shown]);
  return shown;
}
