// Merges the hints of all resources to the NUMA nodes that a container, or a pod, gets. Pure.
// https://kubernetes.io/docs/tasks/administer-cluster/topology-manager/#topology-manager-policies

import { countOf, type Hint, type Hints, isNarrower, maskOf, type NumaMask, nodesIn } from './numa.ts';

export const topologyPolicies = ['none', 'best-effort', 'restricted', 'single-numa-node'] as const;
export type TopologyPolicy = (typeof topologyPolicies)[number];

export interface NumaLayout {
  readonly nodes: readonly number[];
  /** From each node to each other one, by their numbers. */
  readonly distances: ReadonlyMap<number, readonly number[]>;
}

export interface MergeOptions {
  readonly policy: TopologyPolicy;
  readonly layout: NumaLayout;
  readonly prefersClosest: boolean;
}

interface Merged {
  readonly hint: Hint;
  readonly isAdmitted: boolean;
}

export function mergeHints(providers: readonly Hints[], options: MergeOptions): Merged {
  const { policy, layout } = options;
  const all = providers.flatMap(listsOf);
  const isSingle = policy === 'single-numa-node';
  const lists = isSingle ? all.map((hints) => hints.filter(isSingleNode)) : all;
  const best = bestOf(lists, options);
  const hint = isSingle && best.affinity === maskOf(layout.nodes) ? { isPreferred: best.isPreferred } : best;
  return { hint, isAdmitted: policy === 'none' || policy === 'best-effort' || hint.isPreferred };
}

const listsOf = (hints: Hints): readonly (readonly Hint[])[] => {
  if (hints.size === 0) return [[{ isPreferred: true }]];
  return [...hints.values()].map((list) => {
    if (list === undefined) return [{ isPreferred: true }];
    return list.length === 0 ? [{ isPreferred: false }] : list;
  });
};

const isSingleNode = ({ affinity, isPreferred }: Hint): boolean =>
  isPreferred && (affinity === undefined || countOf(affinity) === 1);

/** A merged hint of one choice for each resource. */
interface Partial {
  readonly affinity: NumaMask;
  readonly isPreferred: boolean;
  /** That of all preferred hints so far; others make the merged hint not preferred. */
  readonly common?: NumaMask;
}

function bestOf(lists: readonly (readonly Hint[])[], options: MergeOptions): Hint & { readonly affinity: NumaMask } {
  const everything = maskOf(options.layout.nodes);
  // Equal partial results have equal continuations: their number stays small, however many choices there are.
  let partials: readonly Partial[] = [{ affinity: everything, isPreferred: true }];
  for (const hints of lists) {
    const next = new Map<string, Partial>();
    for (const partial of partials)
      for (const hint of hints) {
        const merged = mergedWith(partial, hint);
        next.set(`${merged.affinity} ${merged.isPreferred} ${merged.common}`, merged);
      }
    partials = [...next.values()];
  }
  const wanted = Math.max(0, ...lists.map(fewestNodes));
  const usable = partials.filter(({ affinity }) => affinity !== 0);
  const [first, ...others] = usable;
  if (!first) return { affinity: everything, isPreferred: false };
  const best = others.reduce((a, b) => (isBetter(b, a, wanted, options) ? b : a), first);
  return { affinity: best.affinity, isPreferred: best.isPreferred };
}

function mergedWith({ affinity, isPreferred, common }: Partial, hint: Hint): Partial {
  if (hint.affinity === undefined) return keep(affinity, isPreferred && hint.isPreferred, common);
  const isSame = common === undefined || common === hint.affinity;
  return keep(affinity & hint.affinity, isPreferred && hint.isPreferred && isSame, hint.affinity);
}

const keep = (affinity: NumaMask, isPreferred: boolean, common: NumaMask | undefined): Partial => ({
  ...{ affinity, isPreferred },
  ...(isPreferred && common !== undefined && { common }),
});

/** Of the resource's narrowest hint; 0 without one. */
const fewestNodes = (hints: readonly Hint[]): number => {
  const counts = hints.flatMap(({ affinity }) => (affinity === undefined ? [] : [countOf(affinity)]));
  return counts.length === 0 ? 0 : Math.min(...counts);
};

/**
 * Preferred hints come first. Of the others, those with the number of nodes that the most demanding resource needs; then
 * those with fewer, of them the larger ones; then those with more.
 */
function isBetter(a: Partial, b: Partial, wanted: number, options: MergeOptions): boolean {
  if (a.isPreferred !== b.isPreferred) return a.isPreferred;
  if (!a.isPreferred) {
    const [countA, countB] = [countOf(a.affinity), countOf(b.affinity)];
    const [isAbove, isOtherAbove] = [countA > wanted, countB > wanted];
    if (isAbove !== isOtherAbove) return isOtherAbove;
    if (!isAbove && countA !== countB) return countA > countB;
  }
  return isFitter(a.affinity, b.affinity, options);
}

function isFitter(a: NumaMask, b: NumaMask, { policy, prefersClosest, layout }: MergeOptions): boolean {
  if (!prefersClosest || policy === 'single-numa-node' || countOf(a) !== countOf(b)) return isNarrower(a, b);
  const [distanceA, distanceB] = [averageDistance(a, layout), averageDistance(b, layout)];
  return distanceA === distanceB ? a < b : distanceA < distanceB;
}

function averageDistance(mask: NumaMask, { distances }: NumaLayout): number {
  const nodes = nodesIn(mask);
  const all = nodes.flatMap((from) => nodes.map((to) => distances.get(from)?.[to] ?? 0));
  return all.reduce((sum, distance) => sum + distance, 0) / all.length;
}
