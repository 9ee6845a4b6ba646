// Cases of Kubernetes' cpu_assignment_test.go, on machines whose CPUs are numbered as here.

import { describe, expect, test } from 'vitest';
import { type ChoiceOptions, chooseCpus } from './choose-cpus.ts';
import { formatCpuSet, parseCpuSet } from './cpu-set.ts';
import type { CpuTopology } from './cpu-topology.ts';
import { machineOf } from './test-machines.ts';

const single = machineOf({ sockets: 1, cores: 4, threads: 2 }); // cores 0-3, their second threads 4-7
const dual = machineOf({ sockets: 2, cores: 3, threads: 2 }); // sockets 0-2,6-8 and 3-5,9-11
const quarters = machineOf({ sockets: 2, numaNodes: 2, cores: 4 }); // nodes 0-3, 4-7, 8-11, 12-15
const caches = machineOf({ sockets: 1, cores: 8, threads: 2, coresPerCache: 4 }); // caches 0-3,8-11 and 4-7,12-15

const plain: ChoiceOptions = { distributesAcrossNuma: false, prefersUncoreCache: false, groupSize: 1 };
const choose = (machine: CpuTopology, available: string, count: number, options: Partial<ChoiceOptions> = {}) =>
  formatCpuSet(chooseCpus(machine, parseCpuSet(available), count, { ...plain, ...options }));

describe('packed', () => {
  test.each<[string, CpuTopology, string, number, string]>([
    ['no CPU', single, '0-7', 0, ''],
    ['one CPU of the first core', single, '0-7', 1, '0'],
    ['a whole core', single, '0-7', 2, '0,4'],
    ['one core, and a part of the next', single, '0-7', 3, '0-1,4'],
    ['a partly used core first', single, '1-7', 1, '4'],
    ['a whole core before the rest of a used one', single, '1-7', 2, '1,5'],
    ['all', single, '0-7', 8, '0-7'],
    ['a whole socket', dual, '0-11', 6, '0-2,6-8'],
    ['the socket with fewer free CPUs', dual, '1-11', 2, '1,7'],
    ['the whole socket that is free', dual, '1-11', 6, '3-5,9-11'],
    ['a socket and a core of the other', dual, '0-11', 8, '0-3,6-9'],
    ['a whole NUMA node', quarters, '0-15', 4, '0-3'],
    ['the whole NUMA node that is free', quarters, '1-15', 4, '4-7'],
    ['a socket before NUMA nodes', quarters, '1-15', 8, '8-15'],
  ])('%s', (_, machine, available, count, expected) => {
    expect(choose(machine, available, count)).toBe(expected);
  });

  test('too few are an error', () => {
    expect(() => choose(single, '0-3', 5)).toThrow(
      'not enough cpus available to satisfy request: requested=5, available=4',
    );
  });
});

describe('aligned to last level caches', () => {
  test.each<[string, string, number, string]>([
    ['a whole cache', '0-15', 8, '0-3,8-11'],
    ['a part of one cache', '0-15', 4, '0-1,8-9'],
    ['the cache with fewer free CPUs, if its cores suffice', '1-7,9-15', 4, '1-2,9-10'],
    ['another cache if a core is not whole', '1-15', 4, '4-5,12-13'],
    ['an odd number', '0-15', 3, '0-1,8'],
    ['a whole cache and a part of the other', '0-15', 10, '0-4,8-12'],
  ])('%s', (_, available, count, expected) => {
    expect(choose(caches, available, count, { prefersUncoreCache: true })).toBe(expected);
  });
});

describe("Kubernetes' cases", () => {
  const large = machineOf({ sockets: 2, numaNodes: 2, cores: 10, threads: 2 });
  test.each<[number, string, number, string]>([
    [1, '0-79', 64, '0-7,10-17,20-27,30-37,40-47,50-57,60-67,70-77'],
    [1, '0-79', 48, '0-7,10-17,20-27,40-47,50-57,60-67'],
    [1, '1-29,32-39,41-69,72-79', 48, '1-8,10-17,20-27,41-48,50-57,60-67'],
    [1, '2-29,31-39,42-69,71-79', 48, '10-17,20-27,31-38,50-57,60-67,71-78'],
    [1, '0-2,10-12,20-22,30-32,40-41,50-51,60-61,70-71', 16, '0-1,10-11,20-21,30-31,40-41,50-51,60-61,70-71'],
    [1, '0-79', 26, '0-6,10-16,40-45,50-55'],
    [2, '0-79', 26, '0-6,10-15,40-46,50-55'],
    [1, '0-79', 62, '0-7,10-17,20-27,30-37,40-47,50-57,60-66,70-76'],
    [2, '0-79', 62, '0-7,10-17,20-27,30-36,40-47,50-57,60-67,70-76'],
    [1, '0-8,10-18,20-39,40-48,50-58,60-79', 62, '0-7,10-17,20-27,30-37,40-46,50-56,60-67,70-77'],
    [2, '0-8,10-18,20-39,40-48,50-58,60-79', 62, '0-7,10-16,20-27,30-37,40-47,50-56,60-67,70-77'],
    [1, '0-3,10-13,20-23,30-36,40-43,50-53,60-63,70-76', 34, '0-3,10-13,20-23,30-34,40-43,50-53,60-63,70-74'],
  ])('distributed in groups of %d: of %s, %d', (groupSize, available, count, expected) => {
    expect(choose(large, available, count, { distributesAcrossNuma: true, groupSize })).toBe(expected);
  });

  test.each([
    ['0-79', 40, '0-19,40-59'],
    ['0-79', 20, '0-9,40-49'],
    ['10-39,50-79', 20, '10-19,50-59'],
    ['0-79', 60, '0-29,40-69'],
    ['0-79', 64, '0-31,40-71'],
  ])('packed: of %s, %d', (available, count, expected) => {
    expect(choose(large, available, count)).toBe(expected);
  });
});

describe('distributed across NUMA nodes', () => {
  test.each<[string, string, number, number, string]>([
    ['one node if it suffices', '0-15', 3, 1, '0-2'],
    ['two nodes get the same', '0-15', 6, 1, '0-2,4-6'],
    ['three nodes get the same', '0-15', 9, 1, '0-2,4-6,8-10'],
    ['the rest goes to some of the nodes', '0-15', 7, 1, '0-6'],
    ['four nodes', '0-15', 13, 1, '0-6,8-10,12-14'],
    ['in groups', '0-15', 6, 2, '0-5'],
    ['nodes with too few are left out', '0,4-15', 6, 1, '4-6,8-10'],
  ])('%s', (_, available, count, groupSize, expected) => {
    expect(choose(quarters, available, count, { distributesAcrossNuma: true, groupSize })).toBe(expected);
  });
});
