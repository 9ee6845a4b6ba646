// Compares requests with a node's resources: whether the pod fits, and the node's score.
// https://kubernetes.io/docs/concepts/scheduling-eviction/resource-bin-packing/

import type { Devices } from '../devices/devices.ts';
import { maxScore, type Plugin, type Rejection } from '../framework.ts';
import type { NodeInfo } from '../node-info.ts';
import type { PodInfo, Requests } from '../pod-info.ts';

const insufficient = (resource: string): Rejection => ({ reason: `Insufficient ${resource}`, resolvable: true });
const tooManyPods: Rejection = { reason: 'Too many pods', resolvable: true };
const cpu = insufficient('cpu');
const memory = insufficient('memory');
const storage = insufficient('ephemeral-storage');

/** More than the node could ever have: no removal of other pods helps. */
const hopeless = (rejection: Rejection): Rejection => ({ ...rejection, resolvable: false });

/** Called for each node and pod: most nodes fit, and that path allocates nothing. */
function misfits(requests: Requests, node: NodeInfo, devices: Devices): readonly Rejection[] | undefined {
  const { allocatable, requested, pods } = node;
  const { cpuMillis, memoryBytes, ephemeralStorageBytes, scalars } = requests;
  const fits =
    pods.size < allocatable.pods &&
    (cpuMillis === 0 || cpuMillis <= allocatable.cpuMillis - requested.cpuMillis) &&
    (memoryBytes === 0 || memoryBytes <= allocatable.memoryBytes - requested.memoryBytes) &&
    (ephemeralStorageBytes === 0 ||
      ephemeralStorageBytes <= allocatable.ephemeralStorageBytes - requested.ephemeralStorageBytes);
  return fits && scalars.size === 0 ? undefined : reasons(requests, node, devices);
}

function reasons(
  requests: Requests,
  { allocatable, requested, pods }: NodeInfo,
  devices: Devices,
): readonly Rejection[] | undefined {
  const found: Rejection[] = [];
  const check = (rejection: Rejection, wants: number, has: number, used: number) => {
    if (wants > 0 && wants > has - used) found.push(wants > has ? hopeless(rejection) : rejection);
  };
  if (pods.size + 1 > allocatable.pods) found.push(tooManyPods);
  check(cpu, requests.cpuMillis, allocatable.cpuMillis, requested.cpuMillis);
  check(memory, requests.memoryBytes, allocatable.memoryBytes, requested.memoryBytes);
  check(storage, requests.ephemeralStorageBytes, allocatable.ephemeralStorageBytes, requested.ephemeralStorageBytes);
  for (const [name, amount] of requests.scalars) {
    const has = allocatable.scalars.get(name) ?? 0;
    // The plugin DynamicResources finds devices for it.
    if (has === 0 && devices.classOfResource(name)) continue;
    check(insufficient(name), amount, has, requested.scalars.get(name) ?? 0);
  }
  return found.length ? found : undefined;
}

/** Share of the node that stays free: 100 for an empty one. */
const leastAllocated = (capacity: number, used: number) =>
  capacity === 0 || used > capacity ? 0 : Math.floor(((capacity - used) * maxScore) / capacity);

export const nodeResourcesFit: Plugin = {
  name: 'NodeResourcesFit',
  prepareFilter: ({ requests }, { devices }) => ({ filter: (node) => misfits(requests, node, devices) }),
  prepareScore({ scoredRequests }) {
    return {
      score({ allocatable, scored }) {
        const freeCpu = leastAllocated(allocatable.cpuMillis, scored.cpuMillis + scoredRequests.cpuMillis);
        const freeMemory = leastAllocated(allocatable.memoryBytes, scored.memoryBytes + scoredRequests.memoryBytes);
        // A resource that the node does not have does not count.
        const counted = (allocatable.cpuMillis === 0 ? 0 : 1) + (allocatable.memoryBytes === 0 ? 0 : 1);
        return counted === 0 ? 0 : Math.floor((freeCpu + freeMemory) / counted);
      },
    };
  },
  wakes(event, pod, { devices }) {
    if (event.type === 'pod-gone' || event.type === 'pod-updated') return true;
    if (event.type === 'device-class-changed')
      return [...pod.requests.scalars.keys()].some(
        (name) => devices.classOfResource(name)?.metadata.name === event.deviceClass.metadata.name,
      );
    if (event.type === 'node-added') return couldFit(pod, event.node.status?.allocatable, devices);
    return event.type === 'node-changed' && event.aspects.includes('allocatable');
  },
};

const couldFit = ({ requests }: PodInfo, allocatable: Record<string, string> | undefined, devices: Devices) =>
  allocatable !== undefined &&
  [...requests.scalars.keys()].every((name) => name in allocatable || devices.classOfResource(name));

/** 50 to 100: the closer to each other the utilizations of CPU and memory, the more. */
function balance(used: Pick<Requests, 'cpuMillis' | 'memoryBytes'>, { allocatable }: NodeInfo): number {
  const { cpuMillis, memoryBytes } = allocatable;
  if (cpuMillis === 0 || memoryBytes === 0) return maxScore;
  const cpuShare = Math.min(1, used.cpuMillis / cpuMillis);
  const memoryShare = Math.min(1, used.memoryBytes / memoryBytes);
  return Math.floor((1 - Math.abs(cpuShare - memoryShare) / 2) * maxScore);
}

/** Prefers nodes whose utilization of CPU and memory the pod makes more equal: 75 when it changes nothing. */
export const nodeResourcesBalancedAllocation: Plugin = {
  name: 'NodeResourcesBalancedAllocation',
  prepareScore({ requests }) {
    // A pod without requests does not change the utilization of any node.
    if (requests.cpuMillis === 0 && requests.memoryBytes === 0 && requests.scalars.size === 0) return 'skip';
    return {
      score(node) {
        const { requested } = node;
        const cpuMillis = requested.cpuMillis + requests.cpuMillis;
        const memoryBytes = requested.memoryBytes + requests.memoryBytes;
        const gain = balance({ cpuMillis, memoryBytes }, node) - balance(requested, node);
        return maxScore / 2 + Math.floor((maxScore / 2 + gain) / 2);
      },
    };
  },
};
