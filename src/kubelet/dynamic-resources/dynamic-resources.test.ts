import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { container, driverName, eventually, podOf, TestClaims } from './test-claims.ts';

let node: TestClaims;
beforeEach(async () => {
  node = new TestClaims();
  await node.boot();
});
afterEach(() => node.dispose());

describe('a restart', () => {
  test('keeps the devices, and frees claims of pods that are gone', async () => {
    const driver = await node.startDriver();
    await node.claim('a');
    await node.claim('b', { users: ['v'] });
    const pod = podOf('u', ['a']);
    await node.prepare(pod);
    await node.prepare(podOf('v', ['b']));
    await node.end();
    node.active = [pod];
    await node.boot();
    expect(node.cdi(pod)).toEqual(['test.dra/class=a']);
    await node.resources.handler.register(driverName, node.socketOf(driverName), ['v1.DRAPlugin']);
    await eventually(async () => {
      await node.clock.advance(60_000);
      expect(driver.calls).toEqual(['prepare a', 'prepare b', 'unprepare b']);
    });
    expect(node.cdi(pod)).toEqual(['test.dra/class=a']);
  });

  test('with a damaged checkpoint is refused, in the format of Kubernetes', async () => {
    await node.startDriver();
    await node.claim('a');
    await node.prepare(podOf('u', ['a']));
    const file = path.join(node.directory, 'dra_manager_state');
    const { Data: data } = JSON.parse(readFileSync(file, 'utf8'));
    expect(JSON.parse(data)).toEqual({
      ...{ kind: 'DRACheckpoint', apiVersion: 'checkpoint.dra.kubelet.k8s.io/v1' },
      ClaimInfoStateList: [
        {
          ...{ ClaimUID: 'claim-a', ClaimName: 'a', Namespace: 'default', PodUIDs: { u: {} } },
          DriverState: {
            'test.dra': {
              Devices: [
                {
                  ...{ PoolName: 'pool', DeviceName: 'a', ShareID: null },
                  ...{ RequestNames: ['req'], CDIDeviceIDs: ['test.dra/class=a'] },
                },
              ],
            },
          },
        },
      ],
    });
    await node.end();
    for (const text of ['{', '{"Data":"{}","Checksum":1}', 'null']) {
      writeFileSync(file, text);
      await expect(node.boot()).rejects.toThrow('please drain node and remove DRA state file');
    }
  });
});

test('the health of devices is in the status of containers', async () => {
  const driver = await node.startDriver();
  await node.claim('a');
  const pod = podOf('u', ['a'], [container('c', { name: 'a', request: 'req' }), container('none')]);
  await node.prepare(pod);
  const health = () => node.resources.healthOf(pod).get('c');
  const entry = (state: string, message?: string) => [
    {
      name: 'claim:a/req',
      resources: [{ resourceID: 'test.dra/class=a', health: state, ...(message && { message }) }],
    },
  ];
  expect(health()).toEqual(entry('Unknown'));
  driver.report({ a: 'UNHEALTHY' }, { message: 'too hot' });
  await eventually(() => expect(health()).toEqual(entry('Unhealthy', 'too hot')));
  expect(node.woken).toContain('u');
  expect(node.resources.healthOf(pod).has('none')).toBe(false);
  driver.report({ a: 'HEALTHY' }, { healthCheckTimeoutSeconds: 100 });
  await eventually(() => expect(health()).toEqual(entry('Healthy')));
  await node.clock.advance(99_000);
  expect(health()).toEqual(entry('Healthy'));
  await node.clock.advance(2_000);
  expect(health()).toEqual(entry('Unknown'));
});
