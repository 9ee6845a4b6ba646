// From requests and limits to cgroups.
// https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/

import { type Container, isSidecar, type Pod, podLimits, podRequests } from '../../api/api.ts';
import { type ContainerResources, pageSizeName, qosCgroups } from '../../container-runtime/container-runtime.ts';
import { milliValue, wholeValue } from '../../machinery/quantity.ts';

type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';
type Amounts = Readonly<Record<string, string>>;
type Resources = NonNullable<Container['resources']>;

/** The machine's properties that limits depend on. */
interface LimitFacts {
  readonly memoryBytes: number;
  /** Sizes of huge pages that can be limited, such as 2MB. */
  readonly hugePageSizes?: readonly string[];
  /** CPUs that no other container has need no quota: it would only throttle. */
  readonly hasOwnCpus?: boolean;
}

const quotaPeriodMicros = 100_000;
/** The kernel refuses smaller quotas, and shares outside of these. */
const minQuotaMicros = 1000;
const minShares = 2;
const maxShares = 262_144;

/** The pod's cgroup below the cgroup root. */
export const podCgroup = (pod: Pod): string => `${qosCgroups[qosOf(pod)]}/pod${pod.metadata.uid}`;

export const qosOf = (pod: Pod): QosClass => (pod.status?.qosClass as QosClass | undefined) ?? 'BestEffort';

export const sharesOf = (cpuMillis: number): number =>
  cpuMillis === 0 ? minShares : Math.min(Math.max(minShares, Math.floor((cpuMillis * 1024) / 1000)), maxShares);

const quotaOf = (cpuMillis: number) => ({
  cpuPeriod: quotaPeriodMicros,
  cpuQuota: Math.max(minQuotaMicros, Math.floor((cpuMillis * quotaPeriodMicros) / 1000)),
});

/** A container without a limit may use the whole limit of its pod. */
export function effectiveLimits(of: Resources | undefined, podLevel: Pod['spec']['resources']): Amounts {
  return { ...podLevel?.limits, ...of?.limits };
}

export function containerResources(pod: Pod, container: Container, node: LimitFacts): ContainerResources {
  const requests: Amounts = container.resources?.requests ?? {};
  const limits = effectiveLimits(container.resources, pod.spec.resources);
  const memoryRequest = bytes(requests['memory'] ?? container.resources?.limits?.['memory']);
  return {
    ...linuxResources(requests['cpu'] ?? limits['cpu'], node.hasOwnCpus ? undefined : limits['cpu'], limits['memory']),
    oomScoreAdj: oomScoreAdjustment(pod, container, memoryRequest, node.memoryBytes),
    ...hugepageLimits(limits, node),
  };
}

function linuxResources(cpuRequest?: string, cpuLimit?: string, memoryLimit?: string): ContainerResources {
  return {
    cpuShares: sharesOf(milli(cpuRequest)),
    ...(milli(cpuLimit) > 0 && quotaOf(milli(cpuLimit))),
    ...(bytes(memoryLimit) > 0 && { memoryLimitBytes: bytes(memoryLimit) }),
  };
}

/** For each page size of the machine: none unless requested. */
function hugepageLimits(amounts: Amounts, { hugePageSizes = [] }: Partial<LimitFacts>) {
  if (hugePageSizes.length === 0) return {};
  const asked = new Map(
    Object.entries(amounts)
      .filter(([name]) => name.startsWith('hugepages-'))
      .map(([name, amount]) => [pageSizeName(bytes(name.slice('hugepages-'.length))), bytes(amount)]),
  );
  return { hugepageLimits: hugePageSizes.map((pageSize) => ({ pageSize, limitBytes: asked.get(pageSize) ?? 0 })) };
}

/**
 * For the pod's cgroup: its CPU shares, and for each resource the limit of the pod or, if every container has one,
 * their sum. https://kubernetes.io/docs/tasks/configure-pod-container/assign-pod-level-resources/
 */
export function podCgroupResources(
  pod: Pod,
  facts: Partial<LimitFacts> & { pidsLimit?: number } = {},
): ContainerResources {
  const requests = podRequests(pod);
  const limits = podLimits(pod);
  const hasLimit = (name: 'cpu' | 'memory') => {
    if (qosOf(pod) === 'BestEffort') return false;
    if (bytes(pod.spec.resources?.limits?.[name]) > 0) return true;
    return allOf(pod).every((c) => bytes(c.resources?.limits?.[name]) > 0);
  };
  return {
    cpuShares: qosOf(pod) === 'BestEffort' ? minShares : sharesOf(milli(requests['cpu'])),
    ...(hasLimit('cpu') && !facts.hasOwnCpus && quotaOf(milli(limits['cpu']))),
    ...(hasLimit('memory') && { memoryLimitBytes: bytes(limits['memory']) }),
    ...(facts.pidsLimit && { pidsLimit: facts.pidsLimit }),
    ...hugepageLimits(requests, facts),
  };
}

/** The pod's resources for a runtime, before it has containers. */
export function sandboxResources(pod: Pod): { resources: ContainerResources; overhead?: ContainerResources } {
  const { overhead, ...spec } = pod.spec;
  const [requests, limits] = [podRequests({ spec }), podLimits({ spec })];
  const own = overhead as Amounts | undefined;
  return {
    resources: linuxResources(requests['cpu'] ?? limits['cpu'], limits['cpu'], limits['memory']),
    ...(own && { overhead: linuxResources(own['cpu'], own['cpu'], own['memory']) }),
  };
}

const allOf = ({ spec }: Pod) => [...spec.containers, ...(spec.initContainers ?? [])];

/**
 * A pod's memory request beyond its containers' is shared by all of them; a sidecar is no likelier to be killed than
 * the main containers.
 * https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#node-out-of-memory-behavior
 */
function oomScoreAdjustment(pod: Pod, container: Container, requestBytes: number, nodeMemoryBytes: number): number {
  const critical = pod.spec.priorityClassName === 'system-node-critical';
  if (critical || qosOf(pod) === 'Guaranteed') return -997;
  if (qosOf(pod) === 'BestEffort') return 1000;
  const shared = sharedMemoryRequest(pod);
  const adjustment = (memory: number) => 1000 - Math.floor((1000 * memory) / nodeMemoryBytes);
  const own = adjustment(requestBytes + shared);
  const mains = isSidecar(container) ? pod.spec.containers.map((c) => bytes(c.resources?.requests?.['memory'])) : [];
  const lowest = mains.length > 0 ? Math.min(own, adjustment(Math.min(...mains) + shared)) : own;
  return Math.min(Math.max(lowest, 3), 999);
}

/** For each container; may be negative if a container requests more than the pod. */
function sharedMemoryRequest(pod: Pod): number {
  const total = bytes(pod.spec.resources?.requests?.['memory']);
  if (total === 0) return 0;
  const { resources: _podLevel, overhead: _overhead, ...spec } = pod.spec;
  const ofContainers = bytes(podRequests({ spec })['memory']);
  return Math.trunc((total - ofContainers) / allOf(pod).length);
}

/** Thousandths of a core. */
export const milli = (quantity: string | undefined): number => (quantity ? milliValue(quantity) : 0);
export const bytes = (quantity: string | undefined): number => (quantity ? wholeValue(quantity) : 0);
