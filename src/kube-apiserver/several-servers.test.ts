// Several API servers on one store. The watch of the second one is late, as with a slow network.

import { afterEach, beforeEach, expect, test } from 'vitest';
import { seededRandom } from '../machinery/random.ts';
import { systemClock } from '../machinery/time/clock.ts';
import { createMemoryStore, type Store } from '../store/store.ts';
import { configMap, pod, startTestServer, type TestServer } from './testing/test-server.ts';

const maps = '/api/v1/namespaces/default/configmaps';
const merge = { contentType: 'application/merge-patch+json' };
const lateMs = 50;

let store: Store;
let first: TestServer;
let late: TestServer;

/** The store as a server with a slow connection sees it. */
const lagging = (inner: Store): Store =>
  new Proxy(inner, {
    get(target, name) {
      const value = target[name as keyof Store] as any;
      if (name !== 'watch') return typeof value === 'function' ? value.bind(target) : value;
      return async function* (...args: Parameters<Store['watch']>) {
        for await (const batch of target.watch(...args)) {
          await systemClock.sleep(lateMs);
          yield batch;
        }
      };
    },
  });

beforeEach(async () => {
  store = createMemoryStore({ clock: systemClock });
  first = await startTestServer({ store });
  late = await startTestServer({ store: lagging(store), random: seededRandom(2), namespaces: [] });
});
afterEach(async () => {
  await first.stop();
  await late.stop();
});

const create = async (name: string) => (await first.call('POST', maps, configMap(name))).body;

test('a write through one is read through the other at once: get, list, watch', async () => {
  await late.call('GET', maps);
  const { metadata } = await create('a');
  expect((await late.call('GET', `${maps}/a`)).body.metadata.resourceVersion).toBe(metadata.resourceVersion);
  await create('b');
  const list = (await late.call('GET', maps)).body;
  expect(list.items).toHaveLength(2);
  await create('c');
  const at = (await create('d')).metadata.resourceVersion;
  expect((await late.call('GET', maps, undefined, { query: { resourceVersion: at } })).body.items).toHaveLength(4);
  const watched = late.watched(`${maps}?resourceVersion=${list.metadata.resourceVersion}`, 3, 2_000);
  await first.call('DELETE', `${maps}/a`);
  expect(await watched).toEqual(['ADDED c', 'ADDED d', 'DELETED a']);
});

test.each<[string, (resourceVersion: string, uid: string) => Promise<{ code: number; body: any }>, number]>([
  ['update', (resourceVersion) => late.call('PUT', `${maps}/a`, configMap('a', { resourceVersion }, { b: '2' })), 200],
  ['update of an older version', () => late.call('PUT', `${maps}/a`, configMap('a', { resourceVersion: '1' })), 409],
  ['merge patch', () => late.call('PATCH', `${maps}/a`, { data: { b: '2' } }, merge), 200],
  [
    'apply',
    () =>
      late.call('PATCH', `${maps}/a?fieldManager=m`, configMap('a', {}, { b: '2' }), {
        contentType: 'application/apply-patch+yaml',
      }),
    200,
  ],
  ['delete', () => late.call('DELETE', `${maps}/a`), 200],
  [
    'delete with a precondition',
    (resourceVersion, uid) => late.call('DELETE', `${maps}/a`, { preconditions: { resourceVersion, uid } }),
    200,
  ],
  ['create', () => late.call('POST', maps, configMap('a')), 409],
])('an object that the other server has just made or changed: %s', async (_, act, code) => {
  await late.call('GET', maps);
  const made = await create('a');
  expect((await act(made.metadata.resourceVersion, made.metadata.uid)).code, 'just made').toBe(code);
  await first.call('PATCH', `${maps}/b`, configMap('b'), {
    contentType: 'application/apply-patch+yaml',
    query: { fieldManager: 'm' },
  });
  await first.call('DELETE', `${maps}/a`);
  await create('a');
  const { body } = await first.call('PATCH', `${maps}/a`, { data: { c: '3' } }, merge);
  expect((await act(body.metadata.resourceVersion, body.metadata.uid)).code, 'just changed').toBe(code);
});

