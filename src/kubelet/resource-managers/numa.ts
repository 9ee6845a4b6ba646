// Sets of NUMA nodes as bit masks, and the hints that are made of them. Pure.
// https://kubernetes.io/docs/tasks/administer-cluster/topology-manager/

/** Bit n is the NUMA node n. */
export type NumaMask = number;

/** Larger numbers of NUMA nodes do not fit into a mask. */
export const mostNumaNodes = 31;

export interface Hint {
  /** The NUMA nodes that would be used; undefined: any. */
  readonly affinity?: NumaMask;
  /** No smaller number of NUMA nodes would suffice. */
  readonly isPreferred: boolean;
}

/** By resource. Undefined: the resource has no preference; an empty list: it cannot be allocated. */
export type Hints = ReadonlyMap<string, readonly Hint[] | undefined>;

export const noHints: Hints = new Map();

export const maskOf = (nodes: Iterable<number>): NumaMask => {
  let mask = 0;
  for (const node of nodes) mask |= 1 << node;
  return mask;
};

export const nodesIn = (mask: NumaMask): number[] => {
  const nodes: number[] = [];
  for (let node = 0; node < mostNumaNodes; node++) if (has(mask, node)) nodes.push(node);
  return nodes;
};

export const has = (mask: NumaMask, node: number): boolean => (mask & (1 << node)) !== 0;

export function countOf(mask: NumaMask): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
}

/** Fewer nodes; of equal numbers, the lower ones. */
export const isNarrower = (a: NumaMask, b: NumaMask): boolean => {
  const [countA, countB] = [countOf(a), countOf(b)];
  return countA === countB ? a < b : countA < countB;
};

/** All sets of these nodes, without the empty one: those with fewer nodes first. */
export function masksOf(nodes: readonly number[]): readonly NumaMask[] {
  const masks: NumaMask[] = [];
  for (let choice = 1; choice < 1 << nodes.length; choice++)
    masks.push(maskOf(nodes.filter((_, index) => has(choice, index))));
  return masks.sort((a, b) => countOf(a) - countOf(b) || a - b);
}

/** Marks the hints with this number of nodes as preferred. */
export const withPreference = (affinities: readonly NumaMask[], fewest: number): readonly Hint[] =>
  affinities.map((affinity) => ({ affinity, isPreferred: countOf(affinity) === fewest }));
