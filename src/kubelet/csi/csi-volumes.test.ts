import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Pod } from '../../api/api.ts';
import { attachmentName } from './csi-volume.ts';
import { CsiTestNode, driverName, podOf, volumeOf } from './test-node.ts';

let node: CsiTestNode;
beforeEach(async () => {
  node = await new CsiTestNode().start();
});
afterEach(() => node.stop());

const inlinePod = (uid: string): Pod =>
  podOf(uid, {
    volumes: [{ name: 'data', csi: { driver: driverName, volumeAttributes: { a: 'b' } } }],
  } as Partial<Pod['spec']>);
const fail = (code: grpc.status, details: string) => ({ code, details });

describe('a volume with a file system', () => {
  test('is staged for the node and published for the pod', async () => {
    const mounted = await node.setUp(podOf('u'), volumeOf({ mountOptions: ['noatime'] }));
    const target = node.paths.target('u', 'pv');
    expect(mounted).toEqual(new Map([['data', { path: target, readOnly: false }]]));
    expect(readFileSync(path.join(target, 'volume'), 'utf8')).toBe(driverName);
    expect(node.driver.names()).toEqual(['NodeGetInfo', 'NodeStageVolume', 'NodePublishVolume']);
    const capability = {
      mount: { fsType: 'ext4', mountFlags: ['noatime'], volumeMountGroup: '' },
      accessMode: { mode: 'SINGLE_NODE_WRITER' },
    };
    expect(node.request('NodeStageVolume')).toMatchObject({
      volumeId: 'handle',
      stagingTargetPath: node.paths.staging({ driver: driverName, handle: 'handle' }),
      volumeContext: { size: 'small' },
      volumeCapability: capability,
    });
    expect(node.request('NodePublishVolume')).toMatchObject({
      targetPath: target,
      stagingTargetPath: node.paths.staging({ driver: driverName, handle: 'handle' }),
      readonly: false,
      volumeCapability: capability,
    });
    expect(JSON.parse(readFileSync(path.join(target, '..', 'vol_data.json'), 'utf8'))).toEqual({
      attachmentID: expect.stringMatching(/^csi-[0-9a-f]{64}$/),
      driverName,
      nodeName: 'n',
      specVolID: 'pv',
      volumeHandle: 'handle',
      volumeLifecycleMode: 'Persistent',
    });
  });

  test('of a driver that does not stage is published only', async () => {
    node.driver.capabilities.clear();
    await node.setUp(podOf('u'));
    expect(node.request('NodePublishVolume')).toMatchObject({ stagingTargetPath: '' });
    expect(node.driver.names()).toEqual(['NodeGetInfo', 'NodePublishVolume']);
  });

  test('is staged once for two pods, and unstaged after the last', async () => {
    await node.setUp(podOf('u'));
    await node.setUp(podOf('v'));
    await node.passing(node.volumes.tearDown('u'));
    expect(node.driver.names().slice(1)).toEqual([
      ...['NodeStageVolume', 'NodePublishVolume', 'NodePublishVolume', 'NodeUnpublishVolume'],
    ]);
    await node.passing(node.volumes.tearDown('v'));
    await node.eventually(() => expect(node.driver.names().at(-1)).toBe('NodeUnstageVolume'));
    const directory = node.paths.stagingDirectory({ driver: driverName, handle: 'handle' });
    await node.eventually(() => expect(existsSync(directory)).toBe(false));
    expect(existsSync(node.paths.podVolume('u', 'pv'))).toBe(false);
  });

  test('is mounted once, however often it is set up', async () => {
    await node.setUp(podOf('u'));
    await node.setUp(podOf('u'));
    expect(node.driver.names()).toHaveLength(3);
  });

  test.each([
    ['ReadWriteOnce', 'SINGLE_NODE_MULTI_WRITER'],
    ['ReadWriteOncePod', 'SINGLE_NODE_SINGLE_WRITER'],
    ['ReadOnlyMany', 'MULTI_NODE_READER_ONLY'],
    ['ReadWriteMany', 'MULTI_NODE_MULTI_WRITER'],
  ])('%s is %s for a driver that has all modes', async (accessMode, mode) => {
    node.driver.capabilities.add('SINGLE_NODE_MULTI_WRITER');
    await node.setUp(podOf('u'), volumeOf({ accessModes: [accessMode] } as never));
    expect(node.request('NodePublishVolume').volumeCapability.accessMode).toEqual({ mode });
  });

  test('has its secrets, and those of its class stay apart', async () => {
    node.secrets.set('s/stage', { user: 'a' }).set('s/publish', { password: 'b' });
    const csi = {
      ...volumeOf().spec?.csi,
      nodeStageSecretRef: { name: 'stage', namespace: 's' },
      nodePublishSecretRef: { name: 'publish', namespace: 's' },
    };
    await node.setUp(podOf('u'), volumeOf({ csi } as never), { readOnly: true });
    expect(node.request('NodeStageVolume').secrets).toEqual({ user: 'a' });
    expect(node.request('NodePublishVolume')).toMatchObject({ secrets: { password: 'b' }, readonly: true });
  });

  test('waits for a secret that is missing', async () => {
    const csi = { ...volumeOf().spec?.csi, nodeStageSecretRef: { name: 'stage', namespace: 's' } };
    const mounted = node.setUp(podOf('u'), volumeOf({ csi } as never));
    await node.eventually(() =>
      expect(node.events[0]).toContain(
        'pod-u Warning FailedMount: MountVolume.MountDevice failed for volume "pv" : fetching NodeStageSecretRef s/stage failed:',
      ),
    );
    node.secrets.set('s/stage', {});
    await mounted;
  });
});

