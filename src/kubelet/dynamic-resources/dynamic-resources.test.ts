import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Container, Pod } from '../../api/api.ts';
import { createClient } from '../../client/client.ts';
import { FakeServer } from '../../client/fake-server.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { DynamicResources } from './dynamic-resources.ts';
import { startTestDraDriver, type TestDraDriver, type TestDraDriverOptions } from './test-dra-driver.ts';

const driverName = 'test.dra';
let directory: string;
let clock: VirtualClock;
let server: FakeServer;
let client: ReturnType<typeof createClient>;
let wiped: string[];
let active: Pod[];
let woken: string[];
let metrics: Metrics;
let resources: DynamicResources;
let end: () => Promise<void>;
const drivers: TestDraDriver[] = [];

beforeEach(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'coracle-dra-'));
  clock = new VirtualClock();
  server = new FakeServer();
  client = createClient(server);
  wiped = [];
  server.before = ({ method, query }) => {
    if (method === 'DELETE') wiped.push(String(query?.fieldSelector));
  };
  active = [];
  woken = [];
  await boot();
});
afterEach(async () => {
  await end();
  for (const driver of drivers.splice(0)) driver.stop();
  rmSync(directory, { recursive: true });
});

/** A kubelet that knows nothing of the one before. */
async function boot(): Promise<void> {
  metrics = new Metrics();
  const made = new DynamicResources({
    ...{ client, clock, logger: silentLogger, metrics, nodeName: 'n', rootDirectory: directory },
    activePods: () => active,
    wake: (uid) => void woken.push(uid),
  });
  await made.start();
  const stopped = new AbortController();
  const running = made.run(stopped.signal);
  resources = made;
  end = () => {
    stopped.abort();
    return running;
  };
}

const socketOf = (name: string) => path.join(directory, `${name}.sock`);
const eventually = (condition: () => void) => vi.waitFor(condition, { timeout: 15_000 });

async function startDriver(options: Partial<TestDraDriverOptions> = {}): Promise<TestDraDriver> {
  const { name = driverName, services = ['v1.DRAPlugin'] } = options;
  const driver = await startTestDraDriver({ name, services, socket: socketOf(name), ...options });
  drivers.push(driver);
  await resources.handler.register(name, socketOf(name), services);
  return driver;
}

interface ClaimOptions {
  readonly users?: readonly string[];
  readonly drivers?: readonly string[];
  readonly owner?: string;
  readonly isAllocated?: boolean;
}

async function claim(name: string, options: ClaimOptions = {}): Promise<void> {
  const { users = ['u'], owner, isAllocated = true } = options;
  const results = (options.drivers ?? [driverName]).map((driver) => ({
    driver,
    pool: 'pool',
    device: 'd',
    request: 'r',
  }));
  await client.create('resourceclaims', {
    metadata: {
      ...{ name, namespace: 'default', uid: `claim-${name}` },
      ...(owner && { ownerReferences: [{ kind: 'Pod', apiVersion: 'v1', name: 'p', uid: owner, controller: true }] }),
    },
    spec: {},
    status: {
      ...(isAllocated && { allocation: { devices: { results } } }),
      reservedFor: users.map((uid) => ({ resource: 'pods', name: uid, uid })),
    },
  } as never);
}

type Use = { readonly name: string; readonly request?: string };
const container = (name: string, ...claims: Use[]): Container => ({ name, resources: { claims } }) as Container;

/** A pod whose entries have the names of the claims. */
function podOf(uid: string, claims: string[], containers = [container('c', ...claims.map((name) => ({ name })))]): Pod {
  return {
    metadata: { name: uid, namespace: 'default', uid },
    spec: { containers, resourceClaims: claims.map((name) => ({ name, resourceClaimName: name })) },
    status: {},
  } as unknown as Pod;
}

const prepare = (pod: Pod, signal = new AbortController().signal) => {
  active.push(pod);
  return resources.prepare(pod, signal);
};
const cdi = (pod: Pod, index = 0) => resources.cdiDevices(pod, pod.spec.containers[index]);

