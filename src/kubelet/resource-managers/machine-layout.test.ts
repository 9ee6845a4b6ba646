import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { machineLayout } from './machine-layout.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'coracle-machine-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function write(files: Record<string, string>): void {
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(root, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, `${content}\n`);
  }
}

const cpu = (id: number, socket: number, siblings: string, cache: string) => ({
  [`sys/devices/system/cpu/cpu${id}/topology/physical_package_id`]: String(socket),
  [`sys/devices/system/cpu/cpu${id}/topology/thread_siblings_list`]: siblings,
  [`sys/devices/system/cpu/cpu${id}/cache/index3/shared_cpu_list`]: cache,
});
const node = (id: number, cpus: string, kilobytes: number, pages: number) => ({
  [`sys/devices/system/node/node${id}/cpulist`]: cpus,
  [`sys/devices/system/node/node${id}/distance`]: id === 0 ? '10 21' : '21 10',
  [`sys/devices/system/node/node${id}/meminfo`]: `Node ${id} MemTotal:    ${kilobytes} kB`,
  [`sys/devices/system/node/node${id}/hugepages/hugepages-2048kB/nr_hugepages`]: String(pages),
  [`sys/devices/system/node/node${id}/hugepages/hugepages-1048576kB/nr_hugepages`]: '0',
});

test('a machine with two NUMA nodes and threads', () => {
  write({
    'sys/devices/system/cpu/online': '0-3',
    ...cpu(0, 0, '0,2', '0,2'),
    ...cpu(1, 1, '1,3', '1,3'),
    ...cpu(2, 0, '0,2', '0,2'),
    ...cpu(3, 1, '1,3', '1,3'),
    ...node(0, '0,2', 1024, 5),
    ...node(1, '1,3', 2048, 0),
  });
  const { cpus, numa, memory } = machineLayout(root);
  expect(Object.fromEntries(cpus.places)).toEqual({
    0: { core: 0, socket: 0, numa: 0, uncore: 0 },
    1: { core: 1, socket: 1, numa: 1, uncore: 1 },
    2: { core: 0, socket: 0, numa: 0, uncore: 0 },
    3: { core: 1, socket: 1, numa: 1, uncore: 1 },
  });
  expect(numa).toEqual({
    nodes: [0, 1],
    distances: new Map([
      [0, [10, 21]],
      [1, [21, 10]],
    ]),
  });
  expect(memory.map(({ memoryBytes, hugePages }) => [memoryBytes, Object.fromEntries(hugePages)])).toEqual([
    [2 ** 20, { 'hugepages-2Mi': 5 * 2 ** 21, 'hugepages-1Gi': 0 }],
    [2 ** 21, { 'hugepages-2Mi': 0, 'hugepages-1Gi': 0 }],
  ]);
});

test('a kernel without NUMA, caches and huge pages', () => {
  write({
    'sys/devices/system/cpu/online': '0',
    'sys/devices/system/cpu/cpu0/topology/physical_package_id': '-1',
    'proc/meminfo': 'MemTotal:       4096 kB\nMemFree: 1 kB',
  });
  const { cpus, numa, memory } = machineLayout(root);
  expect(cpus.places.get(0)).toMatchObject({ core: 0, socket: 0, numa: 0 });
  expect(numa.nodes).toEqual([0]);
  expect(memory).toEqual([{ node: 0, memoryBytes: 2 ** 22, hugePages: new Map() }]);
});

test('this machine', () => {
  const { cpus, memory } = machineLayout();
  expect(cpus.cpus.size).toBeGreaterThan(0);
  expect(memory.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0)).toBeGreaterThan(2 ** 28);
});
