import { existsSync } from 'node:fs';
import * as grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Pod } from '../../api/api.ts';
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

describe('faults of drivers', () => {
  test.each([
    ['NodeStageVolume', 'MountVolume.MountDevice failed'],
    ['NodePublishVolume', 'MountVolume.SetUp failed'],
  ])('%s fails, and is repeated', async (method, step) => {
    node.driver.faults.set(method, fail(grpc.status.INTERNAL, 'no disk'));
    const mounted = node.setUp(podOf('u'));
    await node.eventually(() =>
      expect(node.events).toEqual(
        expect.arrayContaining([
          `pod-u Warning FailedMount: ${step} for volume "pv" : rpc error: code = Internal desc = no disk`,
        ]),
      ),
    );
    node.driver.faults.clear();
    await mounted;
  });

  test('a pod waits for a driver that does not exist', async () => {
    await node.restart({ withDriver: false });
    const mounted = node.setUp(podOf('u'));
    await node.eventually(() =>
      expect(node.events[0]).toBe(
        `pod-u Warning FailedMount: MountVolume.MountDevice failed for volume "pv" : kubernetes.io/csi: attacher.MountDevice failed to create newCsiDriverClient: driver name ${driverName} not found in the list of registered CSI drivers`,
      ),
    );
    await node.register();
    await mounted;
  });

  test('a call that hangs delays neither other volumes nor the end of its pod', async () => {
    node.driver.faults.set('NodeStageVolume', 'hang');
    const gone = new AbortController();
    const mounted = node.setUp(podOf('u'), volumeOf(), { signal: gone.signal });
    await node.eventually(() => expect(node.driver.names().at(-1)).toBe('NodeStageVolume'));
    node.object = { attachRequired: false, volumeLifecycleModes: ['Ephemeral', 'Persistent'] };
    await node.setUp(inlinePod('v'));
    gone.abort(new Error('gone'));
    await expect(mounted).rejects.toThrow('gone');
    node.driver.faults.clear();
    // The call's time limit comes first. Its result is unclear, so the volume is unstaged.
    await node.passing(node.volumes.tearDown('u'));
    expect(node.events.at(-1)).toContain('code = DeadlineExceeded desc = context deadline exceeded');
    await node.eventually(() => expect(node.driver.names().at(-1)).toBe('NodeUnstageVolume'));
  });

  test('after an unclear publication, the volume is unpublished with its pod', async () => {
    node.driver.faults.set('NodePublishVolume', fail(grpc.status.ABORTED, 'in progress'));
    const gone = new AbortController();
    const mounted = node.setUp(podOf('u'), volumeOf(), { signal: gone.signal });
    await node.eventually(() => expect(node.events.length).toBeGreaterThan(0));
    gone.abort(new Error('gone'));
    await expect(mounted).rejects.toThrow('gone');
    await node.passing(node.volumes.tearDown('u'));
    expect(node.driver.names()).toContain('NodeUnpublishVolume');
  });

  test('after a clear failure of the publication nothing is unpublished', async () => {
    node.driver.faults.set('NodePublishVolume', fail(grpc.status.INVALID_ARGUMENT, 'no'));
    const gone = new AbortController();
    const mounted = node.setUp(podOf('u'), volumeOf(), { signal: gone.signal });
    await node.eventually(() => expect(node.events.length).toBeGreaterThan(0));
    gone.abort(new Error('gone'));
    await expect(mounted).rejects.toThrow('gone');
    await node.passing(node.volumes.tearDown('u'));
    expect(existsSync(node.paths.podVolume('u', 'pv'))).toBe(false);
    expect(node.driver.names()).not.toContain('NodeUnpublishVolume');
  });

  test('an answer with a huge text is shortened', async () => {
    node.driver.faults.set('NodePublishVolume', fail(grpc.status.INTERNAL, 'x'.repeat(6000)));
    const gone = new AbortController();
    const mounted = node.setUp(podOf('u'), volumeOf(), { signal: gone.signal });
    await node.eventually(() => expect(node.events[0]?.length).toBeLessThan(4500));
    gone.abort(new Error('gone'));
    await expect(mounted).rejects.toThrow('gone');
  });

  test('a pod stays until its volume is unpublished', async () => {
    await node.setUp(podOf('u'));
    node.driver.faults.set('NodeUnpublishVolume', fail(grpc.status.INTERNAL, 'busy'));
    await expect(node.passing(node.volumes.tearDown('u', { once: true }))).rejects.toThrow('busy');
    const ended = node.volumes.tearDown('u');
    await node.clock.advance(5000);
    expect(existsSync(node.paths.target('u', 'pv'))).toBe(true);
    node.driver.faults.clear();
    await node.passing(ended);
    expect(existsSync(node.paths.target('u', 'pv'))).toBe(false);
  });

  test('a volume for one pod is refused to a second one', async () => {
    const one = volumeOf({ accessModes: ['ReadWriteOncePod'] } as never);
    await node.setUp(podOf('u'), one);
    const second = node.setUp(podOf('v'), one);
    await node.eventually(() =>
      expect(node.events[0]).toBe(
        'pod-v Warning FailedMount: MountVolume.SetUp failed for volume "pv" : volume uses the ReadWriteOncePod access mode and is already in use by another pod',
      ),
    );
    await node.volumes.tearDown('u');
    await second;
  });
});

describe('a restart of the kubelet', () => {
  test('its volumes are found, published again, and taken away', async () => {
    node.object = { attachRequired: true };
    await node.attach();
    await node.setUp(podOf('u'));
    await node.restart();
    expect(node.volumes.volumesInUse()).toHaveLength(1);
    const before = node.driver.names().length;
    await node.setUp(podOf('u'));
    await node.eventually(() =>
      expect(node.driver.names().slice(before)).toEqual(['NodeStageVolume', 'NodePublishVolume']),
    );
    await node.passing(node.volumes.tearDown('u'));
    await node.eventually(() => expect(node.driver.names().at(-1)).toBe('NodeUnstageVolume'));
  });

  test('the volume of a pod that is gone is taken away', async () => {
    await node.setUp(podOf('u'));
    await node.restart();
    await node.passing(node.volumes.tearDown('u', { once: true }));
    await node.eventually(() =>
      expect(node.driver.names().slice(-2)).toEqual(['NodeUnpublishVolume', 'NodeUnstageVolume']),
    );
  });

  test('a staged volume without a pod is unstaged once its driver is there', async () => {
    node.driver.faults.set('NodeUnstageVolume', 'hang');
    await node.setUp(podOf('u'));
    await node.passing(node.volumes.tearDown('u'));
    await node.eventually(() => expect(node.driver.names().at(-1)).toBe('NodeUnstageVolume'));
    node.driver.faults.clear();
    await node.restart({ withDriver: false });
    await node.clock.advance(2000);
    const before = node.driver.names().length;
    await node.register();
    await node.eventually(() => expect(node.driver.names().slice(before)).toContain('NodeUnstageVolume'));
  });
});
