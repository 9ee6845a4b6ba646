// The checksums are those of Kubernetes' state_checkpoint_test.go.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { formatCpuSet, parseCpuSet } from './cpu-set.ts';
import { readCpuState, readMemoryState, writeCpuState, writeMemoryState } from './state-files.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'coracle-state-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const write = (name: string, content: unknown) =>
  writeFileSync(path.join(directory, name), typeof content === 'string' ? content : JSON.stringify(content));
const stored = (name: string) => JSON.parse(readFileSync(path.join(directory, name), 'utf8'));

const entries = { pod: { container1: '4-6', container2: '1-3' } };
const cpuState = { policyName: 'none', defaultCpuSet: '1-3', entries, checksum: 3610638499 };

describe('CPUs', () => {
  test('are read and written with the checksum of Kubernetes', async () => {
    write('cpu_manager_state', cpuState);
    const state = await readCpuState(directory, 'none');
    if (!state) throw new Error('no state');
    expect(formatCpuSet(state.own.get('pod')?.get('container1') ?? new Set())).toBe('4-6');
    await writeCpuState(directory, 'none', state);
    expect(stored('cpu_manager_state')).toEqual(cpuState);
    await writeCpuState(directory, 'none', { shared: parseCpuSet('4-6'), own: new Map() });
    expect(stored('cpu_manager_state')).toEqual({ policyName: 'none', defaultCpuSet: '4-6', checksum: 354655845 });
  });

  test.each<[string, unknown, string]>([
    ['damaged', { ...cpuState, defaultCpuSet: '1-2' }, 'checkpoint is corrupted'],
    ['of another policy', cpuState, 'configured policy "static" differs from state checkpoint policy "none"'],
    [
      'with another set',
      { policyName: 'static', defaultCpuSet: '1.3', checksum: 1 },
      'could not parse default cpu set "1.3": strconv.Atoi: parsing "1.3": invalid syntax',
    ],
    [
      'with another set of a container',
      { policyName: 'static', defaultCpuSet: '1-3', entries: { pod: { c: 'asd' } }, checksum: 1 },
      'could not parse cpuset "asd" for container "c" in pod "pod": strconv.Atoi: parsing "asd": invalid syntax',
    ],
    ['that is cut off', '{"policyName":', 'Unexpected end of JSON input'],
    ['of another shape', '[]', 'checkpoint is corrupted: not an object'],
  ])('in a file %s are refused', async (name, content, why) => {
    write('cpu_manager_state', content);
    const policy = name === 'damaged' ? 'none' : 'static';
    const read = readCpuState(directory, policy);
    await expect(read).rejects.toThrow(why);
    await expect(read).rejects.toThrow('please drain this node and delete the CPU manager checkpoint file');
  });
});

const table = { total: 2048, systemReserved: 512, allocatable: 1536, reserved: 512, free: 1024 };
const memoryState = {
  policyName: 'static',
  machineState: { 0: { numberOfAssignments: 0, memoryMap: { memory: table }, cells: [] } },
  entries: { pod: { container1: [{ numaAffinity: [0], type: 'memory', size: 512 }] } },
  checksum: 4215593881,
};

describe('memory', () => {
  test('is read and written with the checksum of Kubernetes', async () => {
    write('memory_manager_state', memoryState);
    const state = await readMemoryState(directory, 'static');
    if (!state) throw new Error('no state');
    expect(state.own.get('pod')?.get('container1')).toEqual([{ numaAffinity: [0], type: 'memory', size: 512 }]);
    await writeMemoryState(directory, 'static', state);
    expect(stored('memory_manager_state')).toEqual(memoryState);
  });

  test.each<[unknown, string]>([
    [{ ...memoryState, checksum: 7 }, 'checkpoint is corrupted'],
    [{ ...memoryState, policyName: 'x' }, 'configured policy "static" differs from state checkpoint policy "x"'],
    [{ ...memoryState, machineState: { 0: { cells: 'x' } } }, 'checkpoint is corrupted: numberOfAssignments'],
  ])('of a wrong file is refused', async (content, why) => {
    write('memory_manager_state', content);
    await expect(readMemoryState(directory, 'static')).rejects.toThrow(why);
  });
});

test('without files there is no state', async () => {
  expect([await readCpuState(directory, 'none'), await readMemoryState(directory, 'None')]).toEqual([
    undefined,
    undefined,
  ]);
});
