// Pods with claims, through the whole of scheduler, binder and simulated nodes.

import { afterEach, expect, test } from 'vitest';
import { startCluster, type TestCluster } from '../testing/testing.ts';

let cluster: TestCluster;
afterEach(() => cluster?.stop());

const at = (name: string) => ({ namespace: 'default', name });
const storageClass = (name: string, provisioner: string) =>
  cluster.client.create('storageclasses', {
    metadata: { name },
    provisioner,
    volumeBindingMode: 'WaitForFirstConsumer',
  } as any);
const claim = (name: string, storageClassName: string, spec: object = {}) =>
  cluster.client.create('persistentvolumeclaims', {
    metadata: at(name),
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, storageClassName, ...spec },
  } as any);
const localVolume = (name: string, node: string) =>
  cluster.client.create('persistentvolumes', {
    metadata: { name },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'by-hand',
      local: { path: '/disk' },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] },
          ],
        },
      },
    },
  } as any);
const makePod = (name: string, claims: readonly string[], cpu = '1') =>
  cluster.client.create('pods', {
    metadata: at(name),
    spec: {
      containers: [{ name: 'c', image: 'i', resources: { requests: { cpu } } }],
      volumes: claims.map((claimName, i) => ({ name: `v${i}`, persistentVolumeClaim: { claimName } })),
    },
  } as any);
const pod = (name: string) => cluster.client.get('pods', at(name));
const runs = async (name: string) => (await pod(name)).status?.phase === 'Running';
const scheduled = async (name: string) =>
  (await pod(name)).status?.conditions?.find(({ type }) => type === 'PodScheduled');
const annotate = (name: string, annotations: object) =>
  cluster.client.patch('persistentvolumeclaims', at(name), { type: 'merge', body: { metadata: { annotations } } });
const selectedNode = 'volume.kubernetes.io/selected-node';
const claimOf = (name: string) => cluster.client.get('persistentvolumeclaims', at(name));

test('pods take free volumes of their nodes, one each, and a pod without one waits for a new one', async () => {
  cluster = await startCluster({ nodes: 3 });
  await storageClass('by-hand', 'kubernetes.io/no-provisioner');
  await localVolume('first', 'node-2');
  await localVolume('second', 'node-3');
  for (const name of ['a', 'b', 'c']) {
    await claim(name, 'by-hand');
    await makePod(name, [name]);
  }
  const running = async () => (await Promise.all(['a', 'b', 'c'].map(runs))).filter(Boolean).length;
  await cluster.until(async () => (await running()) === 2);
  await cluster.advance(30_000);
  const [waiting] = (await cluster.client.list('pods')).items.filter(({ status }) => status?.phase === 'Pending');
  expect((await scheduled(waiting.metadata.name))?.message).toContain(
    "3 node(s) didn't find available persistent volumes to bind",
  );
  await localVolume('third', 'node-1');
  await cluster.until(() => runs(waiting.metadata.name));
  const { items } = await cluster.client.list('persistentvolumes');
  for (const { spec, status } of items) {
    const user = await pod(spec?.claimRef?.name as string);
    expect(status?.phase).toBe('Bound');
    expect(spec?.nodeAffinity?.required?.nodeSelectorTerms[0].matchExpressions?.[0].values).toEqual([
      user.spec.nodeName,
    ]);
  }
});

test('a pod waits ten minutes for its provisioner, then it is tried again', async () => {
  cluster = await startCluster({ nodes: 2 });
  await storageClass('slow', 'example.com/none');
  await claim('data', 'slow');
  await makePod('user', ['data']);
  await cluster.until(async () => (await claimOf('data')).metadata.annotations?.[selectedNode] !== undefined);
  await cluster.until(async () => (await scheduled('user'))?.reason === 'SchedulerError', 620_000);
  expect((await scheduled('user'))?.message).toBe(
    'running PreBind plugin "VolumeBinding": binding volumes: context deadline exceeded',
  );
});

test('a provisioner that gives a node up has the pod scheduled again', async () => {
  cluster = await startCluster({ nodes: 2 });
  await storageClass('slow', 'example.com/none');
  await claim('data', 'slow');
  await makePod('user', ['data']);
  await cluster.until(async () => (await claimOf('data')).metadata.annotations?.[selectedNode] !== undefined);
  await annotate('data', { [selectedNode]: null });
  await cluster.until(async () => (await scheduled('user'))?.reason === 'SchedulerError');
  expect((await scheduled('user'))?.message).toContain('binding volumes: provisioning failed for PVC "data"');
  await cluster.until(async () => (await claimOf('data')).metadata.annotations?.[selectedNode] !== undefined);
});

test('a pod that is deleted while it waits frees its place on the node', async () => {
  cluster = await startCluster({ nodes: 1 });
  await storageClass('slow', 'example.com/none');
  await claim('data', 'slow');
  await makePod('user', ['data'], '20');
  await cluster.until(async () => (await claimOf('data')).metadata.annotations?.[selectedNode] !== undefined);
  await makePod('other', [], '20');
  await cluster.until(async () => (await scheduled('other'))?.reason === 'Unschedulable');
  await cluster.client.delete('pods', at('user'), { gracePeriodSeconds: 0 });
  await cluster.until(() => runs('other'));
});

test('hundreds of pods that wait for a provisioner do not hold up others', async () => {
  cluster = await startCluster({ nodes: 5 });
  await storageClass('slow', 'example.com/none');
  for (let i = 0; i < 300; i++) {
    await claim(`data-${i}`, 'slow');
    await makePod(`user-${i}`, [`data-${i}`], '10m');
  }
  await cluster.advance(5_000);
  await makePod('other', [], '10m');
  expect(await cluster.until(() => runs('other'))).toBeLessThan(3_000);
});

test('only one pod at a time uses a claim with ReadWriteOncePod', async () => {
  cluster = await startCluster({ nodes: 2 });
  await claim('data', 'standard', { accessModes: ['ReadWriteOncePod'] });
  await makePod('first', ['data']);
  await cluster.until(() => runs('first'));
  await makePod('second', ['data']);
  await cluster.until(async () => (await scheduled('second'))?.reason === 'Unschedulable');
  expect((await scheduled('second'))?.message).toMatch(/ReadWriteOncePod access mode already in-use by another pod/);
  await cluster.client.delete('pods', at('first'), { gracePeriodSeconds: 0 });
  await cluster.until(() => runs('second'));
});