describe('the facts that a driver may request', () => {
  test('the pod', async () => {
    node.object = { attachRequired: false, podInfoOnMount: true };
    await node.setUp(podOf('u'));
    expect(node.request('NodePublishVolume').volumeContext).toEqual({
      size: 'small',
      'csi.storage.k8s.io/pod.name': 'pod-u',
      'csi.storage.k8s.io/pod.namespace': 'default',
      'csi.storage.k8s.io/pod.uid': 'u',
      'csi.storage.k8s.io/serviceAccount.name': 'account',
      'csi.storage.k8s.io/ephemeral': 'false',
    });
  });

  test.each([
    [undefined, 'volumeContext', 'secrets'],
    [true, 'secrets', 'volumeContext'],
  ] as const)('tokens, serviceAccountTokenInSecrets: %s', async (inSecrets, has, hasNot) => {
    const tokenRequests = [{ audience: 'vault', expirationSeconds: 600 }, { audience: '' }];
    node.object = { tokenRequests, attachRequired: false, serviceAccountTokenInSecrets: inSecrets };
    await node.setUp(podOf('u'));
    const key = 'csi.storage.k8s.io/serviceAccount.tokens';
    expect(JSON.parse(node.request('NodePublishVolume')[has][key])).toEqual({
      '': { token: 'token for ', expirationTimestamp: '2026-01-01T01:00:00Z' },
      vault: { token: 'token for vault', expirationTimestamp: '2026-01-01T01:00:00Z' },
    });
    expect(node.request('NodePublishVolume')[hasNot]).not.toHaveProperty([key]);
  });

  test('the group, if the driver gives files to it', async () => {
    node.driver.capabilities.add('VOLUME_MOUNT_GROUP');
    await node.setUp(podOf('u', { securityContext: { fsGroup: 1234 } }));
    for (const method of ['NodeStageVolume', 'NodePublishVolume'])
      expect(node.request(method).volumeCapability.mount.volumeMountGroup).toBe('1234');
  });

  test('a volume is published again if the driver requires it, also while the pod runs', async () => {
    node.object = { attachRequired: false, requiresRepublish: true };
    await node.setUp(podOf('u'));
    await node.setUp(podOf('u'));
    await node.eventually(() =>
      expect(node.driver.names().filter((name) => name === 'NodePublishVolume')).toHaveLength(2),
    );
    expect(node.driver.names().filter((name) => name === 'NodeStageVolume')).toHaveLength(1);
  });

  test('a failed second publication leaves the pod its volume', async () => {
    node.object = { attachRequired: false, requiresRepublish: true };
    await node.setUp(podOf('u'));
    node.driver.faults.set('NodePublishVolume', fail(grpc.status.INTERNAL, 'no'));
    expect((await node.setUp(podOf('u'))).get('data')).toBeDefined();
    await node.eventually(() => expect(node.events).toHaveLength(1));
    expect(existsSync(node.paths.target('u', 'pv'))).toBe(true);
  });
});

describe('an inline volume', () => {
  test('is published with a handle of the pod', async () => {
    node.object = { volumeLifecycleModes: ['Ephemeral'], podInfoOnMount: true };
    await node.setUp(inlinePod('u'));
    expect(node.driver.names()).toEqual(['NodeGetInfo', 'NodePublishVolume']);
    expect(node.request('NodePublishVolume')).toMatchObject({
      volumeId: expect.stringMatching(/^csi-[0-9a-f]{64}$/),
      volumeContext: { a: 'b', 'csi.storage.k8s.io/ephemeral': 'true' },
    });
    expect(node.volumes.volumesInUse()).toEqual([]);
    await node.passing(node.volumes.tearDown('u'));
    expect(node.driver.names().at(-1)).toBe('NodeUnpublishVolume');
  });

  test.each([
    ['without an object', undefined, '(no CSIDriver object)'],
    ['for persistent volumes', { volumeLifecycleModes: ['Persistent' as const] }, '(only supports ["Persistent"])'],
  ])('of a driver %s is refused', async (_, object, why) => {
    node.object = object;
    const gone = new AbortController();
    const mounted = node.setUp(inlinePod('u'), undefined, { signal: gone.signal });
    const message = `volume mode "Ephemeral" not supported by driver ${driverName} ${why}`;
    await node.eventually(() =>
      expect(node.events).toContain(
        `pod-u Warning FailedMount: MountVolume.SetUp failed for volume "data" : kubernetes.io/csi: mounter.SetupAt failed to check volume lifecycle mode: ${message}`,
      ),
    );
    gone.abort(new Error('gone'));
    await expect(mounted).rejects.toThrow('gone');
  });
});

