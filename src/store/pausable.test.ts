import { expect, test } from 'vitest';
import { VirtualClock } from '../machinery/time/clock.ts';
import { prefixRange } from './interface.ts';
import { createMemoryStore } from './memory.ts';
import { pausableStore } from './pausable.ts';
import { storeContract } from './store.contract.ts';

let clock = new VirtualClock();
storeContract('memory, pausable', {
  open: async () => pausableStore(createMemoryStore({ clock: (clock = new VirtualClock()) })),
  pass: (ms) => clock.advance(ms),
});

const registry = prefixRange('/registry/');

test('while it is paused, writes are rejected with the message, and reads and watches continue', async () => {
  const store = pausableStore(createMemoryStore({ clock }));
  const lease = await store.grantLease(60);
  await store.commit([{ key: '/registry/a', value: 'one' }]);
  await store.pause('it moves');
  const refused = { name: 'StoreUnusable', reason: 'paused', message: 'it moves' };
  for (const write of [
    () => store.commit([{ key: '/registry/b', value: 'two' }]),
    () => store.commit([{ key: '/registry/a' }]),
    () => store.grantLease(5),
    () => store.revokeLease(lease),
    () => store.compact(2),
  ])
    await expect(write()).rejects.toMatchObject(refused);
  expect((await store.range(registry)).entries.map(({ key }) => key)).toEqual(['/registry/a']);
  expect(await store.health()).toBeUndefined();
  const watching = store.watch(registry, await store.revision(), new AbortController().signal)[Symbol.asyncIterator]();
  const next = watching.next();
  store.resume();
  await store.commit([{ key: '/registry/b', value: 'two' }]);
  expect((await next).value.changes).toMatchObject([{ type: 'put', entry: { key: '/registry/b' } }]);
  await watching.return?.();
});

test('it is paused when the writes before have ended, also a failed one', async () => {
  const inner = createMemoryStore({ clock });
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let calls = 0;
  const commit: typeof inner.commit = async (writes) => {
    await gates[calls++].promise;
    return inner.commit(writes);
  };
  const store = pausableStore(Object.assign(Object.create(inner), { commit }));
  const first = store.commit([{ key: '/registry/a', value: 'one' }]);
  const second = store.commit([{ key: '/registry/b', value: 'two' }]);
  let isPaused = false;
  const paused = store.pause('it moves').then(() => {
    isPaused = true;
  });
  gates[0].resolve();
  await first;
  await Promise.resolve();
  expect(isPaused).toBe(false);
  gates[1].reject(new Error('the disk is full'));
  await expect(second).rejects.toThrow('the disk is full');
  await paused;
  expect((await inner.range(registry)).entries.map(({ key }) => key)).toEqual(['/registry/a']);
});
