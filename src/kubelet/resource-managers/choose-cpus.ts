// Chooses CPUs so that they are close to each other, or spread over NUMA nodes. Pure.
// https://kubernetes.io/docs/concepts/policy/node-resource-managers/#static-policy

import { type CpuSet, noCpus, sorted } from './cpu-set.ts';
import type { CpuTopology, Level } from './cpu-topology.ts';
import { distribution } from './distribute-cpus.ts';

export interface ChoiceOptions {
  readonly distributesAcrossNuma: boolean;
  readonly prefersUncoreCache: boolean;
  /** CPUs are taken in multiples of this. */
  readonly groupSize: number;
}

/** Throws an Error if there are not enough. */
export function chooseCpus(topology: CpuTopology, available: CpuSet, count: number, options: ChoiceOptions): CpuSet {
  if (count < 1) return noCpus;
  if (count > available.size)
    throw new Error(`not enough cpus available to satisfy request: requested=${count}, available=${available.size}`);
  const { distributesAcrossNuma, prefersUncoreCache, groupSize } = options;
  if (!distributesAcrossNuma) return new Choice(topology, available, count).packed(prefersUncoreCache);
  const packed = (cpus: CpuSet, part: number) => new Choice(topology, cpus, part).packed(false);
  const order = new Choice(topology, available, count).sortedIds('numa');
  const parts = distribution({ topology, available, count, groupSize, nodes: order });
  if (!parts) return packed(available, count);
  let left: CpuSet = available;
  let result: CpuSet = noCpus;
  for (const { node, cpus } of parts) {
    const taken = packed(topology.within('numa', [node], left), cpus);
    left = left.difference(taken);
    result = result.union(taken);
  }
  return result;
}

/** Takes the largest parts of the machine that fit: sockets, NUMA nodes, caches, cores, then single CPUs. */
class Choice {
  readonly #topology: CpuTopology;
  #free: CpuSet;
  #needed: number;
  #result: CpuSet = noCpus;
  /** From the outermost to the innermost. */
  readonly #outer: readonly ('numa' | 'socket')[];

  constructor(topology: CpuTopology, available: CpuSet, count: number) {
    this.#topology = topology;
    this.#free = available.intersection(topology.cpus);
    this.#needed = count;
    const isNumaOutside = topology.ids('socket').length >= topology.ids('numa').length;
    this.#outer = isNumaOutside ? ['numa', 'socket'] : ['socket', 'numa'];
  }

  packed(prefersUncoreCache: boolean): CpuSet {
    for (const level of this.#outer) this.#takeWhole(level);
    if (prefersUncoreCache) this.#takeCaches();
    this.#takeWhole('core');
    for (const core of this.sortedIds('core'))
      for (const cpu of sorted(this.#topology.within('core', [core], this.#free)))
        if (this.#needed > 0) this.#take([cpu]);
    if (this.#needed > 0) throw new Error('failed to allocate cpus');
    return this.#result;
  }

  #take(cpus: Iterable<number>): void {
    const taken = new Set(cpus);
    this.#result = this.#result.union(taken);
    this.#free = this.#free.difference(taken);
    this.#needed -= taken.size;
  }

  /** Those with fewer free CPUs first. A part of an inner level follows the order of its outer levels. */
  sortedIds(level: Level): number[] {
    const [outermost, second] = this.#outer;
    if (level === outermost) return this.#byFree(level, this.#free);
    const outer = level === second ? outermost : level === 'uncore' ? 'numa' : second;
    return this.sortedIds(outer).flatMap((id) => this.#byFree(level, this.#topology.within(outer, [id], this.#free)));
  }

  #byFree(level: Level, cpus: CpuSet): number[] {
    const free = (id: number) => this.#topology.within(level, [id], this.#free).size;
    return this.#topology.ids(level, cpus).sort((a, b) => free(a) - free(b) || a - b);
  }

  #takeWhole(level: Level): void {
    const whole = this.sortedIds(level).filter((id) => {
      const all = this.#topology.within(level, [id]).size;
      const size = level === 'socket' || level === 'core' ? this.#topology.average(level) : all;
      return this.#topology.within(level, [id], this.#free).size === size;
    });
    for (const id of whole) {
      const cpus = this.#topology.within(level, [id]);
      // A part in two outer ones is listed twice.
      if (this.#needed >= cpus.size && cpus.isSubsetOf(this.#free)) this.#take(cpus);
    }
  }

  #takeCaches(): void {
    for (const id of this.sortedIds('uncore')) {
      if (this.#needed >= this.#topology.average('uncore')) this.#takeWhole('uncore');
      if (this.#needed > 0) this.#takePartOf(id);
      if (this.#needed <= 0) return;
    }
  }

  /** Only if it has enough: then all CPUs share the cache. */
  #takePartOf(uncore: number): void {
    const perCore = this.#topology.average('core');
    const inCache = this.#topology.within('uncore', [uncore], this.#free);
    const cores = this.#topology.ids('core', inCache).slice(0, Math.ceil(this.#needed / perCore));
    const cpus = sorted(this.#topology.within('core', cores, this.#free));
    const isOdd = this.#needed % 2 !== 0 && perCore > 1;
    const chosen = isOdd && cpus.length > this.#needed ? cpus.slice(0, -1) : cpus;
    if (chosen.length === this.#needed) this.#take(chosen);
  }
}
