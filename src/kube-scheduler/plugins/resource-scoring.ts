// Scores nodes by the utilization of weighted resources.
// https://kubernetes.io/docs/concepts/scheduling-eviction/resource-bin-packing/

import type { DeviceClass } from '../../api/api.ts';
import type { ResourceWeight, ShapePoint } from '../configuration/arguments.ts';
import { deviceId } from '../devices/claim-types.ts';
import type { Devices } from '../devices/devices.ts';
import { selectsNode } from '../devices/pools.ts';
import { maxScore } from '../framework.ts';
import type { NodeInfo } from '../node-info.ts';
import type { Requests } from '../pod-info.ts';

/** The score of one resource. The capacity is not 0. */
type ResourceScore = (used: number, capacity: number) => number;

/** Share of the node that stays free: 100 for an empty one. */
export const leastAllocated: ResourceScore = (used, capacity) =>
  used > capacity ? 0 : Math.floor(((capacity - used) * maxScore) / capacity);

export const mostAllocated: ResourceScore = (used, capacity) =>
  Math.floor((Math.min(used, capacity) * maxScore) / capacity);

/** Scores of points are 0 to 10; between two points the function is linear. */
export function requestedToCapacityRatio(points: readonly ShapePoint[]): ResourceScore {
  const scaled = points.map(({ utilization, score }) => ({ utilization, score: score * 10 }));
  return (used, capacity) => {
    const utilization = used > capacity ? 100 : Math.floor((used * 100) / capacity);
    const next = scaled.findIndex((point) => utilization <= point.utilization);
    if (next < 0) return scaled.at(-1)?.score ?? 0;
    const after = scaled[next];
    const before = scaled[next - 1];
    if (!before) return after.score;
    const span = after.utilization - before.utilization;
    return before.score + Math.trunc(((after.score - before.score) * (utilization - before.utilization)) / span);
  };
}

/** Amounts of one resource on a node. */
interface Usage {
  readonly capacity: number;
  readonly allocated: number;
}

type ScoredAmounts = Readonly<Record<'cpuMillis' | 'memoryBytes', number>>;

/** By the order of the resources; undefined for a resource that does not count on this node. */
export function usagesOn(
  node: NodeInfo,
  resources: readonly ResourceWeight[],
  requests: Requests,
  amounts: ScoredAmounts,
  devices: Devices,
): readonly (Usage | undefined)[] {
  return resources.map(({ name }) => {
    const usage = usageOn(node, name, requests, amounts, devices);
    return usage && usage.capacity > 0 ? usage : undefined;
  });
}

function usageOn(
  { node, allocatable, requested }: NodeInfo,
  name: string,
  requests: Requests,
  amounts: ScoredAmounts,
  devices: Devices,
): Usage | undefined {
  if (name === 'cpu') return { capacity: allocatable.cpuMillis, allocated: amounts.cpuMillis };
  if (name === 'memory') return { capacity: allocatable.memoryBytes, allocated: amounts.memoryBytes };
  if (name === 'ephemeral-storage')
    return { capacity: allocatable.ephemeralStorageBytes, allocated: requested.ephemeralStorageBytes };
  // The pod does not ask for it: all nodes are the same.
  if (!requests.scalars.get(name)) return undefined;
  const capacity = allocatable.scalars.get(name) ?? 0;
  if (capacity > 0) return { capacity, allocated: requested.scalars.get(name) ?? 0 };
  const served = devices.classOfResource(name);
  return served && deviceUsage(node, served, devices);
}

/** Counts the devices of a class that the node reaches. */
function deviceUsage(node: NodeInfo['node'], { spec }: DeviceClass, devices: Devices): Usage {
  const { ofNode, shared } = devices.slices();
  let capacity = 0;
  let allocated = 0;
  for (const slice of [...(ofNode.get(node.metadata.name) ?? []), ...shared]) {
    const { driver, pool, perDeviceNodeSelection } = slice.spec;
    if (!perDeviceNodeSelection && !selectsNode(slice.spec, node)) continue;
    for (const device of slice.spec.devices ?? []) {
      if (perDeviceNodeSelection && !selectsNode(device, node)) continue;
      if (!devices.selection.isMatch(spec.selectors ?? [], driver, device)) continue;
      capacity++;
      if (devices.allocated.isAllocated(deviceId(driver, pool.name, device.name))) allocated++;
    }
  }
  return { capacity, allocated };
}

export function requestOf({ cpuMillis, memoryBytes, ephemeralStorageBytes, scalars }: Requests, name: string): number {
  if (name === 'cpu') return cpuMillis;
  if (name === 'memory') return memoryBytes;
  return name === 'ephemeral-storage' ? ephemeralStorageBytes : (scalars.get(name) ?? 0);
}
