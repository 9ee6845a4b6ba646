import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Event, Node, Pod, VolumeAttachment } from '../../../api/api.ts';
import { at, startTestCluster, type TestCluster } from '../../shared/test-cluster.ts';

const driver = 'disk.csi';
let cluster: TestCluster;
beforeEach(async () => {
  cluster = await startTestCluster({ disabled: ['nodelifecycle'] });
  for (const name of ['a', 'b']) await addNode(name);
});
afterEach(() => cluster.stop());

const uniqueName = `kubernetes.io/csi/${driver}^handle`;
const settled = (ms = 1000) => cluster.clock.advance(ms);

async function addNode(name: string, isManaged = true): Promise<void> {
  const annotations = isManaged ? { 'volumes.kubernetes.io/controller-managed-attach-detach': 'true' } : {};
  await cluster.client.create('nodes', {
    metadata: { name, annotations },
    status: { conditions: [{ type: 'Ready', status: 'True' }] },
  } as never);
}

/** The node's kubelet reports these volumes. */
const nodeStatus = (name: string, status: object) =>
  cluster.client.patch('nodes', { name }, { type: 'merge', body: { status } }, { subresource: 'status' });

/** A volume that is bound to the claim `data`. */
async function addVolume(accessMode = 'ReadWriteOnce'): Promise<void> {
  const { client } = cluster;
  const size = { storage: '1Gi' };
  const spec = { accessModes: [accessMode], storageClassName: 'none', volumeName: 'pv', resources: { requests: size } };
  await client.create('persistentvolumeclaims', { metadata: { name: 'data', namespace: 'default' }, spec } as never);
  await client.create('persistentvolumes', {
    metadata: { name: 'pv' },
    spec: {
      ...{ accessModes: [accessMode], capacity: size, storageClassName: 'none' },
      csi: { driver, volumeHandle: 'handle' },
      claimRef: { namespace: 'default', name: 'data' },
    },
  } as never);
  await settled();
}

const addPod = (name: string, nodeName: string, namespace = 'default') =>
  cluster.client.create('pods', {
    metadata: { name, namespace },
    spec: {
      nodeName,
      containers: [{ name: 'c', image: 'i' }],
      volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }],
    },
  } as never);

const removePod = (name: string) => cluster.client.delete('pods', at(name), { gracePeriodSeconds: 0 });

const attachments = async (): Promise<VolumeAttachment[]> => {
  const { items } = await cluster.client.list('volumeattachments');
  return [...items].sort((x, y) => (x.spec.nodeName < y.spec.nodeName ? -1 : 1));
};
const nodesOf = async () => (await attachments()).map(({ spec }) => spec.nodeName);

/** The attacher of the driver answers for a node. */
const answer = async (nodeName: string, status: object) => {
  const found = (await attachments()).find(({ spec }) => spec.nodeName === nodeName);
  const { name } = found!.metadata;
  await cluster.client.patch(
    'volumeattachments',
    { name },
    { type: 'merge', body: { status } },
    { subresource: 'status' },
  );
  await settled();
};
const attached = async (name: string) =>
  ((await cluster.client.get('nodes', { name })) as Node).status?.volumesAttached?.map((each) => each.name) ?? [];

const events = async (): Promise<string[]> => {
  const { items } = await cluster.client.list('events', { namespace: 'default' });
  return (items as Event[])
    .filter(({ reason }) => /Attach/.test(reason ?? ''))
    .map(({ involvedObject, type, reason, message }) => `${involvedObject.name} ${type} ${reason}: ${message}`);
};

test('a volume is attached to the node of its pod, and detached after the pod and its mount', async () => {
  await addVolume();
  await addPod('web', 'a');
  await settled();
  const [attachment] = await attachments();
  expect(attachment).toMatchObject({
    // The SHA-256 of handle, driver and node.
    metadata: { name: 'csi-04c3e81fef9d0df814352c2501ca62928145f1950adbc0a85ac4825f80fb03bf' },
    spec: { attacher: driver, nodeName: 'a', source: { persistentVolumeName: 'pv' } },
  });
  expect(await attached('a')).toEqual([]);
  await nodeStatus('a', { volumesInUse: [uniqueName] });
  await answer('a', { attached: true });
  expect(await attached('a')).toEqual([uniqueName]);
  expect(await events()).toEqual(['web Normal SuccessfulAttachVolume: AttachVolume.Attach succeeded for volume "pv" ']);

  await removePod('web');
  await settled(60_000);
  expect(await nodesOf()).toEqual(['a']);
  await nodeStatus('a', { volumesInUse: null });
  await settled();
  expect(await attached('a')).toEqual([]);
  expect(await nodesOf()).toEqual([]);
});

test('a driver that does not attach has no attachments', async () => {
  await cluster.client.create('csidrivers', { metadata: { name: driver }, spec: { attachRequired: false } });
  await addVolume();
  await addPod('web', 'a');
  await settled();
  expect(await attachments()).toEqual([]);
});

