// Compares requests with a node's resources: whether the pod fits, and the node's score.
// https://kubernetes.io/docs/concepts/scheduling-eviction/resource-bin-packing/

import { isExtendedResource, type Node } from '../../api/api.ts';
import { defaultArguments, type PluginArguments, type ResourceWeight } from '../configuration/arguments.ts';
import type { Devices } from '../devices/devices.ts';
import { maxScore, type Plugin, type Rejection, type ScoreCycle } from '../framework.ts';
import { NodeInfo } from '../node-info.ts';
import type { PodInfo, Requests } from '../pod-info.ts';
import { leastAllocated, mostAllocated, requestedToCapacityRatio, requestOf, usagesOn } from './resource-scoring.ts';

type Strategy = PluginArguments['NodeResourcesFit']['scoringStrategy'];

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

/** Called for each node and pod in the default configuration: allocates nothing. */
function scoreByCpuAndMemory({ scoredRequests }: PodInfo): ScoreCycle {
  const shareOf = (capacity: number, used: number) => (capacity === 0 ? 0 : leastAllocated(used, capacity));
  return {
    score({ allocatable, scored }) {
      const freeCpu = shareOf(allocatable.cpuMillis, scored.cpuMillis + scoredRequests.cpuMillis);
      const freeMemory = shareOf(allocatable.memoryBytes, scored.memoryBytes + scoredRequests.memoryBytes);
      // A resource that the node does not have does not count.
      const counted = (allocatable.cpuMillis === 0 ? 0 : 1) + (allocatable.memoryBytes === 0 ? 0 : 1);
      return counted === 0 ? 0 : Math.floor((freeCpu + freeMemory) / counted);
    },
  };
}

function scoreBy({ type, resources, shape }: Strategy, { requests, scoredRequests }: PodInfo, devices: Devices) {
  const isRatio = type === 'RequestedToCapacityRatio';
  const scoreOf = isRatio ? requestedToCapacityRatio(shape) : type === 'MostAllocated' ? mostAllocated : leastAllocated;
  const wanted = { ...requests, ...pick(scoredRequests) };
  return {
    score(node: NodeInfo) {
      let sum = 0;
      let weights = 0;
      for (const [index, usage] of usagesOn(node, resources, requests, node.scored, devices).entries()) {
        if (!usage) continue;
        const { name, weight } = resources[index];
        const score = scoreOf(usage.allocated + requestOf(wanted, name), usage.capacity);
        // Resources with a score of 0 do not count in a ratio.
        if (isRatio && score <= 0) continue;
        sum += score * weight;
        weights += weight;
      }
      if (weights === 0) return 0;
      return isRatio ? Math.round(sum / weights) : Math.floor(sum / weights);
    },
  };
}

const pick = ({ cpuMillis, memoryBytes }: Requests) => ({ cpuMillis, memoryBytes });

const isCpuAndMemory = (resources: readonly ResourceWeight[]): boolean =>
  resources.length === 2 && resources[0]?.name === 'cpu' && resources[1]?.name === 'memory';

export function nodeResourcesFitWith({
  ignoredResources,
  ignoredResourceGroups,
  scoringStrategy,
}: PluginArguments['NodeResourcesFit']): Plugin {
  const isDefault =
    scoringStrategy.type === 'LeastAllocated' &&
    isCpuAndMemory(scoringStrategy.resources) &&
    scoringStrategy.resources.every(({ weight }) => weight === 1);
  const isIgnored = (name: string) =>
    isExtendedResource(name) &&
    (ignoredResources.includes(name) || ignoredResourceGroups.includes(name.slice(0, name.indexOf('/'))));
  const ignores = ignoredResources.length + ignoredResourceGroups.length > 0;
  const requestsFor = ({ requests: all }: PodInfo): Requests =>
    ignores ? { ...all, scalars: new Map([...all.scalars].filter(([name]) => !isIgnored(name))) } : all;
  return {
    name: 'NodeResourcesFit',
    prepareFilter(pod, { devices }) {
      const requests = requestsFor(pod);
      return { filter: (node) => misfits(requests, node, devices) };
    },
    prepareScore: (pod, _, { devices }) =>
      isDefault ? scoreByCpuAndMemory(pod) : scoreBy(scoringStrategy, pod, devices),
    wakes(event, pod, { devices }) {
      if (event.type === 'pod-gone') return true;
      if (event.type === 'pod-updated') return event.pod.metadata.uid === pod.pod.metadata.uid;
      if (event.type === 'pod-scaled-down') return freesFor(pod.requests, event);
      if (event.type === 'device-class-changed')
        return [...pod.requests.scalars.keys()].some(
          (name) => devices.classOfResource(name)?.metadata.name === event.deviceClass.metadata.name,
        );
      if (event.type === 'node-added') return !misfits(requestsFor(pod), emptyNode(event.node), devices);
      if (event.type !== 'node-changed' || !event.aspects.includes('allocatable')) return false;
      const requests = requestsFor(pod);
      const node = emptyNode(event.node);
      return !misfits(requests, node, devices) && hasMoreFor(requests, node, emptyNode(event.old), devices);
    },
  };
}

