// NUMA nodes from which the devices of a resource can come. Pure.

import { countOf, type Hint, masksOf, type NumaMask, nodesIn, withPreference } from '../resource-managers/numa.ts';

interface Devices {
  /** The NUMA nodes of each device, as a mask; 0: it belongs to none. */
  readonly all: readonly NumaMask[];
  readonly available: readonly NumaMask[];
  /** Devices that the container takes over. */
  readonly reusable: readonly NumaMask[];
  readonly count: number;
}

/** Every set of nodes is tried: a plugin that names more nodes than this gets hints for its first ones only. */
const mostNodes = 12;

export function deviceHints({ all, available, reusable, count }: Devices): readonly Hint[] {
  if (available.length + reusable.length < count) return [];
  const nodes = nodesIn(all.reduce((mask, each) => mask | each, 0)).slice(0, mostNodes);
  const masks = masksOf(nodes);
  const within = (mask: NumaMask, devices: readonly NumaMask[]) => devices.filter((each) => (each & mask) !== 0).length;
  const large = masks.filter((mask) => within(mask, all) >= count);
  const possible = masks.filter((mask) => {
    const placed = reusable.filter((each) => each !== 0);
    return within(mask, placed) === placed.length && placed.length + within(mask, available) >= count;
  });
  return withPreference(possible, Math.min(nodes.length, ...large.map(countOf)));
}
