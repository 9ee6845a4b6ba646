// A pod as the scheduler sees it: what it asks for is computed once.

import { type HostPort, hostPortsOf, type Pod, podRequests } from '../api/api.ts';
import { milliValue, wholeValue } from '../machinery/quantity.ts';

export interface Requests {
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  readonly ephemeralStorageBytes: number;
  /** Extended resources and huge pages; empty for most. */
  readonly scalars: ReadonlyMap<string, number>;
}

export interface PodInfo {
  readonly pod: Pod;
  /** namespace/name */
  readonly key: string;
  readonly requests: Requests;
  /** Requests with defaults for what is not asked for, so that scoring does not take such pods for nothing. */
  readonly scoredRequests: Requests;
  readonly hostPorts: readonly HostPort[];
  readonly priority: number;
}

/** What a container without a request is counted with when nodes are compared. */
const defaultCpuMillis = 100;
const defaultMemoryBytes = 200 * 1024 * 1024;
const noScalars: ReadonlyMap<string, number> = new Map();
const builtIn = new Set(['cpu', 'memory', 'ephemeral-storage', 'pods']);

export function podInfo(pod: Pod): PodInfo {
  const list = podRequests(pod);
  let scalars: Map<string, number> | undefined;
  for (const name in list) if (!builtIn.has(name)) (scalars ??= new Map()).set(name, wholeValue(list[name]));
  const requests: Requests = {
    cpuMillis: list['cpu'] ? milliValue(list['cpu']) : 0,
    memoryBytes: list['memory'] ? wholeValue(list['memory']) : 0,
    ephemeralStorageBytes: list['ephemeral-storage'] ? wholeValue(list['ephemeral-storage']) : 0,
    scalars: scalars ?? noScalars,
  };
  return {
    pod,
    key: `${pod.metadata.namespace}/${pod.metadata.name}`,
    requests,
    scoredRequests: withDefaults(pod, requests),
    hostPorts: hostPortsOf(pod),
    priority: pod.spec.priority ?? 0,
  };
}

function withDefaults(pod: Pod, requests: Requests): Requests {
  let cpuMillis = requests.cpuMillis;
  let memoryBytes = requests.memoryBytes;
  for (const { resources } of pod.spec.containers) {
    if (!resources?.requests?.['cpu']) cpuMillis += defaultCpuMillis;
    if (!resources?.requests?.['memory']) memoryBytes += defaultMemoryBytes;
  }
  return cpuMillis === requests.cpuMillis && memoryBytes === requests.memoryBytes
    ? requests
    : { ...requests, cpuMillis, memoryBytes };
}

/** Whether the pod has rules about other pods. */
export const hasPodAffinity = ({ pod: { spec } }: PodInfo): boolean =>
  spec.affinity?.podAffinity !== undefined || spec.affinity?.podAntiAffinity !== undefined;

/** The uid of what made the pod, undefined for a pod on its own. */
export const controllerUid = (pod: Pod): string | undefined =>
  pod.metadata.ownerReferences?.find((owner) => owner.controller)?.uid;
