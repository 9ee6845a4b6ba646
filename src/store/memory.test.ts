import { expect, test } from 'vitest';
import { silentLogger } from '../machinery/logger.ts';
import { VirtualClock } from '../machinery/time/clock.ts';
import { Compacted } from './interface.ts';
import { createMemoryStore } from './memory.ts';
import { storeContract } from './store.contract.ts';
import { runCompaction, type Store, StoreUnusable } from './store.ts';

let clock = new VirtualClock();
storeContract('memory', {
  open: async () => createMemoryStore({ clock: (clock = new VirtualClock()) }),
  pass: (ms) => clock.advance(ms),
});

test('history is bounded, and compacted at intervals', async () => {
  const clock = new VirtualClock();
  const store = createMemoryStore({ clock });
  const write = () => store.commit([{ key: '/registry/a', value: new Uint8Array(1) }]);
  const first = await write();
  await write();
  if (!first.ok) throw new Error('conflict');
  const compaction = runCompaction(store, clock, silentLogger, undefined, 1000);
  await clock.advance(1500);
  await write();
  expect(await store.get('/registry/a', first.revision)).toBeDefined();
  await clock.advance(1000);
  await expect(store.get('/registry/a', first.revision)).rejects.toThrow(Compacted);
  compaction.stop();
  const before = await store.revision();
  for (let i = 0; i < 21_000; i++) await write();
  await expect(store.get('/registry/a', before)).rejects.toThrow(Compacted);
  expect(await store.get('/registry/a', before + 12_000)).toBeDefined();
});

test('of several servers, one compacts in each interval', async () => {
  const clock = new VirtualClock();
  const store = createMemoryStore({ clock });
  const compacted: number[] = [];
  const counted = { ...methodsOf(store), compact: async (revision: number) => void compacted.push(revision) };
  const reported: number[][] = [[], [], []];
  const running = reported.map((list) => runCompaction(counted, clock, silentLogger, (r) => list.push(r), 1000));
  for (let i = 0; i < 5; i++) {
    await store.commit([{ key: '/registry/a', value: new Uint8Array(1) }]);
    await clock.advance(1000);
  }
  for (const compaction of running) compaction.stop();
  expect(compacted.length).toBeGreaterThanOrEqual(3);
  expect(new Set(compacted).size, 'each revision once').toBe(compacted.length);
  expect(compacted).toEqual(compacted.toSorted((a, b) => a - b));
  for (const list of reported) expect(list.at(-1), 'all servers reject older lists').toBe(compacted.at(-1));
});

test('a full store that accepts no key is compacted, too', async () => {
  const clock = new VirtualClock();
  const store = createMemoryStore({ clock });
  const compacted: number[] = [];
  let isFull = false;
  const full: Store = {
    ...methodsOf(store),
    compact: async (revision) => void compacted.push(revision),
    async commit(writes) {
      if (isFull && writes.some(({ value }) => value)) throw new StoreUnusable('disk-full', 'no space');
      return store.commit(writes);
    },
  };
  const compaction = runCompaction(full, clock, silentLogger, undefined, 1000);
  for (let i = 0; i < 6; i++) {
    await store.commit([{ key: '/registry/a', value: new Uint8Array(1) }]);
    await clock.advance(1000);
    isFull = i >= 2 && i < 4;
  }
  compaction.stop();
  expect(compacted).toHaveLength(5);
  expect(compacted).toEqual(compacted.toSorted((a, b) => a - b));
});

/** A class's methods, as own properties. */
function methodsOf(store: Store): Store {
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(store)) as (keyof Store)[];
  return Object.fromEntries(names.map((name) => [name, (...args: never[]) => (store[name] as any)(...args)])) as never;
}
