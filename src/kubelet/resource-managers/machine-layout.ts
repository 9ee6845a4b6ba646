// The machine's CPUs and NUMA nodes, as the kernel shows them.

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseCpuSet } from './cpu-set.ts';
import { type CpuPlace, CpuTopology } from './cpu-topology.ts';
import { type HugePages, huge } from './huge-pages.ts';
import type { NumaNodeMemory } from './static-memory.ts';
import type { NumaLayout } from './topology-policy.ts';

export interface MachineLayout {
  readonly cpus: CpuTopology;
  readonly numa: NumaLayout;
  readonly memory: readonly NumaNodeMemory[];
}

/** `root` is that of the file system; tests have another. Throws an Error if the kernel does not show its CPUs. */
export function machineLayout(root = '/'): MachineLayout {
  const devices = path.join(root, 'sys/devices/system');
  const nodes = numaNodes(path.join(devices, 'node'));
  const cpus = new Map([...parseCpuSet(text(path.join(devices, 'cpu/online')))].map((cpu) => [cpu, 0]));
  for (const { node, cpus: own } of nodes) for (const cpu of own) if (cpus.has(cpu)) cpus.set(cpu, node);
  const places = [...cpus].map(([cpu, numa]): [number, CpuPlace] => [cpu, placeOf(devices, cpu, numa)]);
  const [only] = nodes;
  return {
    cpus: new CpuTopology(new Map(places)),
    numa: {
      nodes: only ? nodes.map(({ node }) => node) : [0],
      distances: new Map(nodes.map(({ node, distances }) => [node, distances])),
    },
    memory: only ? nodes.map(memoryOf) : [wholeMemory(root)],
  };
}

interface NumaNode {
  readonly node: number;
  readonly directory: string;
  readonly cpus: Iterable<number>;
  readonly distances: readonly number[];
}

/** Nodes with CPUs or memory; none if the kernel has no NUMA support. */
function numaNodes(directory: string): readonly NumaNode[] {
  const nodes = names(directory)
    .flatMap((name) => /^node(\d+)$/.exec(name)?.[1] ?? [])
    .map(Number);
  return nodes
    .sort((a, b) => a - b)
    .map((node) => {
      const own = path.join(directory, `node${node}`);
      return {
        ...{ node, directory: own, cpus: parseCpuSet(text(path.join(own, 'cpulist'))) },
        distances: text(path.join(own, 'distance')).split(/\s+/).map(Number),
      };
    });
}

function placeOf(devices: string, cpu: number, numa: number): CpuPlace {
  const own = path.join(devices, `cpu/cpu${cpu}`);
  const lowestIn = (file: string) => {
    const cpus = [...parseCpuSet(text(path.join(own, file)))];
    return cpus.length > 0 ? Math.min(...cpus) : undefined;
  };
  const socket = Number(text(path.join(own, 'topology/physical_package_id')) || 0);
  return {
    ...{ numa, socket: Math.max(0, socket) },
    core: lowestIn('topology/thread_siblings_list') ?? cpu,
    uncore: lowestIn('cache/index3/shared_cpu_list') ?? socket,
  };
}

const memoryOf = ({ node, directory }: NumaNode): NumaNodeMemory => ({
  node,
  memoryBytes: kilobytes(text(path.join(directory, 'meminfo'))),
  hugePages: amounts(huge(path.join(directory, 'hugepages'))),
});

const wholeMemory = (root: string): NumaNodeMemory => ({
  node: 0,
  memoryBytes: kilobytes(text(path.join(root, 'proc/meminfo'))),
  hugePages: amounts(huge(path.join(root, 'sys/kernel/mm/hugepages'))),
});

const amounts = (pages: HugePages): ReadonlyMap<string, number> =>
  new Map(pages.map(({ resource, bytes }) => [resource, bytes]));

const kilobytes = (content: string): number => Number(/MemTotal:\s+(\d+) kB/.exec(content)?.[1] ?? 0) * 1024;

const text = (file: string): string => {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
};

const names = (directory: string): string[] => {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
};
