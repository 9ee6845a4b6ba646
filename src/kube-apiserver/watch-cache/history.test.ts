// The times of the recent past, in virtual time, and that the API lists the states at these revisions.

import { expect, test } from 'vitest';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { configMap, startTestServer } from '../testing/test-server.ts';

const maps = '/api/v1/namespaces/default/configmaps';
const place = { group: '', resource: 'configmaps' };
const merge = { contentType: 'application/merge-patch+json' };

async function started() {
  const clock = new VirtualClock();
  const server = await startTestServer({ clock, namespaces: ['default', 'other'] });
  return { clock, server };
}

test('changes have times, and the states of these times can be listed', async () => {
  const { clock, server } = await started();
  const startMs = clock.now();
  await clock.advance(10_000);
  await server.call('POST', maps, configMap('a'));
  await server.call('POST', '/api/v1/namespaces/other/configmaps', configMap('elsewhere'));
  await clock.advance(10_000);
  await server.call('PATCH', `${maps}/a`, { data: { a: '2' } }, merge);
  await server.call('POST', maps, configMap('b'));
  await clock.advance(10_000);
  await server.call('DELETE', `${maps}/a`);

  const history = await server.history({ ...place, namespace: 'default' });
  expect(history?.marks.map(({ revision: _, ...mark }) => mark)).toEqual([
    { timeMs: startMs + 10_000, added: 1, changed: 0, deleted: 0 },
    { timeMs: startMs + 20_000, added: 1, changed: 1, deleted: 0 },
    { timeMs: startMs + 30_000, added: 0, changed: 0, deleted: 1 },
  ]);
  expect(history?.since.timeMs).toBe(startMs);
  expect(history?.now.timeMs).toBe(startMs + 30_000);
  expect((await server.history({ ...place, namespace: 'default', name: 'a' }))?.marks).toHaveLength(3);
  expect((await server.history(place))?.marks[0].added).toBe(2);

  const listAt = async (timeMs: number) => {
    const { moment } = (await server.history(place, timeMs)) ?? {};
    const query = { resourceVersion: String(moment?.revision), resourceVersionMatch: 'Exact' };
    const { body } = await server.call('GET', maps, undefined, { query });
    return body.items.map(({ metadata, data }: any) => `${metadata.name} ${data.a}`);
  };
  expect(await listAt(startMs + 5_000)).toEqual([]);
  expect(await listAt(startMs + 15_000)).toEqual(['a 1']);
  expect(await listAt(startMs + 25_000)).toEqual(['a 2', 'b 1']);
  expect(await listAt(startMs + 999_000)).toEqual(['b 1']);
  await server.stop();
});

test('history is kept for a minute, and for ten while a console asks; compaction ends it', async () => {
  const { clock, server } = await started();
  await server.call('POST', maps, configMap('a'));
  const change = async (count: number) => {
    for (let i = 0; i < count; i++) {
      await server.call('PATCH', `${maps}/a`, { data: { n: `${i} ${clock.now()}` } }, merge);
      if (i % 64 === 0) await clock.advance(100);
    }
  };
  /** Seconds of history. */
  const kept = async () => {
    const { since, now } = (await server.history(place)) ?? {};
    return ((now?.timeMs ?? 0) - (since?.timeMs ?? 0)) / 1_000;
  };
  await change(1_300);
  await clock.advance(90_000);
  await change(10);
  // No console had asked.
  expect(await kept()).toBeLessThan(92);
  await change(1_300);
  for (let second = 0; second < 120; second += 30) {
    await clock.advance(30_000);
    await server.history(place);
  }
  await change(10);
  expect(await kept()).toBeGreaterThan(120);
  // The number of events that are always kept.
  await clock.advance(700_000);
  await change(10);
  expect(await kept()).toBeLessThan(823);
  server.server.cache.compact(server.server.cache.revision);
  expect(await kept()).toBe(0);
  await server.stop();
}, 20_000);

test('many changes are few marks that count all of them', async () => {
  const { clock, server } = await started();
  await clock.advance(1_000);
  for (let i = 0; i < 600; i++) {
    await server.call('POST', maps, configMap(`m${i}`));
    await clock.advance(1_000);
  }
  const marks = (await server.history(place))?.marks ?? [];
  expect(marks.length).toBeLessThanOrEqual(241);
  expect(marks.reduce((sum, { added }) => sum + added, 0)).toBe(600);
  expect(marks.every(({ timeMs }, i) => i === 0 || timeMs > marks[i - 1].timeMs)).toBe(true);
  await server.stop();
}, 20_000);

test('resources that are not stored have no past', async () => {
  const { server } = await started();
  expect(await server.history({ group: '', resource: 'nothings' })).toBeUndefined();
  expect(await server.history({ group: 'authorization.k8s.io', resource: 'selfsubjectaccessreviews' })).toBeUndefined();
  await server.stop();
});
