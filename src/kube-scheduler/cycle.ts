// One scheduling cycle: filter the nodes, score the rest, choose. Pure: it reads the snapshot and changes nothing.

import type { Random } from '../machinery/random.ts';
import { prepareFilters, refusalBesideNominated, refusalOf } from './filtering.ts';
import type { Failure, Filter, FilteredNode, Plugin, Reservation, Snapshot } from './framework.ts';
import type { NodeInfo } from './node-info.ts';
import type { PodInfo } from './pod-info.ts';

/** One node that was left, with the score of each plugin (already times its weight). */
export interface RankedNode {
  readonly node: string;
  readonly total: number;
  readonly scores: Readonly<Record<string, number>>;
}

export type CycleResult =
  | {
      readonly ok: true;
      readonly node: string;
      readonly filtered: readonly FilteredNode[];
      ranked(): readonly RankedNode[];
      readonly evaluated: number;
      /** Holds the volumes that the pod needs beside the node. */
      reserve(): readonly HeldReservation[];
    }
  | Failure;

export interface HeldReservation extends Reservation {
  /** Name of the plugin. */
  readonly plugin: string;
}

/** All nodes are looked at up to this many; of more, a share that shrinks with their number. */
const minFeasibleNodes = 100;
const minPercentage = 5;

/** How many feasible nodes are enough: https://kubernetes.io/docs/concepts/scheduling-eviction/scheduler-perf-tuning/ */
export function enoughNodes(total: number, wanted = 0): number {
  if (total < minFeasibleNodes) return total;
  const percentage = wanted || Math.max(minPercentage, 50 - Math.floor(total / 125));
  return Math.max(minFeasibleNodes, Math.floor((total * percentage) / 100));
}

interface Filtered {
  readonly feasible: readonly NodeInfo[];
  readonly filtered: readonly FilteredNode[];
  readonly evaluated: number;
}

export interface FoundNodes extends Filtered {
  readonly filters: readonly Filter[];
  readonly isNominated: boolean;
  /** The nodes that filters permit by name, and the plugins that named any. */
  readonly named?: { readonly nodes: ReadonlySet<string>; readonly plugins: ReadonlySet<string> };
}

/** Of an extender, already times its weight. */
interface ExtraScores {
  readonly name: string;
  readonly scores: ReadonlyMap<string, number>;
}

export class SchedulingCycle {
  readonly #plugins: readonly Plugin[];
  readonly #random: Random;
  readonly #percentage: number;
  /** The first node to filter for the next pod, so that the cycle visits all nodes equally. */
  #startIndex = 0;

  /** `percentage` of feasible nodes that are enough; 0: by the number of nodes. */
  constructor(plugins: readonly Plugin[], random: Random, percentage = 0) {
    this.#plugins = plugins;
    this.#random = random;
    this.#percentage = percentage;
  }

  run(pod: PodInfo, snapshot: Snapshot): CycleResult {
    const found = this.find(pod, snapshot);
    return 'feasible' in found ? this.choose(pod, found, snapshot) : found;
  }

