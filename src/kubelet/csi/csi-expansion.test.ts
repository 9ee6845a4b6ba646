import * as grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CsiPaths } from './csi-volume.ts';
import { expandedPaths } from './expand-volume.ts';
import { CsiTestNode, claimOf, driverName, podOf, volumeOf } from './test-node.ts';

let node: CsiTestNode;
beforeEach(async () => {
  node = await new CsiTestNode().start();
});
afterEach(() => node.stop());

const fail = (code: grpc.status, details: string) => ({ code, details });

describe('expansion', () => {
  beforeEach(async () => {
    node.driver.capabilities.add('EXPAND_VOLUME');
  });
  const grown = volumeOf({ capacity: { storage: '2Gi' } });
  const pending = (status: string, allocated = '2Gi') =>
    claimOf({
      capacity: { storage: '1Gi' },
      allocatedResources: { storage: allocated },
      allocatedResourceStatuses: { storage: status },
      conditions: [{ type: 'FileSystemResizePending', status: 'True' }],
    } as never);
  const stored = () => node.client.get('persistentvolumeclaims', { namespace: 'default', name: 'claim' });
  const create = async (claim: ReturnType<typeof claimOf>) => node.client.create('persistentvolumeclaims', claim);

  test('of a mounted volume', async () => {
    await node.setUp(podOf('u'));
    const claim = await create(pending('NodeResizePending'));
    await node.setUp(podOf('u'), grown, { claim });
    await node.eventually(() => expect(node.driver.names().at(-1)).toBe('NodeExpandVolume'));
    expect(node.request('NodeExpandVolume')).toMatchObject({
      volumeId: 'handle',
      volumePath: node.paths.target('u', 'pv'),
      stagingTargetPath: node.paths.staging({ driver: driverName, handle: 'handle' }),
      capacityRange: { requiredBytes: 2 * 2 ** 30 },
    });
    const message = 'Normal FileSystemResizeSuccessful: MountVolume.NodeExpandVolume succeeded for volume "pv" n';
    await node.eventually(() => expect(node.events).toEqual([`pod-u ${message}`, `claim ${message}`]));
    expect((await stored()).status).toEqual({
      capacity: { storage: '2Gi' },
      allocatedResources: { storage: '2Gi' },
    });
  });

  test.each([
    [
      false,
      {
        volumePath: '/k/pods/u/volumes/kubernetes.io~csi/pv/mount',
        stagingPath: expect.stringMatching(/globalmount$/),
      },
    ],
    [
      true,
      {
        volumePath: '/k/plugins/kubernetes.io/csi/volumeDevices/publish/pv/u',
        stagingPath: '/k/plugins/kubernetes.io/csi/volumeDevices/staging/pv',
      },
    ],
  ])('of a volume, a device: %s, by the paths where the driver brought it', (isBlock, expected) => {
    const volume = { pod: podOf('u'), specName: 'pv', driver: driverName, handle: 'handle', isBlock };
    expect(expandedPaths(volume, new CsiPaths('/k'))).toEqual(expected);
  });

  test('that failed is repeated with the newest claim', async () => {
    const created = await create(pending('NodeResizePending'));
    const spec = { ...created.spec, resources: { requests: { storage: '2Gi' } } };
    const claim = await node.client.update('persistentvolumeclaims', { ...created, spec });
    node.driver.faults.set('NodeExpandVolume', fail(grpc.status.INTERNAL, 'busy'));
    const first = node.setUp(podOf('u'), grown, { claim });
    await node.eventually(() => expect(node.events.length).toBeGreaterThan(0));
    node.driver.faults.delete('NodeExpandVolume');
    await node.passing(first);
    expect((await stored()).status?.capacity).toEqual({ storage: '2Gi' });
  });

  test('while the volume is mounted, by a resizer that reports no progress', async () => {
    const claim = await create(claimOf());
    await node.setUp(podOf('u'), grown, { claim });
    expect(node.driver.names().at(-1)).toBe('NodeExpandVolume');
    expect((await stored()).status?.capacity).toEqual({ storage: '2Gi' });
  });

  test.each([
    ['INVALID_ARGUMENT', 'NodeResizeInfeasible', ''],
    ['INTERNAL', 'NodeResizeInProgress', ': '],
  ] as const)('that fails with %s is %s', async (code, status, separator) => {
    await node.setUp(podOf('u'));
    node.driver.faults.set('NodeExpandVolume', fail(grpc.status[code], 'too large'));
    const created = await create(pending('NodeResizePending'));
    const spec = { ...created.spec, resources: { requests: { storage: '2Gi' } } };
    const claim = await node.client.update('persistentvolumeclaims', { ...created, spec });
    await node.setUp(podOf('u'), grown, { claim });
    await node.eventually(() => expect(node.events).toHaveLength(1));
    const name = code === 'INTERNAL' ? 'Internal' : 'InvalidArgument';
    const text = `Expander.NodeExpand failed to expand the volume ${separator}rpc error: code = ${name} desc = too large`;
    expect(node.events[0]).toBe(
      `pod-u Warning VolumeResizeFailed: NodeExpandVolume.NodeExpandVolume failed for volume "pv" : ${text}`,
    );
    const found = (await stored()).status;
    expect(found?.allocatedResourceStatuses).toEqual({ storage: status });
    expect(found?.conditions).toContainEqual(
      expect.objectContaining({ type: 'NodeResizeError', message: `failed to expand pvc with ${text}` }),
    );
  });

  test.each([
    ['that the controller works on', pending('ControllerResizeInProgress')],
    ['that has ended', claimOf({ capacity: { storage: '2Gi' } })],
    ['that the node cannot do', pending('NodeResizeInfeasible')],
  ])('%s is not for the node', async (_, claim) => {
    await node.setUp(podOf('u'), grown, { claim: await create(claim) });
    expect(node.driver.names()).not.toContain('NodeExpandVolume');
  });

  test('of a read-only volume is an event', async () => {
    const claim = await create(pending('NodeResizePending'));
    await node.setUp(podOf('u'), grown, { claim, readOnly: true });
    expect(node.events[0]).toBe(
      'pod-u Warning FileSystemResizeFailed: MountVolume.NodeExpandVolume failed for volume "pv" requested read-only file system',
    );
  });
});
