// A store whose revisions are higher than those of the store below it, by a constant. After a restore into a new etcd,
// whose revisions begin at 1, no client may see a revision a second time.

import {
  type Change,
  type CommitResult,
  Compacted,
  type Entry,
  FutureRevision,
  type Revision,
  type Store,
  type Write,
} from './interface.ts';

/** No entry has it. */
const neverRevision = Number.MAX_SAFE_INTEGER;

/** Translates between the revisions of the store (inner) and those of its users (outer). */
function translations(offset: number) {
  const outer = (revision: Revision): Revision => revision + offset;
  /** Throws Compacted for a revision from before the restore. */
  const inner = (revision: Revision): Revision => {
    if (revision <= offset) throw new Compacted(offset + 1);
    return revision - offset;
  };
  const innerAt = (at: Revision | undefined) => (at === undefined ? undefined : inner(at));
  const entry = (found: Entry): Entry => ({
    ...found,
    createRevision: outer(found.createRevision),
    modRevision: outer(found.modRevision),
  });
  const page = <P extends { entries: readonly Entry[]; revision: Revision }>(found: P): P => ({
    ...found,
    entries: found.entries.map(entry),
    revision: outer(found.revision),
  });
  const change = (found: Change): Change => {
    const previous = found.previous && { previous: entry(found.previous) };
    return found.type === 'put'
      ? { ...found, entry: entry(found.entry), ...previous }
      : { ...found, revision: outer(found.revision), ...previous };
  };
  const fault = (error: unknown): unknown => {
    if (error instanceof Compacted) return new Compacted(outer(error.compactRevision));
    return error instanceof FutureRevision ? new FutureRevision(outer(error.current)) : error;
  };
  const write = (given: Write): Write => {
    if (!given.expected) return given;
    return { ...given, expected: given.expected > offset ? given.expected - offset : neverRevision };
  };
  return { outer, inner, innerAt, entry, page, change, fault, write };
}

export function offsetStore(store: Store, offset: number): Store {
  if (offset === 0) return store;
  const { outer, inner, innerAt, entry, page, change, fault, write } = translations(offset);
  const translated = async <T>(act: () => Promise<T>): Promise<T> => {
    try {
      return await act();
    } catch (error) {
      throw fault(error);
    }
  };
  async function* each<T>(items: AsyncIterable<T>, map: (item: T) => T): AsyncIterable<T> {
    try {
      for await (const item of items) yield map(item);
    } catch (error) {
      throw fault(error);
    }
  }
  return {
    revision: async () => outer(await store.revision()),
    async get(key, at) {
      const below = innerAt(at);
      const found = await translated(() => store.get(key, below));
      return found && entry(found);
    },
    async range(keys, { at, ...rest } = {}) {
      const below = innerAt(at);
      return page(await translated(() => store.range(keys, { ...rest, ...(below !== undefined && { at: below }) })));
    },
    async *readAll(keys, at) {
      const below = innerAt(at);
      yield* each(store.readAll(keys, below), page);
    },
    async commit(writes): Promise<CommitResult> {
      const result = await store.commit(writes.map(write));
      return result.ok
        ? { ok: true, revision: outer(result.revision) }
        : { ok: false, current: result.current.map(entry) };
    },
    async *watch(keys, after, signal) {
      if (after < offset) throw new Compacted(offset + 1);
      yield* each(store.watch(keys, after - offset, signal), ({ changes, revision }) => ({
        changes: changes.map(change),
        revision: outer(revision),
      }));
    },
    async compact(revision) {
      const below = inner(revision);
      await translated(() => store.compact(below));
    },
    grantLease: (seconds) => store.grantLease(seconds),
    keepAlive: (lease) => store.keepAlive(lease),
    revokeLease: (lease) => store.revokeLease(lease),
    leaseSeconds: (lease) => store.leaseSeconds(lease),
    size: () => store.size(),
    health: () => store.health(),
    close: () => store.close(),
  };
}
