import { once } from 'node:events';
import { get } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { VirtualClock } from '../../../machinery/time/clock.ts';
import { nextTurn } from '../../../machinery/time/turn.ts';
import type { WatchSink } from '../../request/reply.ts';
import { configMap, startTestServer, type TestServer } from '../../testing/test-server.ts';
import type { Item } from '../../watch-cache/item.ts';
import type { Place } from '../operation.ts';
import { cacheOf } from '../target.ts';
import { listOptions } from './list-options.ts';
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

describe('bookmarks come every minute, and two seconds before the end', () => {
  test.each([
    { timeoutSeconds: 1, atSeconds: [] },
    { timeoutSeconds: 2, atSeconds: [] },
    { timeoutSeconds: 3, atSeconds: [1] },
    { timeoutSeconds: 62, atSeconds: [60] },
    { timeoutSeconds: 63, atSeconds: [60, 61] },
    { timeoutSeconds: 150, atSeconds: [60, 120, 148] },
  ])('within $timeoutSeconds seconds: at $atSeconds', async ({ timeoutSeconds, atSeconds }) => {
    const from = server.server.cache.revision;
    const query = `allowWatchBookmarks=true&timeoutSeconds=${timeoutSeconds}&resourceVersion=${from}`;
    const { subscription } = await watch(await place(), optionsOf(query));
    const { sink, seen } = notingSink();
    subscription.open(sink);
    const at: number[] = [];
    for (let second = 1; second <= timeoutSeconds; second++) {
      await clock.advance(1_000);
      if (seen.length > at.length && !seen.includes('END')) at.push(second);
    }
    expect(at).toEqual(atSeconds);
    expect(seen).toEqual([...atSeconds.map(() => `BOOKMARK ${from}`), 'END']);
  });

  test('none without allowWatchBookmarks', async () => {
    const { subscription } = await watch(await place(), optionsOf('timeoutSeconds=150'));
    const { sink, seen } = notingSink();
    subscription.open(sink);
    await clock.advance(151_000);
    expect(seen).toEqual(['END']);
  });
});

describe('the beginning of a watch', () => {
  const match = 'resourceVersionMatch=NotOlderThan';
  const state = ['ADDED m00000', 'ADDED m00001'];
  test.each([
    { query: '', sees: state },
    { query: 'allowWatchBookmarks=true', sees: [...state, 'END OF STATE'] },
    { query: 'resourceVersion=0', sees: state },
    { query: 'resourceVersion=0&allowWatchBookmarks=true', sees: [...state, 'END OF STATE'] },
    { query: `sendInitialEvents=true&${match}`, sees: state },
    { query: `sendInitialEvents=true&${match}&allowWatchBookmarks=true`, sees: [...state, 'END OF STATE'] },
    {
      query: `sendInitialEvents=true&${match}&resourceVersion=0&allowWatchBookmarks=true`,
      sees: [...state, 'END OF STATE'],
    },
    {
      query: `sendInitialEvents=true&${match}&resourceVersion=FIRST&allowWatchBookmarks=true`,
      sees: [...state, 'END OF STATE'],
    },
    { query: `sendInitialEvents=false&${match}&allowWatchBookmarks=true`, sees: [] },
    { query: `sendInitialEvents=false&${match}&resourceVersion=0&allowWatchBookmarks=true`, sees: [] },
    {
      query: `sendInitialEvents=false&${match}&resourceVersion=FIRST&allowWatchBookmarks=true`,
      sees: ['ADDED m00001'],
    },
    { query: 'resourceVersion=FIRST&allowWatchBookmarks=true', sees: ['ADDED m00001'] },
    { query: 'allowWatchBookmarks=true&fieldSelector=metadata.name%3Dm00001', sees: ['ADDED m00001', 'END OF STATE'] },
  ])('$query', async ({ query, sees }) => {
    await server.call('POST', maps, configMap('m00000'));
    const first = String(server.server.cache.revision);
    await server.call('POST', maps, configMap('m00001'));
    const { subscription } = await watch(await place(), optionsOf(query.replace('FIRST', first)));
    const { sink, seen } = notingSink();
    const close = subscription.open(sink);
    const last = `BOOKMARK ${server.server.cache.revision} end`;
    expect(seen).toEqual(sees.map((entry) => (entry === 'END OF STATE' ? last : entry)));
    close();
  });

  const forbidden = (field: string, message: string) => `${field}: Forbidden: ${message}`;
  const needsMatch = forbidden(
    'resourceVersionMatch',
    'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
  );
  const withoutEvents = forbidden(
    'resourceVersionMatch',
    'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
  );
  const besideContinue = forbidden(
    'resourceVersionMatch',
    'resourceVersionMatch is forbidden when continue is provided',
  );
  const unsupported = (value: string) =>
    `resourceVersionMatch: Unsupported value: "${value}": supported values: "NotOlderThan"`;
  test.each([
    { query: 'sendInitialEvents=true', faults: [needsMatch] },
    { query: 'sendInitialEvents=false', faults: [needsMatch] },
    { query: 'sendInitialEvents=true&resourceVersionMatch=Exact', faults: [needsMatch, unsupported('Exact')] },
    { query: 'resourceVersionMatch=NotOlderThan', faults: [withoutEvents] },
    { query: 'resourceVersionMatch=Exact&resourceVersion=5', faults: [withoutEvents, unsupported('Exact')] },
    { query: 'resourceVersionMatch=other', faults: [withoutEvents, unsupported('other')] },
    { query: `sendInitialEvents=true&${match}&continue=x`, faults: [besideContinue] },
    { query: 'continue=x', faults: [besideContinue] },
    { query: 'continue=x&resourceVersion=0', faults: [besideContinue] },
    { query: 'continue=x&resourceVersion=5', faults: [] },
  ])('$query is refused for $faults', ({ query, faults }) => {
    const refused = () => {
      try {
        optionsOf(query);
        return '';
      } catch (error) {
        return (error as Error).message;
      }
    };
    const list = faults.length > 1 ? `[${faults.join(', ')}]` : (faults[0] ?? '');
    expect(refused()).toBe(faults.length > 0 ? `ListOptions.meta.k8s.io "" is invalid: ${list}` : '');
  });

  test.each([
    { least: 1800, timeoutSeconds: undefined, from: 1_800, to: 3_600 },
    { least: 1800, timeoutSeconds: 0, from: 1_800, to: 3_600 },
    { least: 1800, timeoutSeconds: 7, from: 7, to: 7 },
  ])('ends after $from to $to seconds with timeoutSeconds=$timeoutSeconds', async ({ timeoutSeconds, from, to }) => {
    const query = timeoutSeconds === undefined ? '' : `timeoutSeconds=${timeoutSeconds}`;
    const ends: number[] = [];
    for (let i = 0; i < 20; i++) {
      const { subscription } = await watch(await place(), optionsOf(query));
      const startMs = clock.monotonic();
      const { sink } = notingSink();
      subscription.open({ ...sink, end: () => void ends.push((clock.monotonic() - startMs) / 1_000) });
    }
    await clock.advance((to + 1) * 1_000);
    expect(ends).toHaveLength(20);
    expect(Math.min(...ends)).toBeGreaterThanOrEqual(from);
    expect(Math.max(...ends)).toBeLessThanOrEqual(to + 0.001);
    expect(new Set(ends).size > 10).toBe(from !== to);
  });
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
