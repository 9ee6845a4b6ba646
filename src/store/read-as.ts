// A store whose entries are read in another form.

import type { Change, CommitResult, Entry, KeyRange, Page, Store } from './interface.ts';

/** `read` returns the entry itself if it has the form already, and must not throw. Writes pass unchanged. */
export function readAs(store: Store, read: (entry: Entry) => Entry): Store {
  const change = (found: Change): Change => {
    const previous = found.previous && { previous: read(found.previous) };
    return found.type === 'put' ? { ...found, entry: read(found.entry), ...previous } : { ...found, ...previous };
  };
  const isRead = (found: Change) =>
    (found.type !== 'put' || read(found.entry) === found.entry) &&
    (!found.previous || read(found.previous) === found.previous);
  return {
    ...delegated(store),
    async get(key, at) {
      const entry = await store.get(key, at);
      return entry && read(entry);
    },
    async range(keys, page): Promise<Page> {
      const found = await store.range(keys, page);
      return { ...found, entries: found.entries.map(read) };
    },
    async commit(writes): Promise<CommitResult> {
      const result = await store.commit(writes);
      return result.ok ? result : { ok: false, current: result.current.map(read) };
    },
    async *watch(keys, after, signal) {
      for await (const batch of store.watch(keys, after, signal))
        yield batch.changes.every(isRead) ? batch : { ...batch, changes: batch.changes.map(change) };
    },
  };
}

/** Methods without values, or with values in their stored form, pass through. */
export const delegated = (store: Store) => ({
  revision: () => store.revision(),
  compact: (revision: number) => store.compact(revision),
  grantLease: (ttlSeconds: number) => store.grantLease(ttlSeconds),
  keepAlive: (lease: number) => store.keepAlive(lease),
  revokeLease: (lease: number) => store.revokeLease(lease),
  leaseSeconds: (lease: number) => store.leaseSeconds(lease),
  size: () => store.size(),
  health: () => store.health(),
  ...(store.keyServices && { keyServices: store.keyServices }),
  readAll: (keys: KeyRange, at?: number) => store.readAll(keys, at),
  close: () => store.close(),
});
