// Compacts history older than one interval, as kube-apiserver does with its etcd.

import type { Logger } from '../machinery/logger.ts';
import type { Clock } from '../machinery/time/clock.ts';
import { Compacted, type Revision, type Store } from './interface.ts';

const everyMs = 300_000;

/** Compacts until stopped. Several API servers may share one etcd: a repeated compaction does nothing. */
export function runCompaction(
  store: Store,
  clock: Clock,
  logger: Logger,
  onCompacted: (revision: Revision) => void = () => {},
  intervalMs: number = everyMs,
): { stop(): void } {
  let seen: Revision | undefined;
  const compact = async () => {
    try {
      const revision = await store.revision();
      if (seen !== undefined && seen > 1) {
        await store.compact(seen);
        onCompacted(seen);
      }
      seen = revision;
    } catch (error) {
      if (error instanceof Compacted) {
        if (seen !== undefined) onCompacted(seen);
        seen = undefined;
      } else logger.warn('store not compacted', { error: String(error) });
    }
    if (!stopped) timer = clock.after(intervalMs, compact, { background: true });
  };
  let stopped = false;
  let timer = clock.after(intervalMs, compact, { background: true });
  return {
    stop() {
      stopped = true;
      timer.cancel();
    },
  };
}
