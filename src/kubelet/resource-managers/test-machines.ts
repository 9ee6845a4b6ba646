// For tests: machines with several sockets, NUMA nodes and threads per core.

import { type CpuPlace, CpuTopology } from './cpu-topology.ts';

interface Layout {
  readonly sockets: number;
  /** Of each socket. */
  readonly numaNodes?: number;
  /** Of each NUMA node. */
  readonly cores: number;
  readonly threads?: number;
  /** Cores with one last level cache; those of a NUMA node by default. */
  readonly coresPerCache?: number;
}

/** CPUs are numbered as Linux does it: the first threads of all cores, then the second ones. */
export function machineOf({ sockets, numaNodes = 1, cores, threads = 1, coresPerCache = cores }: Layout): CpuTopology {
  const places = new Map<number, CpuPlace>();
  const all = sockets * numaNodes * cores;
  for (let core = 0; core < all; core++)
    for (let thread = 0; thread < threads; thread++)
      places.set(core + thread * all, {
        core,
        numa: Math.floor(core / cores),
        socket: Math.floor(core / (cores * numaNodes)),
        uncore: Math.floor(core / coresPerCache),
      });
  return new CpuTopology(places);
}
