// Resource limits in the OCI form: one form for cgroup v1, hybrid and v2; the runtime converts.

import type { ContainerResources } from '../../interface.ts';
import type { GivenDevice } from './host-devices.ts';
import type { OciResources } from './oci-types.ts';

export interface ResourceFacts {
  readonly cgroupVersion: 1 | 2;
  /** The memory controller also counts swap. */
  readonly countsSwap: boolean;
}

export function resourcesOf(
  resources: ContainerResources,
  privileged: boolean,
  node: ResourceFacts,
  devices: readonly GivenDevice[] = [],
): OciResources {
  const { cpuShares, cpuQuota, cpuPeriod, memoryLimitBytes: limit = 0, pidsLimit = 0, hugepageLimits = [] } = resources;
  const { cpusetCpus, cpusetMems } = resources;
  return {
    // The runtime itself adds the devices that every container has.
    devices: [
      { allow: privileged, access: 'rwm' },
      ...devices.map(({ device: { type, major, minor }, access }) => ({ allow: true, type, major, minor, access })),
    ],
    cpu: {
      ...(cpuShares && { shares: cpuShares }),
      ...(cpuQuota !== undefined && { quota: cpuQuota > 0 ? cpuQuota : -1 }),
      ...(cpuPeriod && { period: cpuPeriod }),
      ...(cpusetCpus && { cpus: cpusetCpus }),
      ...(cpusetMems && { mems: cpusetMems }),
    },
    // With equal limits, no memory is swapped (the kubelet's NoSwap).
    ...(limit > 0 && { memory: { limit, ...(node.countsSwap && { swap: limit }) } }),
    ...(pidsLimit > 0 && { pids: { limit: pidsLimit } }),
    ...(hugepageLimits.length > 0 && {
      hugepageLimits: hugepageLimits.map(({ pageSize, limitBytes }) => ({ pageSize, limit: limitBytes })),
    }),
    // When a container is out of memory, all of its processes are killed (singleProcessOOMKill is false by default).
    ...(node.cgroupVersion === 2 && { unified: { 'memory.oom.group': '1' } }),
  };
}
