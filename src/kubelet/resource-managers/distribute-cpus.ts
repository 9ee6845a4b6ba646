// Splits a number of CPUs evenly over as few NUMA nodes as possible. Pure.
// https://github.com/kubernetes/enhancements/tree/master/keps/sig-node/2902-cpumanager-distribute-cpus-policy-option

import type { CpuSet } from './cpu-set.ts';
import type { CpuTopology } from './cpu-topology.ts';

interface Request {
  readonly topology: CpuTopology;
  readonly available: CpuSet;
  readonly count: number;
  readonly groupSize: number;
  /** In the order in which they are tried. */
  readonly nodes: readonly number[];
}

interface Part {
  readonly node: number;
  readonly cpus: number;
}

interface Balanced {
  readonly balance: number;
  readonly parts: readonly Part[];
}

/** Undefined if an even distribution is not possible. */
export function distribution(request: Request): readonly Part[] | undefined {
  const { topology, available, count, groupSize, nodes } = request;
  if (count % groupSize !== 0) return undefined;
  const allNodes = topology.ids('numa').length;
  const groups = Math.ceil(topology.cpus.size / groupSize);
  const groupsPerNode = Math.ceil(groups / allNodes);
  const needed = Math.ceil(count / groupSize);
  const free = new Map(nodes.map((node) => [node, topology.within('numa', [node], available).size]));
  for (let size = Math.ceil(needed / groupsPerNode); size <= Math.min(needed, nodes.length); size++) {
    let best: Balanced | undefined;
    for (const combination of combinations(nodes, size)) {
      const found = balanced(combination, free, request);
      if (found && (!best || found.balance < best.balance)) best = found;
      if (best?.balance === 0) break;
    }
    if (best) return best.parts;
  }
  return undefined;
}

function balanced(
  nodes: readonly number[],
  free: ReadonlyMap<number, number>,
  { count, groupSize }: Request,
): Balanced | undefined {
  const freeOf = (node: number) => free.get(node) ?? 0;
  const groups = nodes.reduce((sum, node) => sum + Math.floor(freeOf(node) / groupSize), 0);
  const each = Math.floor(count / nodes.length / groupSize) * groupSize;
  if (groups * groupSize < count || nodes.some((node) => freeOf(node) < each)) return undefined;
  const after = new Map(free);
  for (const node of nodes) after.set(node, freeOf(node) - each);
  const evenly = nodes.map((node) => ({ node, cpus: each }));
  const remainder = count - each * nodes.length;
  if (remainder === 0) return { balance: deviation(after), parts: evenly };
  const best = bestRemainder(nodes, after, remainder, groupSize);
  return best && { balance: best.balance, parts: [...evenly, ...best.parts] };
}

/** The nodes that get the rest, in groups: as many nodes as possible, so that the rest is balanced too. */
function bestRemainder(
  nodes: readonly number[],
  after: ReadonlyMap<number, number>,
  remainder: number,
  groupSize: number,
): Balanced | undefined {
  const able = nodes.filter((node) => (after.get(node) ?? 0) >= groupSize);
  let best: Balanced | undefined;
  for (let size = able.length; size >= 1; size--)
    for (const subset of combinations(able, size)) {
      const found = striped(subset, after, remainder, groupSize);
      if (found && (!best || found.balance < best.balance)) best = found;
    }
  return best;
}

function striped(
  subset: readonly number[],
  after: ReadonlyMap<number, number>,
  remainder: number,
  groupSize: number,
): Balanced | undefined {
  const left = new Map(after);
  const parts: Part[] = [];
  let rest = remainder;
  while (rest > 0) {
    const before = rest;
    for (const node of subset) {
      const own = left.get(node) ?? 0;
      if (rest === 0 || own < groupSize) continue;
      left.set(node, own - groupSize);
      parts.push({ node, cpus: groupSize });
      rest -= groupSize;
    }
    if (rest === before) return undefined;
  }
  return { balance: deviation(left), parts };
}

const thousandths = (value: number): number => Math.round(value * 1000) / 1000;

/** The standard deviation of free CPUs per node, in thousandths as in Kubernetes: the last digits must not decide. */
function deviation(free: ReadonlyMap<number, number>): number {
  const values = [...free.values()];
  const mean = thousandths(values.reduce((sum, value) => sum + value, 0) / values.length);
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return thousandths(Math.sqrt(squares / values.length));
}

function* combinations(items: readonly number[], size: number): Generator<readonly number[]> {
  if (size === 0) return void (yield []);
  for (const [index, item] of items.entries())
    for (const rest of combinations(items.slice(index + 1), size - 1)) yield [item, ...rest];
}
