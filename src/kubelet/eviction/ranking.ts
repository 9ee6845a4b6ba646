// Ranks pods for eviction, and words the message. Pure.
// https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#pod-selection-for-kubelet-eviction

import { type Pod, podRequests } from '../../api/api.ts';
import { must } from '../../machinery/must.ts';
import { formatBytes } from '../../machinery/quantity.ts';
import { bytes } from '../resources/resources.ts';
import { type Observations, resourceOf } from './pressure.ts';
import { amountIn, type StarvedResource, type Threshold } from './thresholds.ts';

interface ContainerUsage {
  readonly name: string;
  readonly memoryBytes: number;
  /** Written files and logs. */
  readonly diskBytes: number;
}

export interface PodUsage {
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly inodes: number;
  readonly processes: number;
  readonly containers: readonly ContainerUsage[];
}

export interface Candidate {
  readonly pod: Pod;
  /** Undefined if unknown: such pods go first. */
  readonly usage: PodUsage | undefined;
}

type Compare = (a: Candidate, b: Candidate) => number;

/** The first is to be evicted first. */
export function ranked<C extends Candidate>(candidates: readonly C[], resource: StarvedResource): C[] {
  const orders = resource === 'pids' ? [byPriority, byUse('pids')] : [byExcess(resource), byPriority, byUse(resource)];
  return candidates.toSorted((a, b) => orders.reduce((order, compare) => order || compare(a, b), 0));
}

const byPriority: Compare = (a, b) => (a.pod.spec.priority ?? 0) - (b.pod.spec.priority ?? 0);

/** Pods that exceed their requests come first. */
const byExcess = (resource: StarvedResource): Compare =>
  measured((a, b) => {
    const exceeds = ({ pod, usage }: Known) => used(usage, resource) > requested(pod, resource);
    return Number(exceeds(b)) - Number(exceeds(a));
  });

const byUse = (resource: StarvedResource): Compare =>
  measured((a, b) => {
    const above = ({ pod, usage }: Known) => used(usage, resource) - requested(pod, requestFor[resource]);
    return above(b) - above(a);
  });

type Known = Candidate & { readonly usage: PodUsage };
const measured =
  (compare: (a: Known, b: Known) => number): Compare =>
  (a, b) =>
    a.usage && b.usage
      ? compare(a as Known, b as Known)
      : Number(a.usage !== undefined) - Number(b.usage !== undefined);

/** Pods have no requests for inodes: Kubernetes uses those for disk. */
const requestFor = {
  memory: 'memory',
  'ephemeral-storage': 'ephemeral-storage',
  inodes: 'ephemeral-storage',
  pids: 'pids',
};
const requested = (pod: Pod, resource: string) => bytes(podRequests(pod)[resource]);

function used(usage: PodUsage, resource: StarvedResource): number {
  if (resource === 'memory') return usage.memoryBytes;
  if (resource === 'pids') return usage.processes;
  return resource === 'inodes' ? usage.inodes : usage.diskBytes;
}

const inUnits = (amount: number, resource: StarvedResource) =>
  resource === 'memory' || resource === 'ephemeral-storage' ? formatBytes(amount) : String(amount);

export function evictionMessage(
  { pod, usage }: Candidate,
  resource: StarvedResource,
  due: readonly Threshold[],
  observations: Observations,
): string {
  const parts = [`The node was low on resource: ${resource}. `];
  const threshold = due.find((each) => resourceOf(each) === resource && observations[each.signal]);
  if (threshold) {
    const { available, capacity } = must(observations[threshold.signal], threshold.signal);
    const quantity = inUnits(amountIn(threshold.value, capacity), resource);
    parts.push(`Threshold quantity: ${quantity}, available: ${inUnits(available, resource)}. `);
  }
  if (!usage) return parts.join('');
  const podRequest = pod.spec.resources?.requests?.['memory'];
  if (resource === 'memory' && podRequest)
    parts.push(larger(`Pod ${pod.metadata.name}`, formatBytes(usage.memoryBytes), podRequest, resource));
  for (const own of usage.containers) {
    const container = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].find((c) => c.name === own.name);
    const amount = resource === 'memory' ? own.memoryBytes : resource === 'ephemeral-storage' ? own.diskBytes : 0;
    const request = container?.resources?.requests?.[resource] ?? '0';
    if (container && amount > bytes(request))
      parts.push(larger(`Container ${own.name}`, formatBytes(amount), request, resource));
  }
  return parts.join('');
}

const larger = (who: string, usage: string, request: string, resource: string) =>
  `${who} was using ${usage}, request is ${request}, has larger consumption of ${resource}. `;
