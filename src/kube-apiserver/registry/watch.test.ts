import { once } from 'node:events';
import { get } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { nextTurn } from '../../machinery/time/turn.ts';
import type { WatchSink } from '../reply.ts';
import { configMap, startTestServer, type TestServer } from '../testing/test-server.ts';
import type { Item } from '../watch-cache/item.ts';
import { listOptions } from './list-options.ts';
import type { Place } from './operation.ts';
import { cacheOf } from './target.ts';
import { watch } from './watch.ts';

const maps = '/api/v1/namespaces/default/configmaps';
const pieces = 500;

let server: TestServer;
let clock: VirtualClock;
beforeEach(async () => {
  clock = new VirtualClock();
  server = await startTestServer({ clock });
});
afterEach(() => server.stop());

async function place(): Promise<Place> {
  const kind = server.server.kinds.byResource('', 'v1', 'configmaps')!;
  return { server: server.server, kind, cache: await cacheOf(server.server, kind), namespace: 'default', name: '' };
}

async function fill(count: number) {
  for (let i = 0; i < count; i++) await server.call('POST', maps, configMap(`m${String(i).padStart(5, '0')}`));
}

/** Records its input, and is ready when the test decides. */
function notingSink() {
  const seen: string[] = [];
  const gate: { open: (() => void) | undefined } = { open: undefined };
  let isOpen = false;
  const sink: WatchSink = {
    send: (type: string, item: Item) => void seen.push(`${type} ${item.object.metadata.name}`),
    bookmark: ({ metadata }) =>
      void seen.push(`BOOKMARK ${metadata.resourceVersion}${metadata.annotations ? ' end' : ''}`),
    error: (status) => void seen.push(`ERROR ${JSON.stringify(status)}`),
    end: () => void seen.push('END'),
    ready: () => (isOpen ? undefined : new Promise<void>((resolve) => (gate.open = resolve))),
  };
  return {
    sink,
    seen,
    async open() {
      isOpen = true;
      gate.open?.();
      for (let i = 0; i < 20; i++) await nextTurn();
    },
  };
}

const optionsOf = (query: string) => listOptions(new URLSearchParams(query), true);
const initial = 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';

describe('a large state', () => {
  test('waits for the client, and events wait for its end', async () => {
    await fill(1_200);
    const { subscription } = await watch(await place(), optionsOf(initial));
    const { revision } = server.server.cache;
    const { sink, seen, open } = notingSink();
    const close = subscription.open(sink);
    await nextTurn();
    expect(seen).toHaveLength(pieces);
    await server.call('DELETE', `${maps}/m01199`);
    await server.call('POST', maps, configMap('new'));
    expect(seen).toHaveLength(pieces);
    await open();
    expect(seen).toHaveLength(1_200 + 3);
    expect(seen.slice(-4)).toEqual(['ADDED m01199', `BOOKMARK ${revision} end`, 'DELETED m01199', 'ADDED new']);
    expect(new Set(seen).size).toBe(seen.length);
    await server.call('DELETE', `${maps}/new`);
    expect(seen.at(-1)).toBe('DELETED new');
    close();
  });

  test('has no bookmark before it is sent, even if the watch ends', async () => {
    await fill(pieces + 1);
    const { subscription } = await watch(await place(), optionsOf(`${initial}&timeoutSeconds=90`));
    const { sink, seen } = notingSink();
    subscription.open(sink);
    await clock.advance(89_000);
    expect(seen).toHaveLength(pieces);
    await clock.advance(2_000);
    expect(seen.slice(pieces)).toEqual(['END']);
  });

  test('stops when the client goes', async () => {
    await fill(1_200);
    const { subscription } = await watch(await place(), optionsOf(''));
    const { sink, seen, open } = notingSink();
    subscription.open(sink)();
    await open();
    expect(seen).toHaveLength(pieces);
  });

  test('reaches a slow client over HTTP as a whole', async () => {
    await fill(1_200);
    const listener = await server.listen({ port: 0 });
    const request = get(`${listener.url}${maps}?watch=1&timeoutSeconds=3600`);
    const [response] = await once(request, 'response');
    let text = '';
    for await (const chunk of response) {
      text += chunk;
      if (text.split('\n').length > 1_200) break;
      await nextTurn();
    }
    const names = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).object.metadata.name);
    expect(new Set(names).size).toBe(1_200);
  });
});

test('a client that reads nothing is cut off', async () => {
  const data = { a: 'x'.repeat(200_000) };
  for (let i = 0; i < pieces + 100; i++) await server.call('POST', maps, configMap(`m${i}`, {}, data));
  const listener = await server.listen({ port: 0 });
  const request = get(`${listener.url}${maps}?watch=1&timeoutSeconds=3600`);
  const [response] = await once(request, 'response');
  response.pause();
  for (let i = 0; i < 50; i++) await nextTurn();
  await clock.advance(61_000);
  const failed = once(response, 'error');
  response.resume();
  expect(String(await failed)).toContain('aborted');
});

test('bookmarks come every minute, and at the end', async () => {
  const { subscription } = await watch(await place(), optionsOf('allowWatchBookmarks=true&timeoutSeconds=150'));
  const { sink, seen } = notingSink();
  subscription.open(sink);
  const { revision } = server.server.cache;
  await clock.advance(119_000);
  expect(seen).toEqual([`BOOKMARK ${revision}`]);
  await clock.advance(31_000);
  expect(seen).toEqual([`BOOKMARK ${revision}`, `BOOKMARK ${revision}`, `BOOKMARK ${revision}`, 'END']);
});

describe('the cache of a resource that is read for the first time', () => {
  const definition = {
    metadata: { name: 'widgets.test.example' },
    spec: {
      group: 'test.example',
      scope: 'Namespaced',
      names: { plural: 'widgets', kind: 'Widget' },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
    },
  };
  const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const widgets = '/apis/test.example/v1/namespaces/default/widgets';

  test('has the history since its definition', async () => {
    const { body } = await server.call('POST', definitions, definition);
    const { resourceVersion } = body.metadata;
    await fill(5);
    await server.call('POST', widgets, { apiVersion: 'test.example/v1', kind: 'Widget', metadata: { name: 'w' } });
    await server.call('DELETE', `${widgets}/w`);
    expect(await server.watched(`${widgets}?resourceVersion=${resourceVersion}`, 2)).toEqual(['ADDED w', 'DELETED w']);
    const { body: list } = await server.call(
      'GET',
      `${widgets}?resourceVersion=${resourceVersion}&resourceVersionMatch=Exact`,
    );
    expect([list.items, list.metadata.resourceVersion]).toEqual([[], resourceVersion]);
  });

  test('reports that earlier output is unknown', async () => {
    const { store } = server;
    const key = '/registry/secrets/default/s';
    const object = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', namespace: 'default', uid: 'u' } };
    const before = server.server.cache.revision;
    const value = new TextEncoder().encode(JSON.stringify(object));
    const written = await store.commit([{ key, value, expected: 0 }]);
    const at = written.ok ? written.revision : 0;
    await fill(3);
    const secrets = '/api/v1/namespaces/default/secrets';
    expect(await server.watched(`${secrets}?resourceVersion=${before}`, 1)).toEqual(['ERROR Expired']);
    await store.commit([{ key, value: undefined, expected: at }]);
    expect(await server.watched(`${secrets}?resourceVersion=${at}`, 1)).toEqual(['DELETED s']);
  });
});