describe('preparation', () => {
  test.each(['v1.DRAPlugin', 'v1beta1.DRAPlugin'])(
    'a driver of %s prepares all claims of a pod at once',
    async (service) => {
      const driver = await startDriver({ services: ['v9.DRAPlugin', service] });
      await claim('a');
      await claim('b');
      const pod = podOf(
        'u',
        ['a', 'b'],
        [container('both', { name: 'a' }, { name: 'b' }), container('one', { name: 'b' })],
      );
      await prepare(pod);
      expect(driver.calls).toEqual(['prepare a b']);
      expect(cdi(pod)).toEqual(['test.dra/class=a', 'test.dra/class=b']);
      expect(cdi(pod, 1)).toEqual(['test.dra/class=b']);
      expect(metrics.text()).toContain('dra_resource_claims_in_use{driver_name="<any>"} 2');
      await resources.unprepare('u');
      expect(driver.calls).toEqual(['prepare a b', 'unprepare a b']);
      expect(() => cdi(pod)).toThrow(
        'internal error: unable to get claim info for ResourceClaim a in namespace default',
      );
    },
  );

  test('a container gets the devices of its request', async () => {
    await startDriver();
    await claim('a');
    const uses = ['req', 'other'].map((request) => container(request, { name: 'a', request }));
    const pod = podOf('u', ['a'], uses);
    await prepare(pod);
    expect([cdi(pod), cdi(pod, 1)]).toEqual([['test.dra/class=a'], []]);
  });

  test('claims of templates have the names in the status, and need not exist', async () => {
    const driver = await startDriver();
    await claim('made', { owner: 'u' });
    const pod = podOf('u', [], [container('c', { name: 'x' }, { name: 'none' })]);
    const entries = ['x', 'none'].map((name) => ({ name, resourceClaimTemplateName: 't' }));
    Object.assign(pod.spec, { resourceClaims: entries });
    await expect(prepare(pod)).rejects.toThrow('pod "default/u": ResourceClaim not created yet');
    Object.assign(pod.status ?? {}, {
      resourceClaimStatuses: [{ name: 'x', resourceClaimName: 'made' }, { name: 'none' }],
    });
    await prepare(pod);
    expect(driver.calls).toEqual(['prepare made']);
    expect(cdi(pod)).toEqual(['test.dra/class=made']);
  });

  test('extended resources have a claim of the scheduler', async () => {
    await startDriver();
    await claim('extended');
    const pod = podOf('u', [], [container('c'), container('other')]);
    Object.assign(pod.spec.containers[0], { resources: { requests: { 'vendor.com/gpu': '1' } } });
    const requestMappings = [{ containerName: 'c', resourceName: 'vendor.com/gpu', requestName: 'req' }];
    Object.assign(pod.status ?? {}, {
      extendedResourceClaimStatus: { resourceClaimName: 'extended', requestMappings },
    });
    await prepare(pod);
    expect([cdi(pod), cdi(pod, 1)]).toEqual([['test.dra/class=extended'], []]);
  });

  test.each<[string, ClaimOptions | undefined, string]>([
    ['that does not exist', undefined, 'fetch ResourceClaim a: '],
    ['of other pods', { users: ['x'] }, 'pod u (u) is not allowed to use ResourceClaim a (claim-a)'],
    ['without devices', { isAllocated: false }, 'ResourceClaim a: not allocated'],
    ['of a driver that is not here', { drivers: ['gone.dra'] }, 'DRA driver gone.dra is not registered'],
  ])('a claim %s is refused, and nothing stays of it', async (_, options, why) => {
    await startDriver();
    if (options) await claim('a', options);
    await expect(prepare(podOf('u', ['a']))).rejects.toThrow(`prepare dynamic resources: ${why}`);
    await resources.unprepare('u');
    expect(drivers[0].calls).toEqual([]);
  });

  test("a generated claim must be the pod's", async () => {
    await startDriver();
    await claim('a', { owner: 'other' });
    const pod = podOf('u', []);
    Object.assign(pod.spec, { resourceClaims: [{ name: 'x', resourceClaimTemplateName: 't' }] });
    Object.assign(pod.status ?? {}, { resourceClaimStatuses: [{ name: 'x', resourceClaimName: 'a' }] });
    await expect(prepare(pod)).rejects.toThrow(
      'ResourceClaim default/a was not created for Pod default/u (Pod is not owner)',
    );
  });

  test('two drivers prepare one claim; the last pod frees it', async () => {
    const first = await startDriver();
    const second = await startDriver({ name: 'second.dra' });
    await claim('a', { users: ['u', 'v'], drivers: [driverName, 'second.dra'] });
    for (const uid of ['u', 'v']) await prepare(podOf(uid, ['a']));
    expect(cdi(podOf('v', ['a']))).toEqual(['test.dra/class=a', 'second.dra/class=a']);
    await resources.unprepare('u');
    expect([first.calls, second.calls]).toEqual([['prepare a'], ['prepare a']]);
    await resources.unprepare('v');
    expect([first.calls, second.calls]).toEqual([
      ['prepare a', 'unprepare a'],
      ['prepare a', 'unprepare a'],
    ]);
  });
});

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
  ])('%s has its error reported, and is asked to undo it', async (_, fault, why) => {
    const driver = await startDriver();
    await claim('a');
    driver.faults.set(
      'NodePrepareResources',
      typeof fault === 'number' ? { code: fault, details: 'broken' } : { answer: fault as never },
    );
    await expect(prepare(podOf('u', ['a']))).rejects.toThrow(`prepare dynamic resources: ${why}`);
    await resources.unprepare('u');
    expect(driver.calls).toEqual(['prepare a', 'unprepare a']);
  });

  test('that hangs delays neither the pods of other claims nor the deletion of its pod', async () => {
    const driver = await startDriver();
    const other = await startDriver({ name: 'second.dra' });
    await claim('a');
    await claim('b', { users: ['v'], drivers: ['second.dra'] });
    driver.faults.set('NodePrepareResources', 'hang');
    const deleted = new AbortController();
    const hanging = prepare(podOf('u', ['a']), deleted.signal);
    await eventually(() => expect(driver.calls).toEqual(['prepare a']));
    await prepare(podOf('v', ['b']));
    expect(other.calls).toEqual(['prepare b']);
    deleted.abort();
    await expect(hanging).rejects.toThrow();
    await resources.unprepare('u');
    expect(driver.calls).toEqual(['prepare a', 'unprepare a']);
  });

  test('that dies during a call has that reported, and another one frees its claims', async () => {
    const driver = await startDriver();
    await claim('a');
    driver.faults.set('NodePrepareResources', 'hang');
    const hanging = prepare(podOf('u', ['a']));
    const failed = expect(hanging).rejects.toThrow(/NodePrepareResources: rpc error: code = (Canceled|Unavailable)/);
    await eventually(() => expect(driver.calls).toEqual(['prepare a']));
    driver.stop();
    await failed;
    await expect(resources.unprepare('u')).rejects.toThrow('NodeUnprepareResources: rpc error: code = Unavailable');
    await resources.handler.deregister(driverName, socketOf(driverName));
    const another = await startDriver();
    const freed = resources.unprepare('u');
    await clock.advance(10_000);
    await freed;
    expect(another.calls).toEqual(['unprepare a']);
  });

  test('that speaks another protocol is an error', async () => {
    const nonsense = createServer((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nno gRPC')).listen(socketOf('x'));
    await resources.handler.register('x', socketOf('x'), ['v1.DRAPlugin']);
    await claim('a', { drivers: ['x'] });
    await expect(prepare(podOf('u', ['a']))).rejects.toThrow(
      'prepare dynamic resources: NodePrepareResources: rpc error',
    );
    nonsense.close();
  });

  test('that hangs is given up after 45 seconds', async () => {
    const driver = await startDriver();
    await claim('a');
    driver.faults.set('NodePrepareResources', 'hang');
    const hanging = prepare(podOf('u', ['a']));
    const failed = expect(hanging).rejects.toThrow('code = DeadlineExceeded desc = context deadline exceeded');
    await eventually(() => expect(driver.calls).toEqual(['prepare a']));
    await clock.advance(44_000);
    expect(driver.calls).toEqual(['prepare a']);
    await clock.advance(2_000);
    await failed;
  });

  test('that does not undo is asked again after ten seconds', async () => {
    const driver = await startDriver();
    await claim('a');
    await prepare(podOf('u', ['a']));
    const code = grpc.status.UNAVAILABLE;
    driver.faults.set('NodeUnprepareResources', { code, details: 'busy' });
    await expect(resources.unprepare('u')).rejects.toThrow(
      'unprepare dynamic resources: NodeUnprepareResources: rpc error: code = Unavailable desc = busy',
    );
    driver.faults.clear();
    const again = resources.unprepare('u');
    await clock.advance(9_000);
    expect(driver.calls).toEqual(['prepare a', 'unprepare a']);
    await clock.advance(2_000);
    await again;
    expect(driver.calls).toEqual(['prepare a', 'unprepare a', 'unprepare a']);
  });

  test('that registers wakes the pods that wait for it', async () => {
    await claim('a');
    await expect(prepare(podOf('u', ['a']))).rejects.toThrow('DRA driver test.dra is not registered');
    await startDriver();
    await eventually(() => expect(woken).toContain('u'));
  });

  test('that is gone loses its slices after 30 seconds; those of all drivers are deleted at the start', async () => {
    await eventually(() => expect(wiped).toEqual(['spec.nodeName=n']));
    await startDriver();
    await clock.advance(1_000);
    await resources.handler.deregister(driverName, socketOf(driverName));
    await clock.advance(28_000);
    expect(wiped).toHaveLength(1);
    await clock.advance(2_000);
    await eventually(() => expect(wiped).toEqual(['spec.nodeName=n', 'spec.nodeName=n,spec.driver=test.dra']));
  });

  test('that dies loses its slices, although it stays registered', async () => {
    const driver = await startDriver();
    await claim('a');
    await expect(prepare(podOf('v', ['a']))).rejects.toThrow('not allowed');
    await eventually(() => expect(woken).toContain('v')); // it is connected
    await clock.advance(40_000);
    expect(wiped).toEqual(['spec.nodeName=n']);
    driver.stop();
    await eventually(async () => {
      await clock.advance(10_000);
      expect(wiped.at(-1)).toBe('spec.nodeName=n,spec.driver=test.dra');
    });
  });

  test('that comes again keeps its slices', async () => {
    await startDriver();
    await resources.handler.deregister(driverName, socketOf(driverName));
    await clock.advance(20_000);
    drivers.pop()?.stop();
    await claim('a');
    await startDriver();
    await prepare(podOf('u', ['a']));
    await eventually(async () => {
      await clock.advance(20_000);
      expect(wiped).toEqual(['spec.nodeName=n']);
    });
  });

  test.each([
    [[], 'empty list of supported gRPC services (aka supported versions)'],
    [
      ['v1alpha3.Node'],
      'none of services supported by the plugin (["v1alpha3.Node"]) are supported by the kubelet (["v1.DRAPlugin" "v1beta1.DRAPlugin"])',
    ],
  ])('with the services %j is refused', (services, why) => {
    expect(() => resources.handler.validate('d', '/d.sock', services)).toThrow(
      `invalid supported gRPC versions of DRA driver plugin d at endpoint /d.sock: ${why}`,
    );
  });
});

