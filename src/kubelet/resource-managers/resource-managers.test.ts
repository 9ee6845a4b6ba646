import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Container, Pod } from '../../api/api.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { deviceHints } from '../device-plugins/device-hints.ts';
import { maskOf, nodesIn } from './numa.ts';
import { type HintProvider, ResourceManagers } from './resource-managers.ts';
import { type ResourceManagersInput, resourceManagersConfig } from './settings.ts';
import { machineOf } from './test-machines.ts';
import { container, podOf } from './test-pods.ts';

const gi = 2 ** 30;
const layout = {
  cpus: machineOf({ sockets: 2, cores: 4 }),
  numa: { nodes: [0, 1], distances: new Map() },
  memory: [0, 1].map((node) => ({ node, memoryBytes: 8 * gi, hugePages: new Map() })),
};
const reserved = { cpuMillis: 500, memoryBytes: gi };
const all: ResourceManagersInput = {
  ...{ cpuManagerPolicy: 'static', memoryManagerPolicy: 'Static' },
  reservedMemory: [{ numaNode: 0, limits: { memory: '1Gi' } }],
};

let directory: string;
let clock: VirtualClock;
let metrics: Metrics;
let active: Pod[];
let updates: string[];
/** Running containers have the id POD/CONTAINER. */
let running: string[];
const ends: (() => Promise<void>)[] = [];

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'coracle-managers-'));
  clock = new VirtualClock();
  metrics = new Metrics();
  [active, updates, running] = [[], [], []];
});
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  rmSync(directory, { recursive: true });
});

async function start(input: ResourceManagersInput = all, devices?: HintProvider): Promise<ResourceManagers> {
  const managers = new ResourceManagers(resourceManagersConfig(input), {
    ...{ layout, reserved, rootDirectory: directory, clock, logger: silentLogger, metrics },
    ...(devices && { devices }),
    activePods: () => active,
    runtime: {
      async updateContainerResources(id, { cpusetCpus }) {
        if (id.startsWith('broken')) throw new Error('gone');
        updates.push(`${id} ${cpusetCpus}`);
      },
    },
    containersOf: (uid) =>
      running
        .filter((id) => id.startsWith(`${uid}/`))
        .map((id) => ({ id, name: id.split('/')[1], state: 'running' }) as never),
  });
  await managers.start();
  const stopped = new AbortController();
  const run = managers.run(stopped.signal);
  ends.push(() => {
    stopped.abort();
    return run;
  });
  return managers;
}

const podWith = (uid: string, cpu: string, memory = '1Gi') => podOf(uid, [container('c', { cpu, memory })]);

/** The CPUs and memory nodes of its first container, or the reason of the refusal. */
async function run(managers: ResourceManagers, pod: Pod): Promise<string> {
  const refusal = await managers.admit(pod);
  if (refusal) return `${refusal.reason}: ${refusal.message}`;
  active.push(pod);
  running.push(`${pod.metadata.uid}/c`);
  const { cpusetCpus, cpusetMems } = await managers.placement(pod, pod.spec.containers[0]);
  return `${cpusetCpus ?? '-'} ${cpusetMems ?? '-'}`;
}

describe('a pod', () => {
  test('without policies has no place', async () => {
    const managers = await start({});
    expect(await run(managers, podWith('u', '2'))).toBe('- -');
    expect(managers.hasOwnCpus('u')).toBe(false);
  });

  test('with whole CPUs has these, and memory', async () => {
    const managers = await start();
    expect(await run(managers, podWith('u', '2'))).toBe('1-2 0');
    expect([managers.hasOwnCpus('u'), managers.hasOwnCpus('u', 'c'), managers.hasOwnCpus('u', 'x')]).toEqual([
      ...[true, true, false],
    ]);
    expect(await run(managers, podWith('v', '500m'))).toBe('0,3-7 0');
  });

  test('that gets no CPUs is refused, and leaves nothing behind', async () => {
    const managers = await start();
    expect(await run(managers, podWith('u', '6'))).toBe('1-2,4-7 0');
    const refused =
      'UnexpectedAdmissionError: Allocate failed due to not enough cpus available to satisfy request: requested=2, available=1, which is unexpected';
    expect(await run(managers, podWith('v', '2'))).toBe(refused);
    active = [];
    expect(await run(managers, podWith('v', '2'))).toBe('1-2 0');
  });

  test('that gets no memory leaves no CPUs behind', async () => {
    const managers = await start();
    expect(await run(managers, podWith('u', '2', '16Gi'))).toContain('failed to get the default NUMA affinity');
    expect(managers.hasOwnCpus('u')).toBe(false);
  });

  test('runs on after a restart with the same CPUs', async () => {
    const before = await start();
    const pod = podWith('u', '2');
    await run(before, pod);
    await ends.pop()?.();
    const after = await start();
    expect(await after.placement(pod, pod.spec.containers[0])).toEqual({ cpusetCpus: '1-2', cpusetMems: '0' });
    await ends.pop()?.();
    await expect(start({})).rejects.toThrow('configured policy "none" differs from state checkpoint policy "static"');
  });
});

test.each<[ResourceManagersInput, Pod, Pod, string | undefined]>([
  [{}, podWith('u', '2'), podWith('u', '1'), undefined],
  [all, podWith('u', '2'), podWith('u', '2'), undefined],
  [all, podWith('u', '2'), podWith('u', '1'), 'CPU Manager policy "static"'],
  [all, podWith('u', '1', '2Gi'), podWith('u', '1'), 'Memory Manager policy "Static"'],
  [all, podOf('u', podWith('u', '2').spec.containers, [], { status: {} }), podWith('u', '1'), undefined],
])('a resize with %j', async (input, wanted, allocated, policy) => {
  const managers = await start(input);
  const fault = policy && `Resize is infeasible for Guaranteed Pods alongside ${policy}`;
  expect(managers.resizeFault(wanted, allocated)).toBe(fault);
});

