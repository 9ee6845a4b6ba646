import { afterEach, beforeEach, expect, test } from 'vitest';
import { at, startTestCluster, type TestCluster } from '../shared/test-cluster.ts';

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await startTestCluster();
});
afterEach(() => cluster.stop());

const settle = (ms = 1_000) => cluster.clock.advance(ms);
const makeClaim = (name: string, spec: object = {}) =>
  cluster.client.create('persistentvolumeclaims', {
    metadata: at(name),
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
  } as any);
const makeVolume = (name: string, spec: object = {}) =>
  cluster.client.create('persistentvolumes', {
    metadata: { name },
    spec: { capacity: { storage: '5Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/d' }, ...spec },
  } as any);
const claim = (name: string) => cluster.client.get('persistentvolumeclaims', at(name));
const volume = (name: string) => cluster.client.get('persistentvolumes', { name });
const deleteClaim = (name: string) => cluster.client.delete('persistentvolumeclaims', at(name));
const eventsOf = async (name: string) => {
  await settle();
  const { items } = await cluster.client.list('events');
  return items.filter(({ regarding, involvedObject }: any) => (regarding ?? involvedObject)?.name === name) as any[];
};

test('a claim and a volume are bound to each other, in any order', async () => {
  await makeVolume('first');
  await settle();
  await makeClaim('a');
  await makeClaim('b');
  await settle();
  await makeVolume('second');
  await settle();
  expect(await claim('a')).toMatchObject({
    metadata: {
      annotations: { 'pv.kubernetes.io/bind-completed': 'yes', 'pv.kubernetes.io/bound-by-controller': 'yes' },
    },
    spec: { volumeName: 'first' },
    status: { phase: 'Bound', capacity: { storage: '5Gi' }, accessModes: ['ReadWriteOnce'] },
  });
  const b = await claim('b');
  expect(b).toMatchObject({ spec: { volumeName: 'second' }, status: { phase: 'Bound' } });
  expect(await volume('second')).toMatchObject({
    metadata: { annotations: { 'pv.kubernetes.io/bound-by-controller': 'yes' } },
    spec: {
      claimRef: { kind: 'PersistentVolumeClaim', apiVersion: 'v1', ...at('b'), uid: b.metadata.uid },
    },
    status: { phase: 'Bound' },
  });
});

test('a hundred claims share a hundred volumes, one each', async () => {
  for (let i = 0; i < 100; i++) {
    await makeVolume(`v-${i}`);
    await makeClaim(`c-${i}`);
  }
  await settle(30_000);
  const { items } = await cluster.client.list('persistentvolumeclaims');
  expect(new Set(items.map(({ spec }) => spec.volumeName)).size).toBe(100);
  expect(items.every(({ status }) => status?.phase === 'Bound')).toBe(true);
});

test('a volume that a user reserved for a claim is bound without the mark of the controller', async () => {
  await makeVolume('kept', { claimRef: at('a') });
  await settle();
  expect((await volume('kept')).status?.phase).toBe('Available');
  await makeClaim('a');
  await settle();
  const { metadata, spec } = await volume('kept');
  expect(metadata.annotations).toBeUndefined();
  expect(spec?.claimRef?.uid).toBe((await claim('a')).metadata.uid);
});

test('a deleted claim releases its volume, which is retained, and a new claim of its name does not get it', async () => {
  await makeVolume('v');
  await makeClaim('a');
  await settle();
  await deleteClaim('a');
  await settle();
  expect((await volume('v')).status?.phase).toBe('Released');
  await makeClaim('a');
  await settle();
  expect((await claim('a')).status?.phase).toBe('Pending');
  // The administrator clears the reference: the volume is free again.
  await cluster.client.patch('persistentvolumes', { name: 'v' }, { type: 'merge', body: { spec: { claimRef: null } } });
  await settle();
  expect((await claim('a')).status?.phase).toBe('Bound');
});

test('a volume that cannot be deleted or recycled fails, and says why', async () => {
  await makeVolume('gone', { persistentVolumeReclaimPolicy: 'Delete' });
  await makeClaim('a');
  await settle();
  await deleteClaim('a');
  await settle();
  const message = 'error getting deleter volume plugin for volume "gone": no deletable volume plugin matched';
  expect((await volume('gone')).status).toMatchObject({ phase: 'Failed', message });
  expect(await eventsOf('gone')).toMatchObject([{ type: 'Warning', reason: 'VolumeFailedDelete', message }]);
});

test('a claim loses the volume that is deleted under it', async () => {
  await makeVolume('v');
  await makeClaim('a');
  await settle();
  const { metadata, ...object } = await volume('v');
  await cluster.client.update('persistentvolumes', { ...object, metadata: { ...metadata, finalizers: [] } } as any);
  await cluster.client.delete('persistentvolumes', { name: 'v' });
  await cluster.client.patch(
    'persistentvolumes',
    { name: 'v' },
    { type: 'merge', body: { metadata: { finalizers: null } } },
  );
  await settle();
  expect((await claim('a')).status).toEqual({ phase: 'Lost' });
  expect(await eventsOf('a')).toContainEqual(expect.objectContaining({ type: 'Warning', reason: 'ClaimLost' }));
});

test('a claim without a class gets the default class that comes later, and its provisioner is called', async () => {
  await makeClaim('a');
  await settle();
  expect(await eventsOf('a')).toMatchObject([{ type: 'Normal', reason: 'FailedBinding' }]);
  await cluster.client.create('storageclasses', {
    metadata: { name: 'disk', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
    provisioner: 'example.com/disk',
  } as any);
  await settle();
  const { metadata, spec, status } = await claim('a');
  expect(spec.storageClassName).toBe('disk');
  expect(metadata.annotations).toEqual({
    'volume.beta.kubernetes.io/storage-provisioner': 'example.com/disk',
    'volume.kubernetes.io/storage-provisioner': 'example.com/disk',
  });
  expect(status?.phase).toBe('Pending');
  expect(await eventsOf('a')).toContainEqual(
    expect.objectContaining({
      reason: 'ExternalProvisioning',
      message: expect.stringContaining("either by the external provisioner 'example.com/disk' or manually"),
    }),
  );
});

test('a claim that is to grow waits for an external controller', async () => {
  await makeVolume('v', { storageClassName: 'disk' });
  await cluster.client.create('storageclasses', {
    metadata: { name: 'disk' },
    provisioner: 'example.com/disk',
    allowVolumeExpansion: true,
  } as any);
  await makeClaim('a', { storageClassName: 'disk' });
  await settle();
  const body = { spec: { resources: { requests: { storage: '8Gi' } } } };
  await cluster.client.patch('persistentvolumeclaims', at('a'), { type: 'merge', body });
  expect(await eventsOf('a')).toContainEqual(
    expect.objectContaining({
      reason: 'ExternalExpanding',
      message: 'waiting for an external controller to expand this PVC',
    }),
  );
});
