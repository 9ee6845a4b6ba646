// Cases of Kubernetes' pod_level_resources.go: requests and limits of a pod and its containers, and the pod's cgroup.

import { describe, expect, test } from 'vitest';
import { type Pod, type PodSpec, qosClass } from '../../api/api.ts';
import { containerResources, podCgroup, podCgroupResources, sandboxResources } from './resources.ts';

type List = Record<string, string>;
/** "50m 70Mi" is cpu and memory; - for a missing one. */
function list(text: string | undefined): List | undefined {
  if (!text) return undefined;
  const [cpu, memory] = text.split(' ');
  return { ...(cpu !== '-' && { cpu }), ...(memory !== '-' && { memory }) };
}
const resources = ([requests, limits]: readonly (string | undefined)[]) => ({
  ...(requests && { requests: list(requests) }),
  ...(limits && { limits: list(limits) }),
});
/** As the API server completes it: limits are the requests that are missing. */
const completed = (text: readonly (string | undefined)[]) => {
  const { requests, limits } = resources(text) as { requests?: List; limits?: List };
  return { ...(limits && { limits }), ...((requests || limits) && { requests: { ...limits, ...requests } }) };
};

function podOf(podLevel: string[] | undefined, containers: string[][], more: Partial<PodSpec> = {}): Pod {
  const spec = {
    containers: containers.map((text, i) => ({ name: `c${i + 1}`, resources: completed(text) })),
    ...(podLevel && { resources: resources(podLevel) }),
    ...more,
  } as unknown as PodSpec;
  return { metadata: { uid: 'u' }, spec, status: { qosClass: qosClass(spec) } } as unknown as Pod;
}

const mi = 2 ** 20;
const quota = (cpuQuota: number) => ({ cpuPeriod: 100_000, cpuQuota });

describe("the pod's cgroup", () => {
  test.each<[string, string[] | undefined, string[][], string, object]>([
    [
      'Guaranteed, containers only',
      undefined,
      [
        ['50m 70Mi', '50m 70Mi'],
        ['70m 50Mi', '70m 50Mi'],
      ],
      '',
      { cpuShares: 122, ...quota(12_000), memoryLimitBytes: 120 * mi },
    ],
    [
      'Guaranteed, pod only',
      ['100m 100Mi', '100m 100Mi'],
      [[], []],
      '',
      { cpuShares: 102, ...quota(10_000), memoryLimitBytes: 100 * mi },
    ],
    [
      'Guaranteed, one container with resources',
      ['100m 100Mi', '100m 100Mi'],
      [['50m 50Mi', '100m 100Mi'], []],
      '',
      { cpuShares: 102, ...quota(10_000), memoryLimitBytes: 100 * mi },
    ],
    [
      'Burstable, limits of the pod and of containers',
      ['80m 80Mi', '100m 100Mi'],
      [
        ['', '50m 50Mi'],
        ['', '30m 30Mi'],
      ],
      '/burstable',
      { cpuShares: 81, ...quota(10_000), memoryLimitBytes: 100 * mi },
    ],
    ['Burstable, requests of the pod', ['100m 100Mi'], [[], []], '/burstable', { cpuShares: 102 }],
    [
      'Burstable, limits of all containers are the pod’s',
      ['100m 100Mi'],
      [
        ['30m 30Mi', '30m 30Mi'],
        ['30m 30Mi', '30m 30Mi'],
      ],
      '/burstable',
      { cpuShares: 102, ...quota(6_000), memoryLimitBytes: 60 * mi },
    ],
    [
      'Burstable, a container without limits lifts the pod’s',
      ['100m 100Mi'],
      [['', '50m 50Mi'], []],
      '/burstable',
      { cpuShares: 102 },
    ],
    [
      'Burstable, each resource by itself',
      undefined,
      [
        ['- 10Mi', '- 20Mi'],
        ['', '50m 20Mi'],
      ],
      '/burstable',
      { cpuShares: 51, memoryLimitBytes: 40 * mi },
    ],
    ['BestEffort', undefined, [[], []], '/besteffort', { cpuShares: 2 }],
  ])('%s', (_, podLevel, containers, parent, wanted) => {
    const pod = podOf(podLevel, containers);
    expect(podCgroup(pod)).toBe(`/kubepods${parent}/podu`);
    expect(podCgroupResources(pod)).toEqual(wanted);
  });

  test('init containers without a limit leave the pod without one', () => {
    const init = { initContainers: [{ name: 'i' }] } as unknown as Partial<PodSpec>;
    expect(podCgroupResources(podOf(undefined, [['', '50m 50Mi']], init))).toEqual({ cpuShares: 51 });
  });

  test('overhead counts, and the runtime gets it', () => {
    const pod = podOf(undefined, [['100m 50Mi', '100m 50Mi']], { overhead: { cpu: '100m', memory: '50Mi' } });
    expect(podCgroupResources(pod)).toEqual({ cpuShares: 204, ...quota(20_000), memoryLimitBytes: 100 * mi });
    const each = { cpuShares: 102, ...quota(10_000), memoryLimitBytes: 50 * mi };
    expect(sandboxResources(pod)).toEqual({ resources: each, overhead: each });
  });

  test('pids and huge pages', () => {
    const pod = podOf(undefined, [[]]);
    const [container] = pod.spec.containers;
    Object.assign(container, {
      resources: { requests: { 'hugepages-2Mi': '4Mi' }, limits: { 'hugepages-2Mi': '4Mi' } },
    });
    const facts = { hugePageSizes: ['2MB', '1GB'], pidsLimit: 100, memoryBytes: 2 ** 30 };
    const hugepageLimits = [
      { pageSize: '2MB', limitBytes: 4 * mi },
      { pageSize: '1GB', limitBytes: 0 },
    ];
    expect(podCgroupResources(pod, facts)).toEqual({ cpuShares: 2, pidsLimit: 100, hugepageLimits });
    expect(containerResources(pod, container, facts)).toMatchObject({ hugepageLimits });
  });
});

describe('the OOM score', () => {
  const node = { memoryBytes: 1000 * mi };
  const score = (pod: Pod, name: string) => {
    const all = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
    return containerResources(pod, all.find((c) => c.name === name)!, node).oomScoreAdj;
  };
  test("requests of the pod beyond its containers' are shared by them", () => {
    const pod = podOf(['- 500Mi'], [['- 100Mi'], ['- 200Mi']]);
    expect([score(pod, 'c1'), score(pod, 'c2')]).toEqual([800, 700]);
  });
  test('a sidecar is no likelier to be killed than the main containers', () => {
    const sidecar = { name: 's', restartPolicy: 'Always', resources: { requests: { memory: '10Mi' } } };
    const more = { initContainers: [sidecar] } as unknown as Partial<PodSpec>;
    const pod = podOf(undefined, [['- 200Mi'], ['- 300Mi']], more);
    expect([score(pod, 's'), score(pod, 'c1'), score(pod, 'c2')]).toEqual([800, 800, 700]);
  });
});
