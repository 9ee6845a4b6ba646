import { expect, test } from 'vitest';
import { reservedMemoryOf } from './memory-reservation.ts';
import { type ResourceManagersInput, resourceManagersConfig } from './settings.ts';

test('the defaults are those of Kubernetes', () => {
  expect(resourceManagersConfig({})).toMatchObject({
    ...{ cpuManagerPolicy: 'none', memoryManagerPolicy: 'None', topologyManagerPolicy: 'none' },
    ...{ topologyManagerScope: 'container', cpuManagerReconcilePeriodMs: 10_000 },
  });
});

const cpu = (options: Record<string, string>): ResourceManagersInput => ({
  cpuManagerPolicy: 'static',
  cpuManagerPolicyOptions: options,
});
const topology = (options: Record<string, string>): ResourceManagersInput => ({
  topologyManagerPolicyOptions: options,
});
const reserve = (...limits: Record<string, string>[]): ResourceManagersInput => ({
  reservedMemory: limits.map((each) => ({ numaNode: 0, limits: each })),
});

test.each<[ResourceManagersInput, string]>([
  [{ cpuManagerPolicy: 'best' }, 'unknown policy: "best"'],
  [{ memoryManagerPolicy: 'static' }, 'unknown policy: "static"'],
  [{ memoryManagerPolicy: 'BestEffort' }, 'unknown policy: "BestEffort"'],
  [
    { topologyManagerPolicy: 'x' },
    'invalid configuration: topologyManagerPolicy (--topology-manager-policy) "x" must be one of: ["none" "best-effort" "restricted" "single-numa-node"]',
  ],
  [
    { topologyManagerScope: 'x' },
    'invalid configuration: topologyManagerScope (--topology-manager-scope) "x" must be one of: "container", or "pod"',
  ],
  [
    { reservedSystemCPUs: 'x' },
    'invalid configuration: unable to parse reservedSystemCPUs (--reserved-cpus) x, error: strconv.Atoi: parsing "x": invalid syntax',
  ],
  [
    { cpuManagerPolicyOptions: { b: '1', a: '2' } },
    'new none policy error: None policy: received unsupported options=map[a:2 b:1]',
  ],
  [cpu({ x: 'true' }), 'unknown CPU Manager Policy option: "x"'],
  [cpu({ constructor: 'true' }), 'unknown CPU Manager Policy option: "constructor"'],
  [
    cpu({ 'align-by-socket': 'true' }),
    'CPU Manager Policy Alpha-level Options not enabled, but option "align-by-socket"',
  ],
  [
    cpu({ 'full-pcpus-only': 'yes' }),
    'bad value for option "full-pcpus-only": strconv.ParseBool: parsing "yes": invalid syntax',
  ],
  [
    cpu({ 'prefer-align-cpus-by-uncorecache': 'true', 'distribute-cpus-across-numa': 'true' }),
    'static policy options prefer-align-cpus-by-uncorecache and distribute-cpus-across-numa can not be used at the same time',
  ],
  [topology({ x: 'true' }), 'unknown Topology Manager Policy option: "x"'],
  [
    topology({ 'max-allowable-numa-nodes': '7' }),
    'the minimum value of "max-allowable-numa-nodes" should not be less than 8',
  ],
  [topology({ 'max-allowable-numa-nodes': 'x' }), 'unable to convert policy option to integer'],
  [
    reserve({ cpu: '1' }),
    'invalid configuration: the limit type "cpu" for NUMA node 0 is not supported, only [memory hugepages-<HugePageSize>] is accepted',
  ],
  [
    reserve({ memory: '0' }),
    'invalid configuration: reserved memory may not be zero for NUMA node 0 and resource "memory"',
  ],
  [
    reserve({ memory: '1Gi' }, { memory: '2Gi' }),
    'invalid configuration: the reserved memory has a duplicate value for NUMA node 0 and resource "memory"',
  ],
])('%j is refused', (input, why) => {
  expect(() => resourceManagersConfig(input)).toThrow(why);
});

test.each([
  cpu({ 'full-pcpus-only': 'true', 'distribute-cpus-across-numa': '1', 'strict-cpu-reservation': 'False' }),
  topology({ 'prefer-closest-numa-nodes': 'true', 'max-allowable-numa-nodes': '10' }),
  reserve({ memory: '1Gi', 'hugepages-2Mi': '2Mi' }),
])('%j is allowed', (input) => {
  expect(resourceManagersConfig(input)).toMatchObject(input);
});

test.each<[number, Record<string, string>, number, string]>([
  [2, { memory: '1Gi' }, 2 ** 30, 'references a NUMA node 2 that does not exist on this machine'],
  [
    0,
    { memory: '2Gi' },
    2 ** 30,
    'the total amount "2Gi" of type "memory" is not equal to the value "1Gi" determined by Node Allocatable feature',
  ],
  [
    0,
    { memory: '1Gi', 'hugepages-2Mi': '2Mi' },
    2 ** 30,
    'the total amount "2Mi" of type "hugepages-2Mi" is not equal',
  ],
])('on NUMA node %d, reserving %j is refused', (numaNode, limits, total, why) => {
  expect(() => reservedMemoryOf([{ numaNode, limits }], [0, 1], total)).toThrow(why);
});
