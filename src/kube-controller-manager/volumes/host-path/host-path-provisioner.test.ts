import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startCluster, type TestCluster } from '../../../testing/testing.ts';

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await startCluster({ nodes: 3 });
});
afterEach(() => cluster.stop());

const at = (name: string) => ({ namespace: 'default', name });
const claimSpec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
const makeClaim = (name: string, spec: object = {}) =>
  cluster.client.create('persistentvolumeclaims', { metadata: at(name), spec: { ...claimSpec, ...spec } } as any);
const claim = (name: string) => cluster.client.get('persistentvolumeclaims', at(name));
const volumes = async () => (await cluster.client.list('persistentvolumes')).items;
const podWith = (name: string, volume: object, spec: object = {}) =>
  cluster.client.create('pods', {
    metadata: at(name),
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [{ name: 'c', image: 'i', volumeMounts: [{ name: 'v', mountPath: '/v' }] }],
      volumes: [{ name: 'v', ...volume }],
      ...spec,
    },
  } as any);
const using = (claimName: string) => ({ persistentVolumeClaim: { claimName } });
const pod = (name: string) => cluster.client.get('pods', at(name));
const runs = async (name: string) => (await pod(name)).status?.phase === 'Running';
const reasons = async (name: string) =>
  (await cluster.client.list('events')).items
    .filter(({ involvedObject }: any) => involvedObject.name === name)
    .map(({ reason }) => reason);

test('a claim that names no class waits for its pod, and gets a volume on the node of the pod', async () => {
  await makeClaim('data');
  await cluster.advance(1_000);
  expect(await volumes()).toEqual([]);
  await podWith('user', using('data'));
  await cluster.until(() => runs('user'));
  const { spec } = await pod('user');
  const bound = await claim('data');
  const [volume] = await volumes();
  expect(bound).toMatchObject({
    metadata: { annotations: { 'volume.kubernetes.io/selected-node': spec.nodeName } },
    spec: { storageClassName: 'standard', volumeName: `pvc-${bound.metadata.uid}` },
    status: { phase: 'Bound', capacity: { storage: '1Gi' } },
  });
  expect(volume).toMatchObject({
    metadata: {
      name: `pvc-${bound.metadata.uid}`,
      annotations: { 'pv.kubernetes.io/provisioned-by': 'coracle.local/host-path' },
    },
    spec: {
      persistentVolumeReclaimPolicy: 'Delete',
      storageClassName: 'standard',
      hostPath: { path: `/simulated/volumes/pvc-${bound.metadata.uid}`, type: 'DirectoryOrCreate' },
      nodeAffinity: {
        required: { nodeSelectorTerms: [{ matchExpressions: [{ values: [spec.nodeName] }] }] },
      },
    },
    status: { phase: 'Bound' },
  });
  const seen = await reasons('data');
  for (const reason of ['WaitForFirstConsumer', 'ExternalProvisioning', 'Provisioning', 'ProvisioningSucceeded'])
    expect(seen).toContain(reason);
});

test('the pod starts within a second of virtual time', async () => {
  await makeClaim('data');
  await podWith('user', using('data'));
  expect(await cluster.until(() => runs('user'))).toBeLessThan(1_000);
});

test('pods that share a claim run on one node', async () => {
  await makeClaim('data');
  for (const name of ['a', 'b', 'c']) await podWith(name, using('data'));
  await cluster.until(async () => (await runs('a')) && (await runs('b')) && (await runs('c')));
  const nodes = await Promise.all(['a', 'b', 'c'].map(async (name) => (await pod(name)).spec.nodeName));
  expect(new Set(nodes).size).toBe(1);
});

test('a deleted pod comes back to its volume, and a deleted claim takes the volume with it', async () => {
  await makeClaim('data');
  await podWith('user', using('data'));
  await cluster.until(() => runs('user'));
  const first = (await pod('user')).spec.nodeName;
  await cluster.client.delete('pods', at('user'));
  await cluster.until(async () => !(await pod('user').catch(() => undefined)));
  await podWith('user', using('data'));
  await cluster.until(() => runs('user'));
  expect((await pod('user')).spec.nodeName).toBe(first);
  await cluster.client.delete('pods', at('user'));
  await cluster.client.delete('persistentvolumeclaims', at('data'));
  await cluster.until(async () => (await volumes()).length === 0);
});

test('the claim of an ephemeral volume lives as long as its pod', async () => {
  await podWith('user', { ephemeral: { volumeClaimTemplate: { spec: claimSpec } } });
  await cluster.until(() => runs('user'));
  expect((await claim('user-v')).status?.phase).toBe('Bound');
  await cluster.client.delete('pods', at('user'));
  await cluster.until(async () => (await volumes()).length === 0);
});