  /** Nodes that pass the filters. `needsMany`: some of them are refused later. */
  find(pod: PodInfo, snapshot: Snapshot, { needsMany = false, skipsNominated = false } = {}): FoundNodes | Failure {
    const filters = prepareFilters(this.#plugins, pod, snapshot);
    if ('rejection' in filters) {
      const { plugin, rejection } = filters;
      return {
        ok: false,
        plugins: new Set([plugin.name]),
        filtered: [],
        everywhere: rejection.reason,
        stoppedAt: plugin.name,
        filters: filters.filters,
        evaluated: 0,
      };
    }
    const named = namedNodes(filters);
    const nominated = skipsNominated ? undefined : this.#filterNominated(filters, pod, snapshot);
    const looks = nominated ?? this.#filter(filters, pod, snapshot, named?.nodes, needsMany);
    const found = { ...looks, filters, isNominated: nominated !== undefined, ...(named && { named }) };
    return found.feasible.length === 0 ? this.failure(found) : found;
  }

  failure({ filtered, filters, evaluated, named }: FoundNodes, refuser?: string): Failure {
    const plugins = new Set([
      ...(named?.plugins ?? []),
      ...filtered.map((f) => f.plugin),
      ...(refuser ? [refuser] : []),
    ]);
    const absent = named && `node(s) didn't satisfy plugin(s) [${[...named.plugins].sort().join(' ')}]`;
    return { ok: false, plugins, filtered, filters, evaluated, ...(absent !== undefined && { absent }) };
  }

  /** One of the found nodes. `extra` are scores of others than plugins. */
  choose(
    pod: PodInfo,
    { feasible, filtered, filters, evaluated }: FoundNodes,
    snapshot: Snapshot,
    extra: readonly ExtraScores[] = [],
  ): CycleResult {
    const [only] = feasible;
    const chosen =
      feasible.length === 1
        ? { node: only.name, ranked: () => [{ node: only.name, total: 0, scores: {} }] }
        : this.#rank(pod, feasible, filters, snapshot, extra);
    return { ok: true, filtered, evaluated, ...chosen, reserve: () => reserveOn(filters, chosen.node, snapshot) };
  }

  /** The nominated node if the pod fits there by now; other nodes are skipped then. */
  #filterNominated(filters: readonly Filter[], pod: PodInfo, snapshot: Snapshot): Filtered | undefined {
    const node = snapshot.node(snapshot.nominations.nodeOf(pod.pod.metadata.uid) ?? '');
    if (!node || this.#refusal(filters, pod, node, snapshot)) return undefined;
    return { feasible: [node], filtered: [], evaluated: 1 };
  }

  #filter(
    filters: readonly Filter[],
    pod: PodInfo,
    snapshot: Snapshot,
    names: ReadonlySet<string> | undefined,
    needsMany: boolean,
  ): Filtered {
    const all = snapshot.nodes;
    const nodes = names ? [...names].flatMap((name) => snapshot.node(name) ?? []) : all;
    const feasible: NodeInfo[] = [];
    const filtered: FilteredNode[] = [];
    const isEnough = needsMany || this.#plugins.some(({ prepareScore }) => prepareScore);
    const enough = isEnough ? enoughNodes(nodes.length, this.#percentage) : 1;
    let evaluated = 0;
    for (; evaluated < nodes.length && feasible.length < enough; evaluated++) {
      const node = nodes[(this.#startIndex + evaluated) % nodes.length];
      const refusal = this.#refusal(filters, pod, node, snapshot);
      if (refusal) filtered.push(refusal);
      else feasible.push(node);
    }
    this.#startIndex = all.length > 0 ? (this.#startIndex + evaluated) % all.length : 0;
    return { feasible, filtered, evaluated };
  }

  #refusal(filters: readonly Filter[], pod: PodInfo, node: NodeInfo, snapshot: Snapshot): FilteredNode | undefined {
    const beside =
      snapshot.nominations.size > 0 ? refusalBesideNominated(this.#plugins, pod, node, snapshot) : undefined;
    return beside ?? refusalOf(filters, node);
  }

  #rank(
    pod: PodInfo,
    feasible: readonly NodeInfo[],
    filters: readonly Filter[],
    snapshot: Snapshot,
    extra: readonly ExtraScores[],
  ): { node: string; ranked(): readonly RankedNode[] } {
    const totals = new Float64Array(feasible.length);
    const columns: { name: string; scores: Float64Array }[] = [];
    for (const plugin of this.#plugins) {
      if (!plugin.prepareScore) continue;
      const filter = filters.find((each) => each.cycle.scoring && each.plugin.name === plugin.name)?.cycle;
      const cycle = filter?.scoring?.(feasible) ?? plugin.prepareScore(pod, feasible, snapshot);
      if (cycle === 'skip') continue;
      const scores = new Float64Array(feasible.length);
      for (let i = 0; i < feasible.length; i++) scores[i] = cycle.score(feasible[i]);
      cycle.normalize?.(scores);
      const weight = plugin.weight ?? 1;
      for (let i = 0; i < scores.length; i++) totals[i] += scores[i] *= weight;
      columns.push({ name: plugin.name, scores });
    }
    for (const { name, scores } of extra) {
      const column = Float64Array.from(feasible, (node) => scores.get(node.name) ?? 0);
      for (let i = 0; i < column.length; i++) totals[i] += column[i];
      columns.push({ name, scores: column });
    }
    const best = this.#best(totals);
    const ranked = () =>
      feasible
        .map((node, i) => ({
          node: node.name,
          total: totals[i],
          scores: Object.fromEntries(columns.map(({ name, scores }) => [name, scores[i]])),
        }))
        .sort((a, b) => b.total - a.total);
    return { node: feasible[best].name, ranked };
  }

  /** Among equals chance decides, each with the same probability. */
  #best(totals: Float64Array): number {
    let best = 0;
    let equals = 1;
    for (let i = 1; i < totals.length; i++) {
      if (totals[i] > totals[best]) {
        best = i;
        equals = 1;
      } else if (totals[i] === totals[best] && this.#random.int(++equals) === 0) best = i;
    }
    return best;
  }
}

function namedNodes(filters: readonly Filter[]): FoundNodes['named'] {
  const naming = filters.filter(({ cycle }) => cycle.nodes);
  const [first, ...others] = naming.map(({ cycle }) => cycle.nodes ?? new Set<string>());
  if (!first) return undefined;
  const nodes = others.reduce((common, names) => common.intersection(names), new Set(first));
  return { nodes, plugins: new Set(naming.map(({ plugin }) => plugin.name)) };
}

function reserveOn(filters: readonly Filter[], name: string, snapshot: Snapshot): HeldReservation[] {
  const node = snapshot.node(name);
  const held: HeldReservation[] = [];
  try {
    for (const { plugin, cycle } of filters) {
      const reservation = node && cycle.reserve?.(node);
      if (reservation) held.push({ ...reservation, plugin: plugin.name });
    }
  } catch (error) {
    for (const { release } of held) release();
    throw error;
  }
  return held;
}

/** `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.` */
export function unschedulableMessage(
  total: number,
  result: Extract<CycleResult, { ok: false }>,
  preemption?: string,
): string {
  const counts = new Map<string, number>();
  for (const { reasons } of result.filtered)
    for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  if (result.absent !== undefined && total > result.filtered.length)
    counts.set(result.absent, total - result.filtered.length);
  const texts = result.everywhere
    ? [result.everywhere]
    : [...counts].map(([reason, count]) => `${count} ${reason}`).sort();
  const because =
    total === 0
      ? 'no nodes available to schedule pods'
      : `0/${total} nodes are available${texts.length > 0 ? `: ${texts.join(', ')}.` : ''}`;
  return preemption ? `${because} ${preemption}` : because;
}
