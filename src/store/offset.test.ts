import { expect, test } from 'vitest';
import { VirtualClock } from '../machinery/time/clock.ts';
import { createMemoryStore } from './memory.ts';
import { offsetStore } from './offset.ts';
import { storeContract } from './store.contract.ts';

let clock = new VirtualClock();
storeContract('memory with an offset', {
  open: async () => offsetStore(createMemoryStore({ clock: (clock = new VirtualClock()) }), 1_000_000),
  pass: (ms) => clock.advance(ms),
});

test('revisions from before the offset are compacted, and no write expects them in vain', async () => {
  const store = offsetStore(createMemoryStore({ clock }), 1000);
  expect(await store.commit([{ key: '/registry/a', value: 'a', expected: 0 }])).toEqual({ ok: true, revision: 1002 });
  for (const at of [1, 999, 1000]) await expect(store.get('/registry/a', at)).rejects.toThrow('compacted');
  const watch = store.watch({ start: '/', end: '0' }, 7, new AbortController().signal)[Symbol.asyncIterator]();
  await expect(watch.next()).rejects.toThrow('compacted');
  for (const expected of [2, 1000, 1001])
    expect(await store.commit([{ key: '/registry/a', value: 'b', expected }])).toMatchObject({
      ok: false,
      current: [{ modRevision: 1002 }],
    });
  expect(await store.commit([{ key: '/registry/a', value: 'b', expected: 1002 }])).toMatchObject({ ok: true });
});
