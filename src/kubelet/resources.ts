// From requests and limits to cgroups.
// https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/

import type { Container, Pod } from '../api/api.ts';
import type { ContainerResources } from '../container-runtime/container-runtime.ts';
import { milliValue, wholeValue } from '../machinery/quantity.ts';

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

const quotaPeriodMicros = 100_000;
/** The kernel refuses smaller quotas and shares. */
const minQuotaMicros = 1000;
const minShares = 2;

/** The pod's cgroup below the cgroup root. */
export function podCgroup(pod: Pod): string {
  const name = `pod${pod.metadata.uid}`;
  switch (qosOf(pod)) {
    case 'Guaranteed':
      return `/kubepods/${name}`;
    case 'Burstable':
      return `/kubepods/burstable/${name}`;
    default:
      return `/kubepods/besteffort/${name}`;
  }
}

export const qosOf = (pod: Pod): QosClass => (pod.status?.qosClass as QosClass | undefined) ?? 'BestEffort';

export function containerResources(pod: Pod, container: Container, nodeMemoryBytes: number): ContainerResources {
  const { requests = {}, limits = {} } = container.resources ?? {};
  // Of a limit for the whole pod, a container may take all where it has none of its own.
  const limit = (name: string) => limits[name] ?? pod.spec.resources?.limits?.[name];
  const cpuRequest = milli(requests['cpu'] ?? limits['cpu']);
  const cpuLimit = milli(limit('cpu'));
  const memoryLimit = bytes(limit('memory'));
  return {
    cpuShares: cpuRequest === 0 ? minShares : Math.max(minShares, Math.floor((cpuRequest * 1024) / 1000)),
    ...(cpuLimit > 0 && {
      cpuPeriod: quotaPeriodMicros,
      cpuQuota: Math.max(minQuotaMicros, Math.floor((cpuLimit * quotaPeriodMicros) / 1000)),
    }),
    ...(memoryLimit > 0 && { memoryLimitBytes: memoryLimit }),
    oomScoreAdj: oomScoreAdjustment(pod, bytes(requests['memory'] ?? limits['memory']), nodeMemoryBytes),
  };
}

/** https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#node-out-of-memory-behavior */
function oomScoreAdjustment(pod: Pod, memoryRequestBytes: number, nodeMemoryBytes: number): number {
  const critical = pod.spec.priorityClassName === 'system-node-critical';
  if (critical || qosOf(pod) === 'Guaranteed') return -997;
  if (qosOf(pod) === 'BestEffort') return 1000;
  const adjustment = 1000 - Math.floor((1000 * memoryRequestBytes) / nodeMemoryBytes);
  return Math.min(Math.max(adjustment, 3), 999);
}

/** Thousandths of a core. */
export const milli = (quantity: string | undefined): number => (quantity ? milliValue(quantity) : 0);
export const bytes = (quantity: string | undefined): number => (quantity ? wholeValue(quantity) : 0);