test('concurrent patches through both all have their effect, and versions only grow', async () => {
  await create('counter');
  const count = async (server: TestServer, own: string) => {
    let last = 0;
    for (let i = 1; i <= 15; i++) {
      const { code, body } = await server.call('PATCH', `${maps}/counter`, { data: { [own]: String(i) } }, merge);
      expect(code).toBe(200);
      expect(Number(body.metadata.resourceVersion)).toBeGreaterThan(last);
      last = Number(body.metadata.resourceVersion);
    }
  };
  await Promise.all([count(first, 'x'), count(late, 'y'), count(first, 'z')]);
  for (const server of [first, late])
    expect((await server.call('GET', `${maps}/counter`)).body.data).toMatchObject({ x: '15', y: '15', z: '15' });
});

test('a pod made through one is bound through the other', async () => {
  await late.call('GET', '/api/v1/namespaces/default/pods');
  await first.call('POST', '/api/v1/namespaces/default/pods', pod('p'));
  const binding = { metadata: { name: 'p' }, target: { kind: 'Node', name: 'n' } };
  expect((await late.call('POST', '/api/v1/namespaces/default/pods/p/binding', binding)).code).toBe(201);
  expect((await first.call('GET', '/api/v1/namespaces/default/pods/p')).body.spec.nodeName).toBe('n');
});

test('a custom resource defined through one is served by the other', async () => {
  const names = { plural: 'boats', singular: 'boat', kind: 'Boat', listKind: 'BoatList' };
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  await first.call('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    metadata: { name: 'boats.sea.test' },
    spec: {
      group: 'sea.test',
      scope: 'Namespaced',
      names,
      versions: [{ name: 'v1', served: true, storage: true, schema }],
    },
  });
  const boat = { apiVersion: 'sea.test/v1', kind: 'Boat', metadata: { name: 'coracle' } };
  await expect
    .poll(async () => (await late.call('POST', '/apis/sea.test/v1/namespaces/default/boats', boat)).code)
    .toBe(201);
  expect((await first.call('GET', '/apis/sea.test/v1/namespaces/default/boats/coracle')).code).toBe(200);
});

const services = '/api/v1/namespaces/default/services';
const service = (name: string, spec: object = {}) => ({
  metadata: { name },
  spec: { type: 'NodePort', ports: [{ port: 80 }], ...spec },
});

test('two servers never give one address or node port twice', async () => {
  const config = { serviceCidr: '10.0.0.0/27', nodePortRange: { from: 30_000, to: 30_019 } };
  const [one, two] = [
    await startTestServer({ store, config, namespaces: [] }),
    await startTestServer({ store: lagging(store), config, namespaces: [] }), // draws the same numbers
  ];
  const names = Array.from({ length: 20 }, (_, i) => `s${i}`);
  const answers = await Promise.all(names.map((name, i) => (i % 2 ? one : two).call('POST', services, service(name))));
  expect(answers.map(({ code }) => code)).toEqual(names.map(() => 201));
  expect(new Set(answers.map(({ body }) => body.spec.clusterIP)).size).toBe(20);
  expect(new Set(answers.map(({ body }) => body.spec.ports[0].nodePort)).size).toBe(20);
  expect((await one.call('POST', services, service('more'))).body.message).toMatch(/range is full/);
  for (const name of names) expect((await two.call('DELETE', `${services}/${name}`)).code).toBe(200);
  await Promise.all([one.stop(), two.stop()]);
  const { entries } = await store.range({ start: '/registry/coracle/', end: '/registry/coracle0' });
  expect(entries, 'holders of ports').toEqual([]);
});

test('of two services that ask for one address or port at the same time, one gets it', async () => {
  for (const spec of [{ clusterIP: '10.96.7.7' }, { ports: [{ port: 80, nodePort: 30_777 }] }]) {
    const answers = await Promise.all([
      first.call('POST', services, service(`one-${Object.keys(spec)[0].toLowerCase()}`, spec)),
      late.call('POST', services, service(`two-${Object.keys(spec)[0].toLowerCase()}`, spec)),
    ]);
    expect(answers.map(({ code }) => code).sort()).toEqual([201, 422]);
    expect(answers.find(({ code }) => code === 422)?.body.message).toMatch(/already allocated/);
  }
});

test('a port whose holder is gone is given again', async () => {
  await store.commit([{ key: '/registry/coracle/nodeports/30555', value: '{"namespace":"default","name":"gone"}' }]);
  const spec = { ports: [{ port: 80, nodePort: 30_555 }] };
  expect((await first.call('POST', services, service('a', spec))).code).toBe(201);
  expect((await late.call('POST', services, service('b', spec))).code).toBe(422);
});
