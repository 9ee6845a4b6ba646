import { expect, test } from 'vitest';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { createMemoryStore } from '../../store/store.ts';
import { recordHistory } from './history.ts';

const start = Date.parse('2026-01-01T00:00:00Z');
const at = (seconds: number) => new Date(start + seconds * 1000).toISOString();

async function recorded() {
  const clock = new VirtualClock(start);
  const store = createMemoryStore({ clock });
  const history = recordHistory(store, clock);
  // Revision 1 at the start, then 2, 3, ... each ten seconds.
  for (let i = 0; i < 6; i++) {
    await clock.advance(10_000);
    await store.commit([{ key: '/registry/a', value: String(i) }]);
  }
  await clock.advance(3_000);
  return { clock, store, history };
}

test.each([
  [at(0), 1],
  [at(9), 1],
  [at(12), 2],
  [at(21.9), 2],
  [at(22), 3],
  [at(63), 7],
  ['4', 4],
  ['7', 7],
])('%s is revision %i', async (text, revision) => {
  const { history } = await recorded();
  expect(await history.revisionAt(text)).toBe(revision);
  history.stop();
});

test.each([
  ['99', /revision 99 is not reached yet: the newest is 7/],
  [
    '2',
    /2 is too far back: the history of the store begins at revision 5, and times are known from 2026-01-01T00:00:42Z on/,
  ],
  [at(20), /is too far back: the history of the store begins at revision 5/],
  ['2025-12-31T00:00:00Z', /too far back/],
  ['2027-01-01T00:00:00Z', /in the future/],
  ['yesterday', /neither a revision nor a time/],
  ['2026', /not reached yet/],
  ['', /neither a revision nor a time/],
])('%s is refused after a compaction', async (text, message) => {
  const { history, store } = await recorded();
  await store.compact(5);
  await expect(history.revisionAt(text)).rejects.toThrow(message);
  history.stop();
});