test('a set has a claim for each pod, deleted with the set or with fewer replicas as its policy wants', async () => {
  const set = {
    metadata: at('db'),
    spec: {
      serviceName: 'db',
      replicas: 3,
      podManagementPolicy: 'Parallel',
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete', whenScaled: 'Delete' },
      selector: { matchLabels: { app: 'db' } },
      template: {
        metadata: { labels: { app: 'db' } },
        spec: { terminationGracePeriodSeconds: 1, containers: [{ name: 'c', image: 'i' }] },
      },
      volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: claimSpec }],
    },
  };
  await cluster.client.create('statefulsets', set as any);
  const ready = async () => (await cluster.client.get('statefulsets', at('db'))).status?.readyReplicas;
  await cluster.until(async () => (await ready()) === 3);
  expect(await volumes()).toHaveLength(3);
  const body = { spec: { replicas: 1 } };
  await cluster.client.patch('statefulsets', at('db'), { type: 'merge', body });
  await cluster.until(async () => (await volumes()).length === 1);
  expect((await claim('data-db-0')).status?.phase).toBe('Bound');
  await cluster.client.delete('statefulsets', at('db'));
  await cluster.until(async () => (await volumes()).length === 0);
});

test('a claim that asks for more has more, at once', async () => {
  await makeClaim('data');
  await podWith('user', using('data'));
  await cluster.until(() => runs('user'));
  const body = { spec: { resources: { requests: { storage: '3Gi' } } } };
  await cluster.client.patch('persistentvolumeclaims', at('data'), { type: 'merge', body });
  await cluster.until(async () => (await claim('data')).status?.capacity?.['storage'] === '3Gi');
  const [volume] = await volumes();
  expect(volume.spec?.capacity).toEqual({ storage: '3Gi' });
  expect(await reasons('data')).toContain('VolumeResizeSuccessful');
});

test('a claim of an immediate class gets a volume without a pod, and its pod follows', async () => {
  await cluster.client.create('storageclasses', {
    metadata: { name: 'now' },
    provisioner: 'coracle.local/host-path',
  } as any);
  await makeClaim('data', { storageClassName: 'now' });
  await cluster.until(async () => (await claim('data')).status?.phase === 'Bound');
  await podWith('user', using('data'));
  await cluster.until(() => runs('user'));
});

test('a retained volume stays without its finalizer, and can be deleted', async () => {
  await makeClaim('data');
  await podWith('user', using('data'));
  await cluster.until(() => runs('user'));
  const [{ metadata }] = await volumes();
  const body = { spec: { persistentVolumeReclaimPolicy: 'Retain' } };
  await cluster.client.patch('persistentvolumes', { name: metadata.name }, { type: 'merge', body });
  await cluster.client.delete('pods', at('user'));
  await cluster.client.delete('persistentvolumeclaims', at('data'));
  const released = async () => (await volumes())[0]?.status?.phase === 'Released';
  await cluster.until(released);
  await cluster.advance(60_000);
  expect(await released()).toBe(true);
  await cluster.client.delete('persistentvolumes', { name: metadata.name });
  await cluster.until(async () => (await volumes()).length === 0);
});

test('a pod whose node goes before its volume is made is scheduled again', async () => {
  await makeClaim('data', {});
  const annotations = { 'volume.kubernetes.io/selected-node': 'gone' };
  await cluster.client.patch('persistentvolumeclaims', at('data'), {
    type: 'merge',
    body: { metadata: { annotations } },
  });
  await cluster.until(
    async () => (await claim('data')).metadata.annotations?.[Object.keys(annotations)[0]] === undefined,
  );
  expect(await reasons('data')).toContain('ProvisioningFailed');
  await podWith('user', using('data'));
  await cluster.until(() => runs('user'));
});

test('a volume whose node is gone waits for the node, or for the administrator', async () => {
  await makeClaim('data');
  await podWith('user', using('data'));
  await cluster.until(() => runs('user'));
  const node = (await pod('user')).spec.nodeName as string;
  await cluster.node(node).stop();
  await cluster.client.delete('nodes', { name: node });
  await cluster.client.delete('pods', at('user'), { gracePeriodSeconds: 0 });
  await cluster.client.delete('persistentvolumeclaims', at('data'));
  await cluster.until(async () => (await volumes())[0]?.status?.phase === 'Released');
  await cluster.advance(5_000);
  const [{ metadata }] = await volumes();
  expect(await reasons(metadata.name)).toContain('VolumeFailedDelete');
  await cluster.client.delete('persistentvolumes', { name: metadata.name });
  await cluster.until(async () => (await volumes()).length === 0);
});

describe('a claim that asks for more than a directory is refused by name', () => {
  const late = { selectedNode: 'node-1' };
  test.each<[string, object, string]>([
    ['an access mode', { accessModes: ['ReadWriteMany'] }, 'access mode ReadWriteMany is not supported'],
    ['a block device', { volumeMode: 'Block' }, 'volume mode Block is not supported'],
    ['a selector', { selector: { matchLabels: { a: 'b' } } }, 'claim Selector is not supported'],
    ['a source', { dataSource: { kind: 'PersistentVolumeClaim', name: 'other' } }, 'a data source is not supported'],
  ])('%s', async (_, spec, why) => {
    const { client } = cluster;
    await makeClaim('data', spec);
    const body = { metadata: { annotations: { 'volume.kubernetes.io/selected-node': late.selectedNode } } };
    await client.patch('persistentvolumeclaims', at('data'), { type: 'merge', body });
    const failed = async () =>
      (await client.list('events')).items.find(({ reason }) => reason === 'ProvisioningFailed');
    await cluster.until(async () => (await failed()) !== undefined);
    expect((await failed())?.message).toContain(`failed to provision volume with StorageClass "standard": ${why}`);
    expect(await volumes()).toEqual([]);
  });
});
