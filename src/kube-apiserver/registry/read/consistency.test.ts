import { expect, test } from 'vitest';
import { seededRandom } from '../../../machinery/random.ts';
import { configMap, startTestServer } from '../../testing/test-server.ts';

const maps = '/api/v1/namespaces/default/configmaps';
const merge = 'application/merge-patch+json';
const user = { name: 'watcher', groups: ['system:masters'] };

// The initial list with the watch's events applied equals a final list.
test.each([1, 2, 3])('a list and its watch make the state, with a selector and without (seed %i)', async (seed) => {
  const random = seededRandom(seed);
  const server = await startTestServer();
  const { body: empty } = await server.call('GET', maps);
  const ended = new AbortController();
  const follow = async (labelSelector?: string) => {
    const state = new Map<string, string>();
    const { events } = await server.transport(user).send({
      method: 'GET',
      path: maps,
      query: {
        watch: 'true',
        resourceVersion: empty.metadata.resourceVersion,
        ...(labelSelector && { labelSelector }),
      },
      signal: ended.signal,
    });
    let last = 0;
    const done = (async () => {
      for await (const { type, object } of events ?? []) {
        if (type === 'ERROR') throw new Error(object.message);
        const version = Number(object.metadata.resourceVersion);
        expect(version).toBeGreaterThan(last);
        last = version;
        const { name } = object.metadata;
        if (type === 'ADDED') expect(state.has(name)).toBe(false);
        if (type === 'MODIFIED') expect(state.has(name)).toBe(true);
        if (type === 'DELETED') state.delete(name);
        else state.set(name, object.metadata.resourceVersion);
      }
    })();
    return { state, done };
  };
  const all = await follow();
  const odd = await follow('parity=odd');

  const writer = async () => {
    for (let step = 0; step < 150; step++) {
      const name = `m${random.int(30)}`;
      const parity = random.int(2) ? 'odd' : 'even';
      const choice = random.int(4);
      if (choice === 0) await server.call('DELETE', `${maps}/${name}`);
      else if (choice === 1) await server.call('POST', maps, configMap(name, { labels: { parity } }));
      else {
        const change = { metadata: { labels: { parity } }, data: { step: String(step) } };
        await server.call('PATCH', `${maps}/${name}`, change, { contentType: merge });
      }
    }
  };
  await Promise.all(Array.from({ length: 8 }, writer));

  const versions = (body: any) =>
    new Map(body.items.map(({ metadata }: any) => [metadata.name, metadata.resourceVersion]));
  for (const [{ state }, query] of [
    [all, ''],
    [odd, '?labelSelector=parity%3Dodd'],
  ] as const) {
    const { body } = await server.call('GET', maps + query);
    await expect.poll(() => new Map([...state].sort())).toEqual(new Map([...versions(body)].sort()));
  }
  const paged = new Map();
  for (let next = ''; ; ) {
    const { body } = await server.call('GET', maps, undefined, {
      query: { limit: '7', ...(next && { continue: next }) },
    });
    for (const [name, version] of versions(body)) paged.set(name, version);
    next = body.metadata.continue;
    if (!next) break;
  }
  expect(paged).toEqual(versions((await server.call('GET', maps)).body));
  ended.abort();
  await Promise.all([all.done, odd.done]);
  await server.stop();
});
