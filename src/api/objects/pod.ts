// Predicates on pods, shared by components.

import { addQuantities, compareQuantities } from '../../machinery/quantity.ts';
import type { Container, Pod, PodSpec, ResourceRequirements } from '../generated/types.ts';
import { conditionOf, isConditionTrue } from './conditions.ts';

export const isPodReady = (pod: Pod): boolean => isConditionTrue(pod, 'Ready');

/** All its containers have ended and none will start again. */
export const isTerminalPhase = (phase: string | undefined): boolean => phase === 'Failed' || phase === 'Succeeded';

export const isPodTerminal = (pod: Pod): boolean => isTerminalPhase(pod.status?.phase);

/** Neither finished nor being deleted. */
export const isPodActive = (pod: Pod): boolean => !isPodTerminal(pod) && !pod.metadata.deletionTimestamp;

/** Deleted, and not finished yet. */
export const isPodTerminating = (pod: Pod): boolean =>
  !isPodTerminal(pod) && pod.metadata.deletionTimestamp !== undefined;

/**
 * Milliseconds until the pod has been ready for `minReadySeconds`: 0 when it is available, undefined when it is not
 * even ready.
 */
export function podAvailableIn(pod: Pod, minReadySeconds: number, nowMs: number): number | undefined {
  const ready = conditionOf(pod, 'Ready');
  if (ready?.status !== 'True') return undefined;
  if (minReadySeconds === 0) return 0;
  const since = Date.parse(ready.lastTransitionTime ?? '');
  return Math.max(0, since + minReadySeconds * 1000 - nowMs) || 0;
}

export const isPodAvailable = (pod: Pod, minReadySeconds: number, nowMs: number): boolean =>
  podAvailableIn(pod, minReadySeconds, nowMs) === 0;

/** An init container that runs beside the main ones. */
export const isSidecar = (container: Container): boolean => container.restartPolicy === 'Always';

export type ResourceList = Record<string, string>;

const add = (into: ResourceList, list: Readonly<ResourceList> | undefined) => {
  for (const [name, quantity] of Object.entries(list ?? {}))
    into[name] = name in into ? addQuantities(into[name], quantity) : quantity;
};
const atLeast = (into: ResourceList, list: Readonly<ResourceList>) => {
  for (const [name, quantity] of Object.entries(list))
    if (!(name in into) || compareQuantities(quantity, into[name]) > 0) into[name] = quantity;
};

/**
 * The resources to schedule for: the main containers and sidecars together, or the largest init container with the
 * sidecars before it; pod-level resources replace these, and the runtime class adds overhead.
 * https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers
 */
export function podResources(spec: PodSpec, which: 'requests' | 'limits'): ResourceList {
  const total: ResourceList = {};
  for (const container of spec.containers ?? []) add(total, listOf(container, which));
  const sidecars: ResourceList = {};
  const initPeak: ResourceList = {};
  for (const container of spec.initContainers ?? []) {
    const own = listOf(container, which);
    if (isSidecar(container)) {
      add(total, own);
      add(sidecars, own);
      atLeast(initPeak, sidecars);
    } else {
      const together = { ...sidecars };
      add(together, own);
      atLeast(initPeak, together);
    }
  }
  atLeast(total, initPeak);
  const podLevel = (spec as { resources?: Record<string, ResourceList> }).resources?.[which];
  if (podLevel) Object.assign(total, podLevel);
  const overhead = Object.entries((spec.overhead ?? {}) as ResourceList);
  // Overhead applies to existing limits only.
  const counts = (name: string) => which === 'requests' || compareQuantities(total[name] ?? 0, 0) > 0;
  add(total, Object.fromEntries(overhead.filter(([name]) => counts(name))));
  return total;
}

export const podRequests = (pod: { spec?: PodSpec }): ResourceList => podResources(pod.spec as PodSpec, 'requests');
export const podLimits = (pod: { spec?: PodSpec }): ResourceList => podResources(pod.spec as PodSpec, 'limits');

const listOf = (container: Container, which: 'requests' | 'limits') =>
  (container.resources as Record<string, ResourceList> | undefined)?.[which];

type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

/** https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/ */
export function qosClass(spec: PodSpec): QosClass {
  const podLevel = (spec as { resources?: { requests?: ResourceList; limits?: ResourceList } }).resources;
  const holders: readonly ResourceRequirements[] = podLevel
    ? [podLevel]
    : [...(spec.containers ?? []), ...(spec.initContainers ?? [])].map((container) => container.resources ?? {});
  const counted = (list: ResourceList | undefined) =>
    ['cpu', 'memory'].filter((name) => list?.[name] && compareQuantities(list[name], 0) > 0);
  if (holders.every(({ requests, limits }) => counted(requests).length + counted(limits).length === 0))
    return 'BestEffort';
  const guaranteed = holders.every(
    ({ requests = {}, limits = {} }) =>
      counted(limits).length === 2 &&
      ['cpu', 'memory'].every((name) => !requests[name] || compareQuantities(requests[name], limits[name]) === 0),
  );
  return guaranteed ? 'Guaranteed' : 'Burstable';
}

/** Whether a pod tolerates that it is scheduled with gates still closed. */
export const isSchedulingGated = (pod: Pod): boolean => (pod.spec?.schedulingGates?.length ?? 0) > 0;
