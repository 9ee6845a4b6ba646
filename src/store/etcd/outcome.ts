// The outcome of a transaction that was sent twice, because the answer of the first was lost, and whose second failed:
// it was made the first time, or another write was faster.

import { type CommitResult, Compacted, type Entry, type Revision, type Write } from '../interface.ts';
import { sameValue } from '../value.ts';

/** Versions of a key that are looked through. */
const mostVersions = 100;

/**
 * Undefined: it cannot be known. `current` has the present entries of the written keys.
 */
export async function outcomeOf(
  writes: readonly Write[],
  current: readonly Entry[],
  get: (key: string, at: Revision) => Promise<Entry | undefined>,
): Promise<CommitResult | undefined> {
  // All writes are made or none: one that names the revision it replaces decides for all.
  const write = writes.find(({ expected }) => expected !== undefined);
  if (!write) return undefined;
  const { key, value, expected = 0 } = write;
  const entry = current.find((found) => found.key === key);
  const refused = { ok: false, current } as const;
  if ((entry?.modRevision ?? 0) === expected) return refused; // another write of the transaction was faster
  if (value === undefined) return entry && entry.createRevision <= expected ? refused : undefined;
  const next = entry && (await successorOf(entry, expected, get));
  if (!next) return undefined;
  if (!sameValue(next.value, value)) return refused;
  // Of two equal updates of one version, by two clients, only one was made. A new object has a unique id.
  return expected === 0 ? { ok: true, revision: next.modRevision } : undefined;
}

/** The version of the key that replaced revision `expected`: only it can be the transaction's. */
async function successorOf(
  entry: Entry,
  expected: Revision,
  get: (key: string, at: Revision) => Promise<Entry | undefined>,
): Promise<Entry | undefined> {
  let next = entry;
  try {
    for (let steps = 0; steps < mostVersions && next.modRevision > expected; steps++) {
      const previous = await get(entry.key, next.modRevision - 1);
      if ((previous?.modRevision ?? 0) === expected) return next;
      if (!previous) return undefined;
      next = previous;
    }
  } catch (error) {
    if (!(error instanceof Compacted)) throw error;
  }
  return undefined;
}
