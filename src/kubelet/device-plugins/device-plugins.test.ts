import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Pod } from '../../api/api.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { RpcClient } from '../plugins/rpc.ts';
import { registrationService } from './device-plugin-proto.ts';
import { DevicePlugins } from './device-plugins.ts';
import { startTestPlugin, type TestPlugin } from './test-plugin.ts';

const resource = 'vendor.com/device';
let directory: string;
let clock: VirtualClock;
let active: Pod[];
let woken: string[];
let devices: DevicePlugins;
let plugin: TestPlugin | undefined;

beforeEach(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'coracle-devices-'));
  clock = new VirtualClock();
  active = [];
  woken = [];
  await restart();
});
afterEach(async () => {
  await devices.stop();
  plugin?.stop();
  plugin = undefined;
  rmSync(directory, { recursive: true });
});

async function restart(): Promise<void> {
  await devices?.stop();
  devices = new DevicePlugins({
    ...{ clock, logger: silentLogger, metrics: new Metrics(), rootDirectory: directory, activePods: () => active },
    reportNode: async () => {},
    healthChanged: (uid) => void woken.push(uid),
  });
  await devices.start();
}

const socketOf = (name: string) => path.join(directory, 'device-plugins', name);
const limits = { timeoutMs: 5000 };

const register = (request: object = {}) =>
  new RpcClient(socketOf('kubelet.sock'), registrationService, clock).call(
    'Register',
    { version: 'v1beta1', endpoint: 'test.sock', resourceName: resource, ...request },
    limits,
  );

const eventually = (condition: () => void) => vi.waitFor(condition, { timeout: 15_000 });
const allocatable = () => devices.amounts().allocatable[resource];

/** A plugin with these devices is registered. */
async function start(ids: Record<string, string>, options: object = {}): Promise<TestPlugin> {
  const started = await startTestPlugin(socketOf('test.sock'), options as never);
  plugin = started;
  started.announce(ids);
  await register();
  await eventually(() => expect(devices.amounts().capacity[resource]).toBe(String(Object.keys(ids).length)));
  return started;
}

const container = (name: string, count = 1, more: object = {}) =>
  ({ name, resources: { limits: { [resource]: String(count) } }, ...more }) as Pod['spec']['containers'][number];
const podOf = (uid: string, containers = [container('c')], initContainers: Pod['spec']['containers'] = []): Pod =>
  ({ metadata: { name: uid, namespace: 'default', uid }, spec: { containers, initContainers } }) as Pod;

async function run(pod: Pod): Promise<readonly string[]> {
  await devices.allocatePod(pod);
  active.push(pod);
  return devices.state.of(pod.metadata.uid).flatMap(({ container: name, ids }) => ids.map((id) => `${name}:${id}`));
}
const ok = 'Healthy';

test('a plugin announces its devices, and their health', async () => {
  const { announce } = await start({ a: ok, b: ok, c: 'Unhealthy' });
  expect(devices.amounts()).toEqual({ capacity: { [resource]: '3' }, allocatable: { [resource]: '2' } });
  announce({ a: ok, b: 'Unhealthy', c: 'Unhealthy' });
  await eventually(() => expect(allocatable()).toBe('1'));
});

test.each([
  [
    { version: 'v1alpha' },
    'requested API version "v1alpha" is not supported by kubelet. Supported version is ["v1beta1"]',
  ],
  [{ resourceName: 'cpu' }, 'the ResourceName "cpu" is invalid'],
  [{ endpoint: 'missing.sock' }, 'failed to get device plugin options'],
])('a registration with %j is refused', async (request, why) => {
  await expect(register(request)).rejects.toThrow(why);
});

test('sockets are for root only', () => {
  expect(statSync(socketOf('kubelet.sock')).mode & 0o777).toBe(0o600);
  expect(statSync(path.dirname(socketOf('x'))).mode & 0o777).toBe(0o750);
});

