import { afterAll, beforeAll, expect, test } from 'vitest';
import { silentLogger } from '../../machinery/logger.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { seededRandom } from '../../machinery/random.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { type ComponentName, completeConfig } from '../config.ts';
import { type Cluster, startParts } from '../start.ts';

const clock = new VirtualClock();

async function start(components: readonly ComponentName[]): Promise<Cluster> {
  const config = completeConfig({
    name: 'test',
    dataDirectory: '/nonexistent',
    port: undefined,
    store: 'memory',
    nodeIP: '192.0.2.1',
    components,
  });
  const environment = { clock, random: seededRandom(1), logger: silentLogger, metrics: new Metrics() };
  const starting = startParts(config, environment);
  await clock.settle();
  return starting;
}

let cluster: Cluster;
beforeAll(async () => {
  cluster = await start(['kube-apiserver', 'kube-controller-manager']);
});
afterAll(() => cluster.stop());

const get = (path: string) => cluster.client.raw<any>('GET', path);
const slices = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';

test.each([
  { path: '/api/v1/namespaces/default/services/kubernetes', afterMs: 10_000 },
  { path: '/api/v1/namespaces/default/endpoints/kubernetes', afterMs: 10_000 },
  { path: `${slices}/kubernetes`, afterMs: 10_000 },
  { path: '/api/v1/namespaces/kube-node-lease', afterMs: 70_000 },
  {
    path: '/api/v1/namespaces/kube-system/configmaps/kube-apiserver-legacy-service-account-token-tracking',
    afterMs: 60_000,
  },
  { path: '/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas/catch-all', afterMs: 60_000 },
])('$path is back after it was deleted', async ({ path, afterMs }) => {
  const before = await get(path);
  await cluster.client.raw('DELETE', path);
  await clock.advance(afterMs + 1_000);
  const { metadata, spec, subsets, endpoints } = await get(path);
  expect(metadata.uid).not.toBe(before.metadata.uid);
  expect({ spec, subsets, endpoints }).toEqual({
    spec: before.spec,
    subsets: before.subsets,
    endpoints: before.endpoints,
  });
});

const tracking = '/api/v1/namespaces/kube-system/configmaps/kube-apiserver-legacy-service-account-token-tracking';

test.each([
  { case: 'no date', since: 'yesterday', becomes: '2026-01-01' },
  { case: 'none', since: undefined, becomes: '2026-01-01' },
  { case: 'an earlier date', since: '2025-06-01', becomes: '2025-06-01' },
])('the day since which uses of tokens are recorded: $case', async ({ since, becomes }) => {
  const map = await get(tracking);
  await cluster.client.raw('PUT', tracking, { ...map, data: since === undefined ? {} : { since } });
  await clock.advance(61_000);
  expect((await get(tracking)).data).toEqual({ since: becomes });
});

test('unchanged objects are not written again', async () => {
  const versions = async () => [
    (await get(`${slices}/kubernetes`)).metadata.resourceVersion,
    (await get('/api/v1/namespaces/default/services/kubernetes')).metadata.resourceVersion,
  ];
  const before = await versions();
  await clock.advance(60_000);
  expect(await versions()).toEqual(before);
});

test('an API server alone takes pods without a service account', async () => {
  const pod = { metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'registry.test/c:1' }] } };
  const alone = await start(['kube-apiserver']);
  const { spec } = await alone.client.raw<any>('POST', '/api/v1/namespaces/default/pods', pod);
  expect(spec.serviceAccountName).toBeUndefined();
  expect(spec.volumes ?? []).toEqual([]);
  // One that is there is given to pods, as always.
  await alone.client.raw<any>('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'default' } });
  const second = await alone.client.raw<any>('POST', '/api/v1/namespaces/default/pods', {
    ...pod,
    metadata: { name: 'q' },
  });
  expect(second.spec).toMatchObject({ serviceAccountName: 'default', volumes: [{ projected: {} }] });
  await alone.stop();
});

test('foreign endpoints of the API server are replaced', async () => {
  const path = '/api/v1/namespaces/default/endpoints/kubernetes';
  const before = await get(path);
  const subsets = [{ addresses: [{ ip: '192.0.2.99' }], ports: [{ name: 'https', port: 1 }] }];
  await cluster.client.raw('PUT', path, { ...before, subsets });
  await clock.advance(11_000);
  expect((await get(path)).subsets).toEqual(before.subsets);
});
