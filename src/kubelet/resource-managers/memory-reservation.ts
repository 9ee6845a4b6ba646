// The memory that is kept for the machine's own work, by NUMA node. Pure.
// https://kubernetes.io/docs/tasks/administer-cluster/memory-manager/#reserved-memory-flag

import { formatBytes } from '../../machinery/quantity.ts';
import { bytes } from '../resources/resources.ts';

export interface MemoryReservation {
  readonly numaNode: number;
  /** By resource: memory, hugepages-2Mi. */
  readonly limits: Readonly<Record<string, string>>;
}

/** Throws an Error, in Kubernetes' words, if the reservations are not those of the node as a whole. */
export function reservedMemoryOf(
  reservations: readonly MemoryReservation[],
  nodes: readonly number[],
  nodeReservedBytes: number,
): ReadonlyMap<number, ReadonlyMap<string, number>> {
  const reserved = new Map(nodes.map((node) => [node, new Map<string, number>()]));
  const totals = new Map([['memory', 0]]);
  for (const { numaNode, limits } of reservations) {
    const own = reserved.get(numaNode);
    if (!own)
      throw new Error(
        `the reserved memory configuration references a NUMA node ${numaNode} that does not exist on this machine`,
      );
    for (const [resource, amount] of Object.entries(limits)) {
      own.set(resource, bytes(amount));
      totals.set(resource, (totals.get(resource) ?? 0) + bytes(amount));
    }
  }
  for (const [resource, total] of totals) {
    const expected = resource === 'memory' ? nodeReservedBytes : 0;
    if (total !== expected)
      throw new Error(
        `the total amount "${formatBytes(total)}" of type "${resource}" is not equal to the value "${formatBytes(expected)}" determined by Node Allocatable feature`,
      );
  }
  return reserved;
}
