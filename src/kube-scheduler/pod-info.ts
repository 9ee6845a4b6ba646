// The scheduler's record of a pod: its requests are computed once.

import {
  type ClaimOfPod,
  claimsOfPod,
  controllerOf,
  type HostPort,
  hostPortsOf,
  type Pod,
  podRequests,
} from '../api/api.ts';
import { milliValue, wholeValue } from '../machinery/quantity.ts';
import { heldSpec } from './held-resources.ts';

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
  /** Requests with defaults for missing ones, for scoring. */
  readonly scoredRequests: Requests;
  readonly hostPorts: readonly HostPort[];
  /** Its volumes with a claim; empty for most pods. */
  readonly claimVolumes: readonly ClaimOfPod[];
  /** Keys (namespace/name) of the claims that its volumes name; those of ephemeral volumes are its own. */
  readonly claims: readonly string[];
  readonly priority: number;
}

/** Default requests of a container for scoring. */
const defaultCpuMillis = 100;
const defaultMemoryBytes = 200 * 1024 * 1024;
const noClaims: Pick<PodInfo, 'claims' | 'claimVolumes'> = { claims: [], claimVolumes: [] };
const noScalars: ReadonlyMap<string, number> = new Map();
const builtIn = new Set(['cpu', 'memory', 'ephemeral-storage', 'pods']);

export function podInfo(pod: Pod): PodInfo {
  const list = podRequests({ spec: heldSpec(pod) });
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
    ...claimsNamedBy(pod),
    priority: pod.spec.priority ?? 0,
  };
}

function claimsNamedBy(pod: Pod): Pick<PodInfo, 'claims' | 'claimVolumes'> {
  const claimVolumes = claimsOfPod(pod);
  if (claimVolumes.length === 0) return noClaims;
  const named = claimVolumes.filter(({ isEphemeral }) => !isEphemeral);
  return { claimVolumes, claims: [...new Set(named.map(({ claim }) => `${pod.metadata.namespace}/${claim}`))] };
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

/** The number of its rules about other pods. */
export function affinityRules({ pod: { spec } }: PodInfo): number {
  const { podAffinity, podAntiAffinity } = spec.affinity ?? {};
  let count = 0;
  for (const rules of [podAffinity, podAntiAffinity]) {
    count += rules?.requiredDuringSchedulingIgnoredDuringExecution?.length ?? 0;
    count += rules?.preferredDuringSchedulingIgnoredDuringExecution?.length ?? 0;
  }
  return count;
}

/** The uid of the pod's controller, undefined without one. */
export const controllerUid = (pod: Pod): string | undefined => controllerOf(pod)?.uid;

/** Whether one of the resources is requested less than before. */
export const requestsLess = (after: Requests, before: Requests): boolean =>
  after.cpuMillis < before.cpuMillis ||
  after.memoryBytes < before.memoryBytes ||
  after.ephemeralStorageBytes < before.ephemeralStorageBytes ||
  [...before.scalars].some(([name, amount]) => (after.scalars.get(name) ?? 0) < amount);

/** The pod holds other resources than its spec has. */
export const isBeingResized = (pod: Pod): boolean => heldSpec(pod) !== pod.spec;
