import { expect, test } from 'vitest';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { Compacted, type Entry, type Store, type StoredPart } from '../interface.ts';
import { createMemoryStore } from '../memory.ts';
import { textOf } from '../value.ts';
import { earlierRestores, restoreEtcdStore, settled } from './restore.ts';

const clock = new VirtualClock();
const entry = (key: string, value: string, lease = 0): Entry => ({
  ...{ key, value, lease },
  ...{ createRevision: 0, modRevision: 0 },
});
async function* parts(): AsyncIterable<StoredPart> {
  yield { type: 'lease', lease: 5, seconds: 30 };
  yield { type: 'entries', entries: [entry('/registry/a', 'restored'), entry('/registry/event', 'e', 5)] };
  yield {
    type: 'entries',
    entries: Array.from({ length: 250 }, (_, i) => entry(`/registry/many/${i}`, 'x'.repeat(10_000))),
  };
}
const formerKeys = ['/registry/a', '/registry/b', ...Array.from({ length: 120 }, (_, i) => `/registry/old/${i}`)];
const newKeys = [
  '/registry/a',
  '/registry/event',
  ...Array.from({ length: 250 }, (_, i) => `/registry/many/${i}`),
].sort();

async function former(): Promise<Store> {
  const store = createMemoryStore({ clock });
  for (const key of formerKeys) await store.commit([{ key, value: 'former' }]);
  await store.commit([{ key: '/other/cluster', value: 'stays' }]);
  return store;
}

const contentOf = async (store: Store) =>
  (await store.range({ start: '/registry/', end: '/registry0' })).entries.map(({ key }) => key);

test('everything is replaced, and revisions are above the given one', async () => {
  const store = await former();
  await restoreEtcdStore(store, { id: 'one', by: '/data', above: 5_000_000 }, parts);
  const opened = await settled(store);
  expect(await contentOf(opened)).toEqual(newKeys);
  expect(textOf((await store.get('/other/cluster'))!.value)).toBe('stays');
  const { entries } = await opened.range({ start: '/registry/', end: '/registry0' });
  expect(Math.min(...entries.map(({ modRevision }) => modRevision))).toBeGreaterThan(5_000_000);
  for (const at of [1, 100, 4_999_999]) {
    await expect(opened.get('/registry/a', at)).rejects.toThrow(Compacted);
    const watch = opened.watch({ start: '/registry/', end: '/registry0' }, at, new AbortController().signal);
    await expect(watch[Symbol.asyncIterator]().next()).rejects.toThrow(Compacted);
  }
  await clock.advance(31_000);
  expect(await opened.get('/registry/event')).toBeUndefined();
});

test('without a bound, revisions go on', async () => {
  const store = await former();
  const before = await store.revision();
  await restoreEtcdStore(store, { id: 'one', by: '/data' }, parts);
  const opened = await settled(store);
  expect(await opened.revision()).toBeLessThan(before + 20);
  expect((await opened.get('/registry/a'))?.modRevision).toBeGreaterThan(before);
  await expect(opened.get('/registry/a', before)).rejects.toThrow(Compacted);
});

test('a later restore never lowers the offset', async () => {
  const store = await former();
  await restoreEtcdStore(store, { id: 'one', by: '/data', above: 5_000_000 }, parts);
  const first = await (await settled(store)).revision();
  await restoreEtcdStore(store, { id: 'two', by: '/data', above: 10, after: 'one' }, parts);
  expect(await (await settled(store)).revision()).toBeGreaterThan(first);
});

/** Its commits fail from the given one on, after or before they take effect: as if the program was killed there. */
function killedAt(store: Store, at: number, takesEffect: boolean): Store {
  let commits = 0;
  return Object.assign(Object.create(store) as Store, {
    revision: () => store.revision(),
    range: store.range.bind(store),
    readAll: store.readAll.bind(store),
    compact: store.compact.bind(store),
    grantLease: store.grantLease.bind(store),
    async commit(writes: Parameters<Store['commit']>[0]) {
      commits++;
      if (commits > at || (commits === at && !takesEffect)) throw new Error('killed');
      const result = await store.commit(writes);
      if (commits === at) throw new Error('killed');
      return result;
    },
  });
}

test('after a kill at any write, the store is the former one, or refuses to open until the restore is finished', async () => {
  const outcomes = new Set<string>();
  for (let at = 1; at <= 9; at++)
    for (const takesEffect of [true, false]) {
      const store = await former();
      const restore = { id: 'one', by: '/data/here', above: 1000 };
      const kill = restoreEtcdStore(killedAt(store, at, takesEffect), restore, parts);
      const ended = await kill.then(
        () => 'whole',
        () => 'killed',
      );
      const opened = await settled(store).catch((error: Error) => error);
      if (opened instanceof Error) {
        expect(opened.message).toMatch(/did not finish: start the cluster in \/data\/here/);
        outcomes.add('marked');
      } else {
        const content = await contentOf(opened);
        expect(content).toEqual(content.length === newKeys.length ? newKeys : [...formerKeys].sort());
        outcomes.add(content.length === newKeys.length ? `new, ${ended}` : 'former');
      }
      await restoreEtcdStore(store, restore, parts);
      expect(await contentOf(await settled(store)), `killed at ${at}`).toEqual(newKeys);
    }
  expect([...outcomes].sort()).toEqual(['former', 'marked', 'new, killed', 'new, whole']);
});

test('a restore replaces no later one', async () => {
  const store = await former();
  const cut = async function* (): AsyncIterable<StoredPart> {
    yield* parts();
    throw new Error('killed');
  };
  await expect(restoreEtcdStore(store, { id: 'one', by: '/lost' }, cut)).rejects.toThrow('killed');
  await expect(restoreEtcdStore(store, { id: 'blind', by: '/other' }, parts)).rejects.toThrow(/another backup/);
  await restoreEtcdStore(store, { id: 'two', by: '/other', ...(await earlierRestores(store)) }, parts);
  await store.commit([{ key: '/registry/later', value: 'acknowledged' }]);
  await expect(restoreEtcdStore(store, { id: 'one', by: '/lost' }, parts)).rejects.toThrow(/another backup/);
  expect(await contentOf(await settled(store))).toContain('/registry/later');
});

test('a finished restore is not repeated', async () => {
  const store = await former();
  await restoreEtcdStore(store, { id: 'one', by: '/data' }, parts);
  await store.commit([{ key: '/registry/later', value: 'acknowledged' }]);
  await restoreEtcdStore(store, { id: 'one', by: '/data' }, parts);
  expect(await contentOf(store)).toContain('/registry/later');
});