test('CPUs of running containers follow at once, and failures are repeated', async () => {
  const managers = await start();
  await run(managers, podWith('shared', '500m'));
  await run(managers, podWith('broken', '500m'));
  await run(managers, podWith('u', '2'));
  await vi.waitFor(() => expect(updates).toContain('shared/c 0,3-7'));
  await clock.advance(10_000);
  await vi.waitFor(() => expect(updates).toContain('u/c 1-2'));
  const before = updates.length;
  await clock.advance(10_000);
  expect(updates.length).toBe(before);
  active = active.filter(({ metadata }) => metadata.uid !== 'u');
  await vi.waitFor(async () => {
    await clock.advance(10_000);
    expect(updates.at(-1)).toBe('shared/c 0-7');
  });
});

/** A device on each of the named NUMA nodes. */
function devicesOn(...nodes: number[]): HintProvider & { readonly given: string[] } {
  const wants = ({ resources }: Container) => Number(resources?.limits?.['device'] ?? 0);
  const hints = (count: number) => {
    const masks = nodes.map((node) => maskOf([node]));
    return new Map(count === 0 ? [] : [['device', deviceHints({ all: masks, available: masks, reusable: [], count })]]);
  };
  const given: string[] = [];
  return {
    given,
    hints: (_pod, each) => hints(wants(each)),
    podHints: (pod) => hints(pod.spec.containers.reduce((sum, each) => sum + wants(each), 0)),
    allocate(_pod, { name }, { affinity }) {
      given.push(`${name} ${affinity === undefined ? 'any' : nodesIn(affinity)}`);
      return false;
    },
  };
}

const withDevices = (uid: string, cpus: string[], devices: string[]) =>
  podOf(
    uid,
    cpus.map((cpu, i) => container(i === 0 ? 'c' : `c${i}`, { cpu, memory: '1Gi', device: devices[i] })),
  );
const topology = (policy: string, scope = 'container'): ResourceManagersInput => ({
  ...{ ...all, topologyManagerPolicy: policy, topologyManagerScope: scope },
});
const refused = 'TopologyAffinityError: Resources cannot be allocated with Topology locality';

describe('topology', () => {
  test.each<[string, string, string[], string[], number[], string]>([
    // policy, scope, CPUs, devices, nodes of the devices, place of the first container
    ['none', 'container', ['2'], ['1'], [1], '1-2 0'],
    ['best-effort', 'container', ['2'], ['1'], [1], '4-5 1'],
    ['restricted', 'container', ['2'], ['1'], [1], '4-5 1'],
    ['single-numa-node', 'container', ['2'], ['1'], [1], '4-5 1'],
    ['best-effort', 'container', ['2'], ['2'], [0, 1], '1-2 0,1'],
    ['restricted', 'container', ['2'], ['2'], [0, 1], refused],
    ['restricted', 'container', ['6'], ['2'], [0, 1], refused],
    ['single-numa-node', 'container', ['2'], ['2'], [0, 1], refused],
    ['single-numa-node', 'container', ['5'], ['0'], [], refused],
    ['restricted', 'container', ['2', '2'], ['1', '1'], [0, 1], '1-2 0'],
    ['restricted', 'pod', ['2', '2'], ['1', '1'], [0, 1], refused],
    ['single-numa-node', 'pod', ['2', '2'], ['1', '0'], [0, 1], '4-5 1'],
    ['single-numa-node', 'container', ['2', '2'], ['1', '0'], [0, 1], '1-2 0'],
  ])('%s, scope %s: %j CPUs and %j devices on nodes %j', async (policy, scope, cpus, devices, nodes, expected) => {
    const managers = await start(topology(policy, scope), devicesOn(...nodes));
    expect(await run(managers, withDevices('u', cpus, devices))).toBe(expected);
  });

  test('a device is on the node of the CPUs', async () => {
    const devices = devicesOn(0, 1);
    const managers = await start(topology('restricted'), devices);
    await run(managers, withDevices('u', ['3'], ['0']));
    await run(managers, withDevices('v', ['2'], ['1']));
    expect(devices.given).toEqual(['c 0', 'c 1']);
  });

  test('admissions and allocations are counted', async () => {
    const managers = await start(topology('restricted'), devicesOn(0, 1));
    await run(managers, withDevices('u', ['2'], ['1']));
    await run(managers, withDevices('v', ['2'], ['2']));
    const shown = metrics.text();
    for (const line of [
      'kubelet_topology_manager_admission_requests_total 2',
      'kubelet_topology_manager_admission_errors_total 1',
      'kubelet_cpu_manager_pinning_requests_total 1',
      'kubelet_memory_manager_pinning_requests_total 1',
      'kubelet_cpu_manager_exclusive_cpu_allocation_count 2',
      'kubelet_cpu_manager_shared_pool_size_millicores 5000',
    ])
      expect(shown).toContain(`${line}\n`);
  });

  test('a machine with many NUMA nodes is refused', () => {
    const nodes = Array.from({ length: 9 }, (_, node) => node);
    const tools = { layout: { ...layout, numa: { nodes, distances: new Map() } }, reserved, metrics } as never;
    const make = (input: ResourceManagersInput) => new ResourceManagers(resourceManagersConfig(input), tools);
    expect(() => make({ topologyManagerPolicy: 'restricted' })).toThrow(
      'unsupported on machines with more than 8 NUMA Nodes',
    );
    make({ topologyManagerPolicy: 'restricted', topologyManagerPolicyOptions: { 'max-allowable-numa-nodes': '9' } });
  });
});
