import { expect, test } from 'vitest';
import { type Pod, type PodSpec, qosClass } from '../../api/api.ts';
import type { Limits } from '../../container-runtime/container-runtime.ts';
import { podResourcesStatus } from './pod-resources-status.ts';

const mi = 2 ** 20;
const both = (cpu: string, memory: string) => ({ cpu, memory });
function podOf(resources: object | undefined, ...containers: object[]): Pod {
  const spec = {
    containers: containers.map((own, i) => ({ name: `c${i}`, resources: own })),
    ...(resources && { resources }),
  } as unknown as PodSpec;
  return { metadata: { uid: 'u' }, spec, status: { qosClass: qosClass(spec) } } as unknown as Pod;
}
const podLevel = podOf({ requests: both('200m', '100Mi'), limits: both('400m', '200Mi') }, {});
const ordinary = podOf(undefined, { requests: both('0.1', '10Mi') }, { requests: { cpu: '100m' } });

test.each<[string, Pod, string, Limits | undefined, object]>([
  [
    'before it runs: the promised resources',
    podLevel,
    'Pending',
    undefined,
    {
      allocatedResources: both('200m', '100Mi'),
      resources: { requests: both('200m', '100Mi'), limits: both('400m', '200Mi') },
    },
  ],
  [
    'running: those of its cgroup',
    podLevel,
    'Running',
    { cpuShares: 102, cpuQuota: 20_000, cpuPeriod: 100_000, memoryLimitBytes: 150 * mi },
    {
      allocatedResources: both('200m', '100Mi'),
      resources: { requests: both('100m', '100Mi'), limits: both('200m', '150Mi') },
    },
  ],
  [
    'without own resources: the sum of its containers',
    ordinary,
    'Running',
    { cpuShares: 204 },
    { allocatedResources: both('200m', '10Mi'), resources: { requests: both('200m', '10Mi') } },
  ],
  [
    "a difference below the kernel's precision: the requested value",
    podOf({ requests: both('1m', '1Mi'), limits: both('5m', '4Mi') }, {}),
    'Running',
    { cpuShares: 2, cpuQuota: 1000, cpuPeriod: 100_000, memoryLimitBytes: 4 * mi },
    {
      allocatedResources: both('1m', '1Mi'),
      resources: { requests: both('1m', '1Mi'), limits: both('5m', '4Mi') },
    },
  ],
  ['nothing asked for', podOf(undefined, {}), 'Running', { cpuShares: 2 }, { resources: {} }],
  [
    'a simulated pod has no cgroup',
    podLevel,
    'Running',
    undefined,
    {
      allocatedResources: both('200m', '100Mi'),
      resources: { requests: both('200m', '100Mi'), limits: both('400m', '200Mi') },
    },
  ],
])('%s', (_, pod, phase, limits, wanted) => expect(podResourcesStatus(pod, phase, limits)).toEqual(wanted));
