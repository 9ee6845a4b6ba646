import { createServer } from 'node:net';
import * as grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { driverName, eventually, podOf, TestClaims } from './test-claims.ts';

let node: TestClaims;
beforeEach(async () => {
  node = new TestClaims();
  await node.boot();
});
afterEach(() => node.dispose());

describe('a driver', () => {
  const uid = 'claim-a';
  test.each<[string, grpc.status | object, string]>([
    ['that fails', grpc.status.INTERNAL, 'NodePrepareResources: rpc error: code = Internal desc = broken'],
    [
      'that refuses a claim',
      { claims: { [uid]: { error: 'no' } } },
      'NodePrepareResources failed for ResourceClaim a: no',
    ],
    [
      'that answers for another claim',
      { claims: { x: {} } },
      'NodePrepareResources returned result for unknown claim UID x',
    ],
    ['that answers nothing', {}, 'NodePrepareResources skipped 1 ResourceClaims'],
  ])('%s has its error reported, and gets a call to undo it', async (_, fault, why) => {
    const driver = await node.startDriver();
    await node.claim('a');
    driver.faults.set(
      'NodePrepareResources',
      typeof fault === 'number' ? { code: fault, details: 'broken' } : { answer: fault as never },
    );
    await expect(node.prepare(podOf('u', ['a']))).rejects.toThrow(`prepare dynamic resources: ${why}`);
    await node.resources.unprepare('u');
    expect(driver.calls).toEqual(['prepare a', 'unprepare a']);
  });

  test('that hangs delays neither the pods of other claims nor the deletion of its pod', async () => {
    const driver = await node.startDriver();
    const other = await node.startDriver({ name: 'second.dra' });
    await node.claim('a');
    await node.claim('b', { users: ['v'], drivers: ['second.dra'] });
    driver.faults.set('NodePrepareResources', 'hang');
    const deleted = new AbortController();
    const hanging = node.prepare(podOf('u', ['a']), deleted.signal);
    await eventually(() => expect(driver.calls).toEqual(['prepare a']));
    await node.prepare(podOf('v', ['b']));
    expect(other.calls).toEqual(['prepare b']);
    deleted.abort();
    await expect(hanging).rejects.toThrow();
    await node.resources.unprepare('u');
    expect(driver.calls).toEqual(['prepare a', 'unprepare a']);
  });

  test('that dies during a call has that reported, and another one frees its claims', async () => {
    const driver = await node.startDriver();
    await node.claim('a');
    driver.faults.set('NodePrepareResources', 'hang');
    const hanging = node.prepare(podOf('u', ['a']));
    const failed = expect(hanging).rejects.toThrow(/NodePrepareResources: rpc error: code = (Canceled|Unavailable)/);
    await eventually(() => expect(driver.calls).toEqual(['prepare a']));
    driver.stop();
    await failed;
    await expect(node.resources.unprepare('u')).rejects.toThrow(
      'NodeUnprepareResources: rpc error: code = Unavailable',
    );
    await node.resources.handler.deregister(driverName, node.socketOf(driverName));
    const another = await node.startDriver();
    const freed = node.resources.unprepare('u');
    await node.clock.advance(10_000);
    await freed;
    expect(another.calls).toEqual(['unprepare a']);
  });

  test('that speaks another protocol is an error', async () => {
    const nonsense = createServer((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nno gRPC')).listen(node.socketOf('x'));
    await node.resources.handler.register('x', node.socketOf('x'), ['v1.DRAPlugin']);
    await node.claim('a', { drivers: ['x'] });
    await expect(node.prepare(podOf('u', ['a']))).rejects.toThrow(
      'prepare dynamic resources: NodePrepareResources: rpc error',
    );
    nonsense.close();
  });

  test('that hangs is given up after 45 seconds', async () => {
    const driver = await node.startDriver();
    await node.claim('a');
    driver.faults.set('NodePrepareResources', 'hang');
    const hanging = node.prepare(podOf('u', ['a']));
    const failed = expect(hanging).rejects.toThrow('code = DeadlineExceeded desc = context deadline exceeded');
    await eventually(() => expect(driver.calls).toEqual(['prepare a']));
    await node.clock.advance(44_000);
    expect(driver.calls).toEqual(['prepare a']);
    await node.clock.advance(2_000);
    await failed;
  });

  test('that does not undo gets another call after ten seconds', async () => {
    const driver = await node.startDriver();
    await node.claim('a');
    await node.prepare(podOf('u', ['a']));
    const code = grpc.status.UNAVAILABLE;
    driver.faults.set('NodeUnprepareResources', { code, details: 'busy' });
    await expect(node.resources.unprepare('u')).rejects.toThrow(
      'unprepare dynamic resources: NodeUnprepareResources: rpc error: code = Unavailable desc = busy',
    );
    driver.faults.clear();
    const again = node.resources.unprepare('u');
    await node.clock.advance(9_000);
    expect(driver.calls).toEqual(['prepare a', 'unprepare a']);
    await node.clock.advance(2_000);
    await again;
    expect(driver.calls).toEqual(['prepare a', 'unprepare a', 'unprepare a']);
  });

  test('that registers wakes the pods that wait for it', async () => {
    await node.claim('a');
    await expect(node.prepare(podOf('u', ['a']))).rejects.toThrow('DRA driver test.dra is not registered');
    await node.startDriver();
    await eventually(() => expect(node.woken).toContain('u'));
  });

  test('that is gone loses its slices after 30 seconds; those of all drivers are deleted at the start', async () => {
    await eventually(() => expect(node.wiped).toEqual(['spec.nodeName=n']));
    await node.startDriver();
    await node.clock.advance(1_000);
    await node.resources.handler.deregister(driverName, node.socketOf(driverName));
    await node.clock.advance(28_000);
    expect(node.wiped).toHaveLength(1);
    await node.clock.advance(2_000);
    await eventually(() => expect(node.wiped).toEqual(['spec.nodeName=n', 'spec.nodeName=n,spec.driver=test.dra']));
  });

  test('that dies loses its slices, although it stays registered', async () => {
    const driver = await node.startDriver();
    await node.claim('a');
    await expect(node.prepare(podOf('v', ['a']))).rejects.toThrow('not allowed');
    await eventually(() => expect(node.woken).toContain('v')); // it is connected
    await node.clock.advance(40_000);
    expect(node.wiped).toEqual(['spec.nodeName=n']);
    driver.stop();
    await eventually(async () => {
      await node.clock.advance(10_000);
      expect(node.wiped.at(-1)).toBe('spec.nodeName=n,spec.driver=test.dra');
    });
  });

  test('that comes again keeps its slices', async () => {
    await node.startDriver();
    await node.resources.handler.deregister(driverName, node.socketOf(driverName));
    await node.clock.advance(20_000);
    node.drivers.pop()?.stop();
    await node.claim('a');
    await node.startDriver();
    await node.prepare(podOf('u', ['a']));
    await eventually(async () => {
      await node.clock.advance(20_000);
      expect(node.wiped).toEqual(['spec.nodeName=n']);
    });
  });

  test.each([
    [[], 'empty list of supported gRPC services (aka supported versions)'],
    [
      ['v1alpha3.Node'],
      'none of services supported by the plugin (["v1alpha3.Node"]) are supported by the kubelet (["v1.DRAPlugin" "v1beta1.DRAPlugin"])',
    ],
  ])('with the services %j is refused', (services, why) => {
    expect(() => node.resources.handler.validate('d', '/d.sock', services)).toThrow(
      `invalid supported gRPC versions of DRA driver plugin d at endpoint /d.sock: ${why}`,
    );
  });
});
