import { afterEach, expect, test } from 'vitest';
import { startCluster, type TestCluster } from '../../testing/testing.ts';

let cluster: TestCluster;
afterEach(() => cluster?.stop());

const claimSpec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
const namespace = 'default';

async function start(): Promise<void> {
  cluster = await startCluster({ nodes: 1 });
  await cluster.client.create('persistentvolumeclaims', {
    metadata: { name: 'data', namespace },
    spec: claimSpec,
  } as any);
}
const exists = (resource: 'persistentvolumeclaims' | 'persistentvolumes', name: string) =>
  cluster.client.list(resource).then(({ items }) => items.some((item) => item.metadata.name === name));

test('an unused claim is deleted at once', async () => {
  await start();
  const claim = await cluster.client.get('persistentvolumeclaims', { name: 'data', namespace });
  expect(claim.metadata.finalizers).toEqual(['kubernetes.io/pvc-protection']);
  await cluster.client.delete('persistentvolumeclaims', { name: 'data', namespace });
  await cluster.until(async () => !(await exists('persistentvolumeclaims', 'data')));
});

test('a claim that a pod uses waits for the pod', async () => {
  await start();
  const volumes = [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }];
  const spec = {
    nodeName: 'node-1',
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'c', image: 'i' }],
    volumes,
  };
  await cluster.client.create('pods', { metadata: { name: 'user', namespace }, spec } as any);
  await cluster.client.delete('persistentvolumeclaims', { name: 'data', namespace });
  await cluster.advance(30_000);
  expect(await exists('persistentvolumeclaims', 'data')).toBe(true);
  await cluster.client.delete('pods', { name: 'user', namespace }, { gracePeriodSeconds: 0 });
  await cluster.until(async () => !(await exists('persistentvolumeclaims', 'data')));
});

test('a volume that is bound stays until its claim is gone', async () => {
  await start();
  const { client } = cluster;
  const spec = { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/d' } };
  await client.create('persistentvolumes', {
    metadata: { name: 'disk' },
    spec: { ...spec, claimRef: { name: 'data', namespace } },
  } as any);
  const phase = async () => (await client.get('persistentvolumes', { name: 'disk' })).status?.phase;
  await cluster.until(async () => (await phase()) === 'Bound');
  await client.delete('persistentvolumes', { name: 'disk' });
  await cluster.advance(10_000);
  expect(await exists('persistentvolumes', 'disk')).toBe(true);
  await client.delete('persistentvolumeclaims', { name: 'data', namespace });
  await cluster.until(async () => !(await exists('persistentvolumes', 'disk')));
});

test('a class of attributes stays while a claim or a volume uses it', async () => {
  cluster = await startCluster({ nodes: 1 });
  const { client } = cluster;
  const name = 'fast';
  const names = async () =>
    (await client.list('volumeattributesclasses')).items.map(({ metadata }) => [metadata.name, metadata.finalizers]);
  await client.create('volumeattributesclasses', {
    metadata: { name },
    driverName: 'd',
    parameters: { a: 'b' },
  } as any);
  await cluster.until(async () => (await names())[0][1] !== undefined);
  expect(await names()).toEqual([[name, ['kubernetes.io/vac-protection']]]);
  const spec = { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], volumeAttributesClassName: name };
  const csi = { driver: 'd', volumeHandle: 'h' };
  await client.create('persistentvolumes', { metadata: { name: 'disk' }, spec: { ...spec, csi } } as any);
  await client.create('persistentvolumeclaims', {
    metadata: { name: 'data', namespace },
    spec: { ...claimSpec, storageClassName: 'none', volumeAttributesClassName: name },
  } as any);
  await client.delete('volumeattributesclasses', { name });
  await cluster.advance(10_000);
  expect(await names()).toHaveLength(1);
  await client.delete('persistentvolumes', { name: 'disk' });
  await cluster.advance(10_000);
  expect(await names()).toHaveLength(1);
  await client.delete('persistentvolumeclaims', { name: 'data', namespace });
  await cluster.until(async () => (await names()).length === 0);
});
