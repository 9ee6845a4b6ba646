import { afterEach, beforeEach, expect, test } from 'vitest';
import type { EndpointSlice, Endpoints } from '../../api/api.ts';
import { startTestCluster, type TestCluster } from '../shared/test-cluster.ts';

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await startTestCluster();
});
afterEach(() => cluster.stop());

const metadata = { name: 'e', namespace: 'default' };
const at = metadata;
const ports = [{ name: 'web', port: 80 }];

async function createService(selector?: object): Promise<void> {
  await cluster.client.create('services', { metadata, spec: { ports: [{ port: 80 }], selector } } as any);
}
async function createEndpoints(fields: Partial<Endpoints> | object): Promise<void> {
  await cluster.client.create('endpoints', { metadata, ...fields } as any);
  await cluster.clock.advance(2000);
}
const slices = async (): Promise<EndpointSlice[]> =>
  (await cluster.client.list('endpointslices')).items.filter(
    (slice) =>
      slice.metadata.labels?.['endpointslice.kubernetes.io/managed-by'] === 'endpointslicemirroring-controller.k8s.io',
  );
const shown = async () =>
  (await slices()).map(({ addressType, endpoints, ports }) => ({
    addressType,
    ports: ports?.map(({ port }) => port),
    ready: endpoints?.filter(({ conditions }) => conditions?.ready).flatMap(({ addresses }) => addresses),
    notReady: endpoints?.filter(({ conditions }) => !conditions?.ready).flatMap(({ addresses }) => addresses),
  }));

test('Endpoints of a Service without a selector are mirrored, changed and deleted with it', async () => {
  await createService();
  await createEndpoints({
    metadata: { ...metadata, labels: { team: 'a' }, annotations: { note: 'b' } },
    subsets: [{ addresses: [{ ip: '10.1.2.3' }], notReadyAddresses: [{ ip: '10.1.2.4' }], ports }],
  });
  expect(await shown()).toEqual([{ addressType: 'IPv4', ports: [80], ready: ['10.1.2.3'], notReady: ['10.1.2.4'] }]);
  const [slice] = await slices();
  expect(slice.metadata.labels).toMatchObject({ team: 'a', 'kubernetes.io/service-name': 'e' });
  expect(slice.metadata.annotations).toEqual({ note: 'b' });
  expect(slice.metadata.ownerReferences).toMatchObject([{ kind: 'Endpoints', name: 'e', controller: true }]);
  const subsets = [{ addresses: [{ ip: '10.2.3.4' }], ports: [{ name: 'web', port: 81 }] }];
  await cluster.client.patch('endpoints', at, { type: 'merge', body: { subsets } });
  await cluster.clock.advance(2000);
  expect(await shown()).toEqual([{ addressType: 'IPv4', ports: [81], ready: ['10.2.3.4'], notReady: [] }]);
  expect((await slices())[0].metadata.name).toBe(slice.metadata.name);
  await cluster.client.delete('endpoints', at);
  await cluster.clock.advance(2000);
  expect(await slices()).toEqual([]);
});

test('each family gets a slice, equal ports share one', async () => {
  await createService();
  await createEndpoints({
    subsets: [
      { addresses: [{ ip: '10.1.2.3' }, { ip: '2001:db8::1' }], ports },
      { addresses: [{ ip: '10.1.2.5' }], notReadyAddresses: [{ ip: '10.1.2.3' }], ports },
    ],
  });
  expect((await shown()).sort((a, b) => (a.addressType < b.addressType ? -1 : 1))).toEqual([
    { addressType: 'IPv4', ports: [80], ready: ['10.1.2.3', '10.1.2.5'], notReady: [] },
    { addressType: 'IPv6', ports: [80], ready: ['2001:db8::1'], notReady: [] },
  ]);
});

test.each([
  { case: 'a Service with a selector', selector: { app: 'x' }, fields: {} },
  { case: 'the skip-mirror label', fields: { labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } } },
  { case: 'a leader election', fields: { annotations: { 'control-plane.alpha.kubernetes.io/leader': '{}' } } },
])('Endpoints with $case are not mirrored', async ({ selector, fields }) => {
  await createEndpoints({
    metadata: { ...metadata, ...fields },
    subsets: [{ addresses: [{ ip: '10.1.2.3' }], ports }],
  });
  await createService(selector);
  await cluster.clock.advance(2000);
  expect(await slices()).toEqual([]);
});

test('a deleted slice is recreated; one whose Service gets a selector is deleted', async () => {
  await createService();
  await createEndpoints({ subsets: [{ addresses: [{ ip: '10.1.2.3' }], ports }] });
  const [{ metadata: deleted }] = await slices();
  await cluster.client.delete('endpointslices', { name: deleted.name, namespace: 'default' });
  await cluster.clock.advance(2000);
  expect(await slices()).toHaveLength(1);
  await cluster.client.patch('services', at, { type: 'merge', body: { spec: { selector: { app: 'x' } } } });
  await cluster.clock.advance(2000);
  expect(await slices()).toEqual([]);
});

test('beyond 1000 addresses of a subset the rest is left out, with an event', async () => {
  await createService();
  const addresses = Array.from({ length: 1002 }, (_, i) => ({ ip: `10.1.${i >> 8}.${i & 255}` }));
  await createEndpoints({ subsets: [{ addresses, ports }] });
  expect((await slices())[0].endpoints).toHaveLength(1000);
  expect((await cluster.client.list('events')).items.map(({ message }) => message)).toContain(
    'A max of 1000 addresses can be mirrored to EndpointSlices per Endpoints subset. 2 addresses were skipped',
  );
});