/** Another pod requests less of something that this pod requests. */
function freesFor(
  { cpuMillis, memoryBytes, ephemeralStorageBytes, scalars }: Requests,
  { before, after }: { readonly before: Requests; readonly after: Requests },
): boolean {
  return (
    (cpuMillis > 0 && before.cpuMillis > after.cpuMillis) ||
    (memoryBytes > 0 && before.memoryBytes > after.memoryBytes) ||
    (ephemeralStorageBytes > 0 && before.ephemeralStorageBytes > after.ephemeralStorageBytes) ||
    [...scalars.keys()].some((name) => (before.scalars.get(name) ?? 0) > (after.scalars.get(name) ?? 0))
  );
}

/** The node got more of something that the pod requests. */
function hasMoreFor(
  { cpuMillis, memoryBytes, ephemeralStorageBytes, scalars }: Requests,
  { allocatable: now }: NodeInfo,
  { allocatable: before }: NodeInfo,
  devices: Devices,
): boolean {
  return (
    now.pods > before.pods ||
    (cpuMillis > 0 && now.cpuMillis > before.cpuMillis) ||
    (memoryBytes > 0 && now.memoryBytes > before.memoryBytes) ||
    (ephemeralStorageBytes > 0 && now.ephemeralStorageBytes > before.ephemeralStorageBytes) ||
    [...scalars.keys()].some(
      (name) =>
        (now.scalars.get(name) ?? 0) > (before.scalars.get(name) ?? 0) ||
        (!now.scalars.get(name) && devices.classOfResource(name) !== undefined),
    )
  );
}

export const nodeResourcesFit = nodeResourcesFitWith(defaultArguments.NodeResourcesFit);

const emptyNodes = new WeakMap<Node, NodeInfo>();

/** The node without its pods. Thousands of waiting pods may look at it. */
function emptyNode(node: Node): NodeInfo {
  let info = emptyNodes.get(node);
  if (!info) emptyNodes.set(node, (info = new NodeInfo(node)));
  return info;
}

/** 50 to 100: the closer to each other the utilizations of CPU and memory, the more. */
function balance(used: Pick<Requests, 'cpuMillis' | 'memoryBytes'>, { allocatable }: NodeInfo): number {
  const { cpuMillis, memoryBytes } = allocatable;
  if (cpuMillis === 0 || memoryBytes === 0) return maxScore;
  const cpuShare = Math.min(1, used.cpuMillis / cpuMillis);
  const memoryShare = Math.min(1, used.memoryBytes / memoryBytes);
  return Math.floor((1 - Math.abs(cpuShare - memoryShare) / 2) * maxScore);
}

const gained = (after: number, before: number): number =>
  maxScore / 2 + Math.floor((maxScore / 2 + after - before) / 2);

/** Same for any resources: by the standard deviation of their utilizations. */
function balanceOf(shares: readonly number[]): number {
  const capped = shares.map((share) => Math.min(1, share));
  if (capped.length < 2) return maxScore;
  if (capped.length === 2) return Math.floor((1 - Math.abs(capped[0] - capped[1]) / 2) * maxScore);
  const mean = capped.reduce((sum, share) => sum + share, 0) / capped.length;
  const variance = capped.reduce((sum, share) => sum + (share - mean) ** 2, 0) / capped.length;
  return Math.floor((1 - Math.sqrt(variance)) * maxScore);
}

/** Prefers nodes whose utilization of resources the pod makes more equal: 75 when it changes nothing. */
export const nodeResourcesBalancedAllocationWith = ({
  resources,
}: PluginArguments['NodeResourcesBalancedAllocation']): Plugin => ({
  name: 'NodeResourcesBalancedAllocation',
  prepareScore({ requests }, _, { devices }) {
    // A pod without requests does not change the utilization of any node.
    if (resources.every(({ name }) => requestOf(requests, name) === 0)) return 'skip';
    if (isCpuAndMemory(resources))
      return {
        score(node) {
          const { requested } = node;
          const cpuMillis = requested.cpuMillis + requests.cpuMillis;
          const memoryBytes = requested.memoryBytes + requests.memoryBytes;
          return gained(balance({ cpuMillis, memoryBytes }, node), balance(requested, node));
        },
      };
    return {
      score(node) {
        const usages = usagesOn(node, resources, requests, node.requested, devices);
        const shares = (isAfter: boolean) =>
          usages.flatMap((usage, index) => {
            if (!usage) return [];
            const wanted = isAfter ? requestOf(requests, resources[index].name) : 0;
            return [(usage.allocated + wanted) / usage.capacity];
          });
        return gained(balanceOf(shares(true)), balanceOf(shares(false)));
      },
    };
  },
});

export const nodeResourcesBalancedAllocation = nodeResourcesBalancedAllocationWith(
  defaultArguments.NodeResourcesBalancedAllocation,
);
