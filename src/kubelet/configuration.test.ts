import { expect, test } from 'vitest';
import { parseKubeletConfiguration } from './configuration.ts';

const parse = (fields: string) =>
  parseKubeletConfiguration(`apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n${fields}`);

test.each<[string, object]>([
  ['', {}],
  [
    'cpuManagerPolicy: static\ncpuManagerPolicyOptions: {full-pcpus-only: "true"}\ncpuManagerReconcilePeriod: 5s',
    {
      resourceManagers: {
        ...{ cpuManagerPolicy: 'static', cpuManagerPolicyOptions: { 'full-pcpus-only': 'true' } },
        cpuManagerReconcilePeriodMs: 5000,
      },
    },
  ],
  [
    'reservedMemory:\n- numaNode: 0\n  limits: {memory: 1Gi}\nmemoryManagerPolicy: Static\nreservedSystemCPUs: 0-1',
    {
      resourceManagers: {
        ...{ reservedMemory: [{ numaNode: 0, limits: { memory: '1Gi' } }], memoryManagerPolicy: 'Static' },
        reservedSystemCPUs: '0-1',
      },
    },
  ],
  ['topologyManagerPolicy: restricted', { resourceManagers: { topologyManagerPolicy: 'restricted' } }],
  [
    'systemReserved: {cpu: 500m, memory: 1Gi}\nkubeReserved: {cpu: "1"}',
    { reserved: { cpuMillis: 1500, memoryBytes: 2 ** 30 } },
  ],
  [
    'evictionHard: {memory.available: 5%}\nevictionPressureTransitionPeriod: 1m',
    { eviction: { evictionHard: { 'memory.available': '5%' }, evictionPressureTransitionPeriodMs: 60_000 } },
  ],
  [
    'evictionSoft: {memory.available: 5%}\nevictionSoftGracePeriod: {memory.available: 90s}',
    {
      eviction: {
        evictionSoft: { 'memory.available': '5%' },
        evictionSoftGracePeriodMs: { 'memory.available': 90_000 },
      },
    },
  ],
  [
    'maxPods: 50\npodPidsLimit: -1\ncontainerLogMaxSize: 5Mi\ncontainerLogMaxFiles: 3',
    { maxPods: 50, containerLogMaxSize: 5 * 2 ** 20, containerLogMaxFiles: 3 },
  ],
  ['maxPods: null', {}],
])('%j', (fields, expected) => {
  expect(parse(fields)).toEqual(expected);
});

test.each([
  ['swapBehavior: x', 'field "swapBehavior" is not supported'],
  ['constructor: x', 'field "constructor" is not supported'],
  ['maxPods: many', 'maxPods must be an integer'],
  ['maxPods: -1', 'invalid configuration: maxPods (--max-pods) -1 must not be a negative number'],
  ['containerLogMaxFiles: 1', 'containerLogMaxFiles (--container-log-max-files) 1 must be greater than 1'],
  ['cpuManagerPolicy: best', 'unknown policy: "best"'],
  ['cpuManagerReconcilePeriod: soon', 'cpuManagerReconcilePeriod: "soon" is no duration'],
  ['reservedMemory: [1]', 'reservedMemory[0] must be an object'],
  ['reservedMemory: [{numaNode: 0, limits: {cpu: "1"}}]', 'the limit type "cpu" for NUMA node 0 is not supported'],
  ['systemReserved: {pid: "100"}', 'cannot reserve "pid" resource (systemReserved)'],
  ['kubeReserved: {cpu: much}', 'kubeReserved.cpu: "much" is no amount'],
  ['evictionHard: {x: 1%}', 'x'],
])('%j is refused', (fields, why) => {
  expect(() => parse(fields)).toThrow(why);
});

test.each(['[]', 'kind: KubeletConfiguration', 'a: &a [*a]', 'apiVersion: v1\nkind: Pod'])('%j is refused', (text) => {
  expect(() => parseKubeletConfiguration(text)).toThrow();
});