test('a node that attaches its volumes itself is left alone', async () => {
  await addNode('c', false);
  await addVolume();
  await addPod('web', 'c');
  await settled();
  expect(await attachments()).toEqual([]);
});

test("an attachment that a user made is not the controller's", async () => {
  await addVolume();
  const source = { persistentVolumeName: 'pv' };
  await cluster.client.create('volumeattachments', {
    metadata: { name: 'mine' },
    spec: { attacher: driver, nodeName: 'a', source },
  });
  await settled(400_000);
  expect(await nodesOf()).toEqual(['a']);
});

test('a completed pod needs its volume no longer', async () => {
  await addVolume();
  const pod = await addPod('web', 'a');
  await settled();
  await answer('a', { attached: true });
  const status = { phase: 'Succeeded' };
  await cluster.client.update('pods', { ...(pod as Pod), status } as Pod, { subresource: 'status' });
  await settled();
  expect(await nodesOf()).toEqual([]);
});

describe('a second node', () => {
  test('waits for the first one, with an event', async () => {
    await addVolume();
    await addPod('one', 'a');
    await settled();
    await answer('a', { attached: true });
    await addPod('two', 'b');
    await settled();
    expect(await nodesOf()).toEqual(['a']);
    expect(await events()).toContain(
      'two Warning FailedAttachVolume: Multi-Attach error for volume "pv" Volume is already used by pod(s) one',
    );
    await removePod('one');
    await settled();
    expect(await nodesOf()).toEqual(['b']);
  });

  test('has a volume for many nodes too', async () => {
    await addVolume('ReadWriteMany');
    await addPod('one', 'a');
    await addPod('two', 'b');
    await settled();
    expect(await nodesOf()).toEqual(['a', 'b']);
  });

  test('waits while the first one unmounts', async () => {
    await addVolume();
    await addPod('one', 'a');
    await settled();
    await answer('a', { attached: true });
    await nodeStatus('a', { volumesInUse: [uniqueName] });
    await removePod('one');
    await addPod('two', 'b');
    await settled();
    expect(await events()).toContain(
      `two Warning FailedAttachVolume: Multi-Attach error for volume "pv" Volume is already exclusively attached to one node and can't be attached to another`,
    );
    await nodeStatus('a', { volumesInUse: null });
    await settled();
    expect(await nodesOf()).toEqual(['b']);
  });
});

describe('failures', () => {
  test('an error of the attacher is an event, again after a growing delay', async () => {
    await addVolume();
    await addPod('web', 'a');
    await settled();
    await answer('a', { attachError: { message: 'no slot', time: '2026-01-01T00:00:00Z' } });
    await settled(10_000);
    expect(await events()).toEqual([
      'web Warning FailedAttachVolume: AttachVolume.Attach failed for volume "pv" : no slot',
    ]);
    await answer('a', { attached: true, attachError: null });
    expect(await attached('a')).toEqual([uniqueName]);
  });

  test('an attacher that does not answer is an event after two minutes', async () => {
    await addVolume();
    await addPod('web', 'a');
    await settled(119_000);
    expect(await events()).toEqual([]);
    await settled(2_000);
    expect(await events()).toEqual([
      `web Warning FailedAttachVolume: AttachVolume.Attach failed for volume "pv" : timed out waiting for external-attacher of ${driver} CSI driver to attach volume handle`,
    ]);
  });

  /** The node uses the volume, and its pod is gone. */
  async function leftBehind(): Promise<void> {
    await addVolume();
    await addPod('web', 'a');
    await settled();
    await nodeStatus('a', { volumesInUse: [uniqueName] });
    await answer('a', { attached: true });
    await removePod('web');
    await settled();
  }
  const notReady = { conditions: [{ type: 'Ready', status: 'Unknown' }] };

  test('a node that is not healthy loses its volumes after six minutes', async () => {
    await leftBehind();
    await nodeStatus('a', notReady);
    await settled(5 * 60_000);
    expect(await nodesOf()).toEqual(['a']);
    await settled(2 * 60_000);
    expect(await nodesOf()).toEqual([]);
    expect(cluster.context.metrics.text()).toContain('attachdetach_controller_forced_detaches{reason="timeout"} 1');
  });

  test('a healthy node keeps a mounted volume', async () => {
    await leftBehind();
    await settled(20 * 60_000);
    expect(await nodesOf()).toEqual(['a']);
  });

  test('a node that is out of service loses its volumes at once', async () => {
    await leftBehind();
    const taints = [{ key: 'node.kubernetes.io/out-of-service', effect: 'NoExecute' }];
    await cluster.client.patch('nodes', { name: 'a' }, { type: 'merge', body: { spec: { taints } } });
    await settled();
    expect(await nodesOf()).toEqual([]);
  });

  test('a node that is deleted loses its volumes after six minutes', async () => {
    await leftBehind();
    await cluster.client.delete('nodes', { name: 'a' });
    await settled(60_000);
    expect(await nodesOf()).toEqual(['a']);
    await settled(6 * 60_000);
    expect(await nodesOf()).toEqual([]);
  });
});