describe('allocation', () => {
  test('gives each container devices, and keeps those of others', async () => {
    const { calls } = await start({ a: ok, b: ok, c: ok });
    expect(await run(podOf('one', [container('x', 2)]))).toEqual(['x:a', 'x:b']);
    expect(await run(podOf('two'))).toEqual(['c:c']);
    expect(calls.map(({ request }) => request.containerRequests?.[0].devicesIds)).toEqual([
      undefined,
      ['a', 'b'],
      ['c'],
    ]);
    await expect(run(podOf('three'))).rejects.toThrow(
      `requested number of devices unavailable for ${resource}. Requested: 1, Available: 0`,
    );
    active = active.filter(({ metadata }) => metadata.uid !== 'one');
    expect(await run(podOf('three'))).toEqual(['c:a']);
  });

  test('an init container leaves its devices to the next containers, a sidecar keeps them', async () => {
    await start({ a: ok, b: ok, c: ok });
    const sidecar = container('side', 1, { restartPolicy: 'Always' });
    expect(await run(podOf('u', [container('main', 2)], [container('init', 2), sidecar]))).toEqual([
      ...['init:a', 'init:b', 'side:a', 'main:b', 'main:c'],
    ]);
  });

  test('twice for one pod gives it nothing more', async () => {
    const { calls } = await start({ a: ok, b: ok });
    await run(podOf('u'));
    expect(await run(podOf('u'))).toEqual(['c:a']);
    expect(calls.filter(({ name }) => name === 'Allocate')).toHaveLength(1);
  });

  test('prefers the devices that the plugin prefers', async () => {
    const started = await start({ a: ok, b: ok, c: ok }, { getPreferredAllocationAvailable: true });
    started.answers['GetPreferredAllocation'] = () => ({ containerResponses: [{ deviceIDs: ['c', 'unknown'] }] });
    expect(await run(podOf('u', [container('c', 2)]))).toEqual(['c:c', 'c:a']);
    expect(started.calls.find(({ name }) => name === 'GetPreferredAllocation')?.request.containerRequests).toEqual([
      { availableDeviceIDs: ['a', 'b', 'c'], mustIncludeDeviceIDs: [], allocationSize: 2 },
    ]);
  });

  test.each<[string, (plugin: TestPlugin) => void, string]>([
    [
      'fails',
      ({ answers }) => {
        answers['Allocate'] = () => ({ code: grpc.status.INTERNAL, details: 'busy' });
      },
      'rpc error: code = Internal desc = busy',
    ],
    [
      'answers nothing',
      ({ answers }) => {
        answers['Allocate'] = () => ({});
      },
      'no containers return in allocation response',
    ],
  ])('by a plugin that %s is refused, and holds no device', async (_, break_, why) => {
    const started = await start({ a: ok });
    const { Allocate } = started.answers;
    break_(started);
    await expect(run(podOf('u'))).rejects.toThrow(why);
    started.answers['Allocate'] = Allocate;
    expect(await run(podOf('v'))).toEqual(['c:a']);
  });

  test('by a plugin that hangs ends after its time limit', async () => {
    const started = await start({ a: ok });
    delete started.answers['Allocate'];
    const refused = expect(run(podOf('u'))).rejects.toThrow('code = DeadlineExceeded');
    await eventually(() => expect(started.calls.at(-1)?.name).toBe('Allocate'));
    await clock.advance(30_000);
    await refused;
  });

  test('of a resource without healthy devices is refused', async () => {
    await start({ a: 'Unhealthy' });
    await expect(run(podOf('u'))).rejects.toThrow(
      `no healthy devices present; cannot allocate unhealthy devices ${resource}`,
    );
  });
});

describe('the start of a container', () => {
  test('has the answer of the plugin, after its preparation', async () => {
    const { calls } = await start({ a: ok }, { preStartRequired: true });
    const pod = podOf('u');
    await run(pod);
    const [allocation] = await devices.prepareStart(pod, pod.spec.containers[0]);
    expect(allocation.answer.envs).toEqual({ DEVICES: 'a' });
    expect(calls.at(-1)).toMatchObject({ name: 'PreStartContainer', request: { devicesIds: ['a'] } });
  });

  test('fails when the plugin cannot prepare it', async () => {
    const started = await start({ a: ok }, { preStartRequired: true });
    started.answers['PreStartContainer'] = () => ({ code: grpc.status.UNKNOWN, details: 'no' });
    const pod = podOf('u');
    await run(pod);
    await expect(devices.prepareStart(pod, pod.spec.containers[0])).rejects.toThrow(
      'device plugin PreStartContainer rpc failed with err: rpc error: code = Unknown desc = no',
    );
  });
});

describe('a plugin that ends', () => {
  test('has no healthy devices, and its resource stays for five minutes', async () => {
    const { stop } = await start({ a: ok });
    stop();
    await eventually(() => expect(allocatable()).toBe('0'));
    expect(devices.amounts().capacity).toEqual({ [resource]: '1' });
    await clock.advance(5 * 60_000 + 1000);
    expect(devices.amounts()).toEqual({ capacity: { [resource]: '0' }, allocatable: { [resource]: '0' } });
    expect(devices.state.resources).toEqual([]);
  });

  test('and comes again has them', async () => {
    const { stop } = await start({ a: ok });
    stop();
    await eventually(() => expect(allocatable()).toBe('0'));
    await start({ a: ok, b: ok });
    await clock.advance(5 * 60_000 + 1000);
    expect(allocatable()).toBe('2');
  });
});

describe('a restart of the kubelet', () => {
  test('containers keep their devices, and plugins register again', async () => {
    await start({ a: ok, b: ok });
    await run(podOf('u'));
    await restart();
    expect(existsSync(socketOf('test.sock'))).toBe(false);
    expect(devices.state.of('u')).toMatchObject([{ container: 'c', ids: ['a'], answer: { envs: { DEVICES: 'a' } } }]);
    expect(allocatable()).toBe('0');
    plugin?.stop();
    await start({ a: ok, b: ok });
    expect(await run(podOf('v'))).toEqual(['c:b']);
  });

  test('a damaged checkpoint is left out', async () => {
    await start({ a: ok });
    await run(podOf('u'));
    const file = socketOf('kubelet_internal_checkpoint');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"a"', '"b"'));
    await restart();
    expect(devices.state.allocations).toEqual([]);
  });
});

test('the status of containers has the health of their devices', async () => {
  const { announce } = await start({ a: ok });
  await run(podOf('u'));
  const health = () => devices.healthOf('u')?.get('c');
  expect(health()).toEqual([{ name: resource, resources: [{ resourceID: 'a', health: 'Healthy' }] }]);
  woken = [];
  announce({ a: 'Unhealthy' });
  await eventually(() => expect(woken).toEqual(['u']));
  expect(health()).toEqual([{ name: resource, resources: [{ resourceID: 'a', health: 'Unhealthy' }] }]);
});