describe('a restart', () => {
  test('keeps the devices, and frees claims of pods that are gone', async () => {
    const driver = await startDriver();
    await claim('a');
    await claim('b', { users: ['v'] });
    const pod = podOf('u', ['a']);
    await prepare(pod);
    await prepare(podOf('v', ['b']));
    await end();
    active = [pod];
    await boot();
    expect(cdi(pod)).toEqual(['test.dra/class=a']);
    await resources.handler.register(driverName, socketOf(driverName), ['v1.DRAPlugin']);
    await eventually(async () => {
      await clock.advance(60_000);
      expect(driver.calls).toEqual(['prepare a', 'prepare b', 'unprepare b']);
    });
    expect(cdi(pod)).toEqual(['test.dra/class=a']);
  });

  test('with a damaged checkpoint is refused, in the format of Kubernetes', async () => {
    await startDriver();
    await claim('a');
    await prepare(podOf('u', ['a']));
    const file = path.join(directory, 'dra_manager_state');
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
    await end();
    for (const text of ['{', '{"Data":"{}","Checksum":1}', 'null']) {
      writeFileSync(file, text);
      await expect(boot()).rejects.toThrow('please drain node and remove DRA state file');
    }
  });
});

test('the health of devices is in the status of containers', async () => {
  const driver = await startDriver();
  await claim('a');
  const pod = podOf('u', ['a'], [container('c', { name: 'a', request: 'req' }), container('none')]);
  await prepare(pod);
  const health = () => resources.healthOf(pod).get('c');
  const entry = (state: string, message?: string) => [
    {
      name: 'claim:a/req',
      resources: [{ resourceID: 'test.dra/class=a', health: state, ...(message && { message }) }],
    },
  ];
  expect(health()).toEqual(entry('Unknown'));
  driver.report({ a: 'UNHEALTHY' }, { message: 'too hot' });
  await eventually(() => expect(health()).toEqual(entry('Unhealthy', 'too hot')));
  expect(woken).toContain('u');
  expect(resources.healthOf(pod).has('none')).toBe(false);
  driver.report({ a: 'HEALTHY' }, { healthCheckTimeoutSeconds: 100 });
  await eventually(() => expect(health()).toEqual(entry('Healthy')));
  await clock.advance(99_000);
  expect(health()).toEqual(entry('Healthy'));
  await clock.advance(2_000);
  expect(health()).toEqual(entry('Unknown'));
});
