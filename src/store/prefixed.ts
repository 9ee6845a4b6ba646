// A store whose keys begin with another prefix than /registry: several clusters may share one etcd.

import type { Change, CommitResult, Entry, KeyRange, Page, Revision, Store, Write } from './interface.ts';
import { delegated } from './read-as.ts';

const usual = '/registry';

/** The store as if its keys began with /registry. Keys of others are not seen, but their revisions are. */
export function prefixedStore(store: Store, prefix: string): Store {
  if (prefix === usual) return store;
  const outer = (key: string) => (key.startsWith(usual) ? prefix + key.slice(usual.length) : key);
  const isOwn = (key: string) => key.startsWith(`${prefix}/`);
  const inner = (key: string) => usual + key.slice(prefix.length);
  const range = ({ start, end }: KeyRange): KeyRange => ({ start: outer(start), end: outer(end) });
  const entry = (found: Entry): Entry => ({ ...found, key: inner(found.key) });
  const entries = (found: readonly Entry[]) => found.filter(({ key }) => isOwn(key)).map(entry);
  const change = (found: Change): Change => {
    const previous = found.previous && { previous: entry(found.previous) };
    return found.type === 'put'
      ? { ...found, entry: entry(found.entry), ...previous }
      : { ...found, key: inner(found.key), ...previous };
  };
  const keyOf = (found: Change) => (found.type === 'put' ? found.entry.key : found.key);
  return {
    ...delegated(store),
    async get(key: string, at?: Revision) {
      const found = await store.get(outer(key), at);
      return found && entry(found);
    },
    async range(keys, page): Promise<Page> {
      const found = await store.range(range(keys), page);
      return { ...found, entries: entries(found.entries) };
    },
    async commit(writes: readonly Write[]): Promise<CommitResult> {
      const result = await store.commit(writes.map((write) => ({ ...write, key: outer(write.key) })));
      return result.ok ? result : { ok: false, current: entries(result.current) };
    },
    async *watch(keys, after, signal) {
      for await (const { changes, revision } of store.watch(range(keys), after, signal))
        yield { changes: changes.filter((found) => isOwn(keyOf(found))).map(change), revision };
    },
    async *readAll(keys, at) {
      for await (const page of store.readAll(range(keys), at)) yield { ...page, entries: entries(page.entries) };
    },
  };
}
