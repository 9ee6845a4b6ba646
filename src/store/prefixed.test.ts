import { expect, test } from 'vitest';
import { VirtualClock } from '../machinery/time/clock.ts';
import { storeContract } from './store.contract.ts';
import { createMemoryStore, prefixedStore, prefixRange } from './store.ts';

const value = new Uint8Array([1]);

storeContract('prefixed', {
  async open() {
    return prefixedStore(createMemoryStore({ clock: contractClock }), '/clusters/a');
  },
  pass: (ms) => contractClock.advance(ms),
});
const contractClock = new VirtualClock();

test('clusters in one store do not see each other, but all revisions', async () => {
  const shared = createMemoryStore({ clock: new VirtualClock() });
  const [a, b] = ['/clusters/a', '/clusters/b'].map((prefix) => prefixedStore(shared, prefix));
  const stop = new AbortController();
  const seen: unknown[] = [];
  const watching = (async () => {
    for await (const { changes, revision } of a.watch({ start: '', end: '\uffff' }, 1, stop.signal)) {
      seen.push([revision, changes.map((change) => (change.type === 'put' ? change.entry.key : change.key))]);
      if (revision === 4) return;
    }
  })();
  await a.commit([{ key: '/registry/pods/x', value }]);
  await b.commit([{ key: '/registry/pods/x', value }]);
  await a.commit([{ key: '/registry/pods/x' }]);
  await watching;
  expect(
    seen
      .flat()
      .filter((part) => typeof part === 'number')
      .at(-1),
  ).toBe(4);
  expect(seen.flatMap((part: any) => part[1])).toEqual(['/registry/pods/x', '/registry/pods/x']);
  expect((await b.range(prefixRange('/registry/'))).entries.map(({ key }) => key)).toEqual(['/registry/pods/x']);
  expect((await shared.range(prefixRange('/clusters/'))).entries.map(({ key }) => key)).toEqual(['/clusters/b/pods/x']);
});