describe('attachment', () => {
  beforeEach(() => {
    node.object = { attachRequired: true };
  });

  test('the node reports the volume, then waits for the controller', async () => {
    const mounted = node.setUp(podOf('u'));
    await node.eventually(() =>
      expect(node.node.status?.volumesInUse).toEqual([`kubernetes.io/csi/${driverName}^handle`]),
    );
    expect(node.driver.names()).toEqual(['NodeGetInfo']);
    await node.attach({ path: '/dev/sdb' });
    await mounted;
    for (const method of ['NodeStageVolume', 'NodePublishVolume'])
      expect(node.request(method).publishContext).toEqual({ path: '/dev/sdb' });
  });

  test('a wait that takes too long is an event', async () => {
    await expect(node.setUp(podOf('u'))).rejects.toThrow(
      'Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[data], failed to process volumes=[]: context deadline exceeded',
    );
  });

  test('a node without a place for the volume rejects the pod, and updates its limit', async () => {
    node.object = { attachRequired: true, nodeAllocatableUpdatePeriodSeconds: 10 };
    node.driver.info = { nodeId: 'node-id', maxVolumesPerNode: 5 };
    await node.client.create('volumeattachments', {
      metadata: { name: attachmentName({ driver: driverName, handle: 'handle' }, 'n') },
      status: { attached: false, attachError: { message: 'full', errorCode: 8 } },
    } as never);
    await expect(node.setUp(podOf('u'))).rejects.toThrow(
      'Node has reached its volume attachment limit, rejecting pod. unmounted volumes=[data], unattached volumes=[data], failed to process volumes=[]: context deadline exceeded',
    );
    const { spec } = await node.client.get('csinodes', { name: 'n' });
    expect(spec.drivers?.[0].allocatable).toEqual({ count: 5 });
  });

  test('the volume is in use until it is unstaged', async () => {
    await node.attach();
    await node.setUp(podOf('u'));
    node.driver.faults.set('NodeUnstageVolume', fail(grpc.status.INTERNAL, 'busy'));
    await node.passing(node.volumes.tearDown('u'));
    await node.eventually(() => expect(node.driver.names().at(-1)).toBe('NodeUnstageVolume'));
    expect(node.volumes.volumesInUse()).toHaveLength(1);
    node.driver.faults.clear();
    await node.eventually(() => expect(node.node.status?.volumesInUse).toEqual([]));
  });

  test('a pod that is deleted before the attachment leaves nothing', async () => {
    const gone = new AbortController();
    const mounted = node.setUp(podOf('u'), volumeOf(), { signal: gone.signal });
    await node.eventually(() => expect(node.node.status?.volumesInUse).toHaveLength(1));
    gone.abort(new Error('gone'));
    await expect(mounted).rejects.toThrow('gone');
    await node.passing(node.volumes.tearDown('u'));
    expect(node.driver.names()).toEqual(['NodeGetInfo']);
    await node.eventually(() => expect(node.node.status?.volumesInUse).toEqual([]));
  });
});

describe('usage', () => {
  test('of a volume is that of its driver', async () => {
    node.driver.capabilities.add('GET_VOLUME_STATS');
    await node.setUp(podOf('u'));
    await node.eventually(() => expect(node.volumes.stats.summary(podOf('u'))).toHaveLength(1));
    expect(node.volumes.stats.summary(podOf('u'))[0]).toMatchObject({
      ...{ name: 'data', pvcRef: { name: 'claim', namespace: 'default' } },
      ...{ capacityBytes: 100, availableBytes: 60, usedBytes: 40, inodes: 0 },
    });
    expect(node.request('NodeGetVolumeStats')).toMatchObject({ volumePath: node.paths.target('u', 'pv') });
    expect(node.volumes.stats.metricsText()).toContain(
      'kubelet_volume_stats_used_bytes{namespace="default",persistentvolumeclaim="claim"} 40',
    );
    await node.passing(node.volumes.tearDown('u'));
    expect(node.volumes.stats.metricsText()).toBe('');
  });

  test('is missing where the driver does not measure, or hangs', async () => {
    await node.setUp(podOf('u'));
    node.driver.capabilities.add('GET_VOLUME_STATS');
    node.driver.faults.set('NodeGetVolumeStats', 'hang');
    await node.setUp(podOf('v'));
    await node.eventually(() => expect(node.driver.names().at(-1)).toBe('NodeGetVolumeStats'));
    expect(node.volumes.stats.summary(podOf('v'))).toEqual([]);
    await node.passing(node.volumes.tearDown('v'));
  });
});
