// Two API servers over one store: the watch of the second is interrupted, the first continues to write, and the store
// is compacted beyond the second's revision.

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Service } from '../../api/api.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { seededRandom } from '../../machinery/random.ts';
import { systemClock } from '../../machinery/time/clock.ts';
import { createMemoryStore, type Store } from '../../store/store.ts';
import { ServiceAllocator } from '../allocation/service-allocator.ts';
import { StorageSeries, storageMetrics } from '../metrics/storage-metrics.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { ResourceCache } from './resource-cache.ts';

/** A store whose watch can be interrupted until resumed. */
function interruptible(store: Store): { store: Store; cut(): void; resume(): void } {
  let cutting = new AbortController();
  let gate = Promise.withResolvers<void>();
  gate.resolve();
  return {
    cut() {
      gate = Promise.withResolvers();
      cutting.abort();
    },
    resume() {
      cutting = new AbortController();
      gate.resolve();
    },
    store: new Proxy(store, {
      get(target, name) {
        const value = (target as any)[name];
        if (name !== 'watch') return typeof value === 'function' ? value.bind(target) : value;
        return async function* (...[keys, after, signal]: Parameters<Store['watch']>) {
          await gate.promise;
          yield* target.watch(keys, after, AbortSignal.any([signal, cutting.signal]));
          if (!signal.aborted) throw new Error('the watch was cut');
        };
      },
    }),
  };
}

const store = createMemoryStore({ clock: systemClock });
const wire = interruptible(store);
let steady: TestServer;
let cutOff: TestServer;
const services = '/api/v1/namespaces/default/services';
const maps = '/api/v1/namespaces/default/configmaps';
const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const service = (name: string) => ({ metadata: { name }, spec: { ports: [{ port: 80 }] } });
const definition = (plural: string) => ({
  metadata: { name: `${plural}.test.example` },
  spec: {
    group: 'test.example',
    scope: 'Namespaced',
    names: { plural, kind: plural[0].toUpperCase() + plural.slice(1) },
    versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
  },
});
const lists = (server: TestServer, plural: string) => server.call('GET', `/apis/test.example/v1/${plural}`);

beforeAll(async () => {
  const config = { serviceCidr: '10.0.0.0/29' }; // six addresses
  steady = await startTestServer({ store, config });
  cutOff = await startTestServer({ store: wire.store, config, namespaces: [] });
});
afterAll(() => Promise.all([steady.stop(), cutOff.stop()]));

test('a server that missed compacted changes continues with the current state, for all resources', async () => {
  for (const name of ['one', 'two', 'three', 'four', 'five', 'six'])
    expect((await steady.call('POST', services, service(name))).code).toBe(201);
  await steady.call('POST', definitions, definition('olds'));
  await expect.poll(async () => (await lists(cutOff, 'olds')).code).toBe(200);
  // The allocator watches services from its first use on.
  expect((await cutOff.call('POST', services, service('seven'))).code).not.toBe(201);

  wire.cut();
  for (const name of ['one', 'two']) await steady.call('DELETE', `${services}/${name}`);
  await steady.call('DELETE', `${definitions}/olds.test.example`);
  await steady.call('POST', definitions, definition('news'));
  for (let i = 0; i < 200; i++) await steady.call('POST', maps, { metadata: { name: `m${i}` } });
  await store.compact(await store.revision());
  let isWriting = true;
  const writing = (async () => {
    for (let i = 0; isWriting; i++) {
      await steady.call(
        'PATCH',
        `${maps}/m${i % 200}`,
        { data: { i: String(i) } },
        { contentType: 'application/merge-patch+json' },
      );
      if (i % 20 === 0) await store.compact(await store.revision());
      await systemClock.sleep(1); // all work is in memory: timers would never run
    }
  })();
  const resumedMs = performance.now();
  wire.resume();

  await expect.poll(async () => (await lists(cutOff, 'news')).code, { timeout: 10_000 }).toBe(200);
  expect(performance.now() - resumedMs).toBeLessThan(5_000);
  expect((await lists(cutOff, 'olds')).code).toBe(404);
  isWriting = false;
  await writing;
  const [expected, found] = await Promise.all([steady, cutOff].map((server) => server.call('GET', maps)));
  expect(found.body.items).toEqual(expected.body.items);
  // Two addresses are free, and not one more.
  expect((await cutOff.call('POST', services, service('seven'))).code).toBe(201);
  expect((await cutOff.call('POST', services, service('eight'))).code).toBe(201);
  expect((await cutOff.call('POST', services, service('nine'))).body.message).toMatch(/range is full/);
  await cutOff.call('DELETE', `${services}/seven`);
  await expect.poll(async () => (await cutOff.call('POST', services, service('ten'))).code).toBe(201);
  // It also follows later changes.
  await steady.call('DELETE', `${definitions}/news.test.example`);
  await expect.poll(async () => (await lists(cutOff, 'news')).code).toBe(404);
});

test('services can be handed addresses again after a first failure to read them', async () => {
  let failures = 1;
  const allocator = new ServiceAllocator({
    serviceCidr: '10.1.0.0/24',
    nodePortRange: { from: 30_000, to: 30_010 },
    random: seededRandom(1),
    clock: systemClock,
    metrics: new Metrics(),
    read: async () => undefined,
    services: async () => {
      if (failures-- > 0) throw new Error('the disk had a hiccup');
      const series = new StorageSeries(storageMetrics(new Metrics()), { group: '', resource: 'services' });
      return new ResourceCache('/registry/services/specs/', systemClock, series);
    },
  });
  const next = () => ({ metadata: { name: 'a', namespace: 'default' }, spec: { ports: [] } }) as unknown as Service;
  await expect(allocator.allocate({ next: next(), dryRun: false })).rejects.toThrow('hiccup');
  const service = next();
  allocator.complete({ next: service });
  await allocator.allocate({ next: service, dryRun: false });
  expect(service.spec.clusterIP).toMatch(/^10\.1\.0\./);
});
