// Compacts history older than one interval, as kube-apiserver does with its etcd.

import type { Logger } from '../machinery/logger.ts';
import type { Clock } from '../machinery/time/clock.ts';
import { type CommitResult, Compacted, type Revision, type Store, StoreUnusable } from './interface.ts';
import { textOf, valueOfText } from './value.ts';

const everyMs = 300_000;
/** Kubernetes' key: of several API servers, the one that replaces it first in an interval compacts. */
const turnKey = 'compact_rev_key';

/** Compacts until stopped. */
export function runCompaction(
  store: Store,
  clock: Clock,
  logger: Logger,
  onCompacted: (revision: Revision) => void = () => {},
  intervalMs: number = everyMs,
): { stop(): void } {
  /** The revision to compact next, and that of the key when it was chosen. */
  let seen: { readonly revision: Revision; readonly turn: Revision } | undefined;
  const compact = async () => {
    const { revision: due = 0, turn = 0 } = seen ?? {};
    const result = await takeTurn(store, due, turn);
    if (result && !result.ok) {
      const [other] = result.current;
      seen = { revision: await store.revision(), turn: other?.modRevision ?? 0 };
      if (other) onCompacted(Number(textOf(other.value)));
      return;
    }
    seen = result ? { revision: result.revision, turn: result.revision } : { revision: await store.revision(), turn };
    if (due <= 1) return;
    await store.compact(due).catch((error) => {
      if (!(error instanceof Compacted)) throw error; // by whomever
    });
    onCompacted(due);
  };
  const round = async () => {
    await compact().catch((error) => logger.warn('store not compacted', { error: String(error) }));
    if (!stopped) timer = clock.after(intervalMs, round, { background: true });
  };
  let stopped = false;
  let timer = clock.after(intervalMs, round, { background: true });
  return {
    stop() {
      stopped = true;
      timer.cancel();
    },
  };
}

/** Undefined: a full etcd accepts no key. Then every server compacts, which gives it space again. */
const takeTurn = (store: Store, due: Revision, turn: Revision): Promise<CommitResult | undefined> =>
  store.commit([{ key: turnKey, value: valueOfText(String(due)), expected: turn }]).catch((error) => {
    if (error instanceof StoreUnusable && error.reason === 'disk-full') return undefined;
    throw error;
  });
