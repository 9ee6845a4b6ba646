// The layout of a machine's CPUs. Pure.

import { type CpuSet, sorted } from './cpu-set.ts';

export interface CpuPlace {
  /** The lowest CPU of the physical core. */
  readonly core: number;
  readonly socket: number;
  readonly numa: number;
  /** The last level cache that several cores share. */
  readonly uncore: number;
}

export type Level = keyof CpuPlace;

export class CpuTopology {
  readonly places: ReadonlyMap<number, CpuPlace>;
  readonly cpus: CpuSet;

  constructor(places: ReadonlyMap<number, CpuPlace>) {
    this.places = places;
    this.cpus = new Set(places.keys());
  }

  /** Numbers of the level's parts that have one of these CPUs, ascending. */
  ids(level: Level, cpus: Iterable<number> = this.cpus): number[] {
    const ids = new Set<number>();
    for (const cpu of cpus) {
      const place = this.places.get(cpu);
      if (place) ids.add(place[level]);
    }
    return sorted(ids);
  }

  /** Those of these CPUs that belong to one of the level's parts. */
  within(level: Level, ids: readonly number[], cpus: Iterable<number> = this.cpus): Set<number> {
    const found = new Set<number>();
    for (const cpu of cpus) {
      const place = this.places.get(cpu);
      if (place && ids.includes(place[level])) found.add(cpu);
    }
    return found;
  }

  /** CPUs of one part of the level, on average. */
  average(level: Level): number {
    return Math.floor(this.cpus.size / Math.max(1, this.ids(level).length));
  }
}
