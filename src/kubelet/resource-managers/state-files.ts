// The state of the CPU and memory managers on disk, in the format and with the checksums of Kubernetes: the containers of
// a node keep their CPUs and memory when the kubelet restarts, also that of Kubernetes.

import { mkdir, open, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { type Fields, isList } from '../../machinery/parsed.ts';
import { corrupted, objectIn, textIn } from '../files/checkpoint-fields.ts';
import { formatCpuSet, parseCpuSet } from './cpu-set.ts';
import type { CpuAssignments } from './static-cpus.ts';
import type { MachineMemory, MemoryAssignments, MemoryBlock, MemoryTable } from './static-memory.ts';

const cpuFile = 'cpu_manager_state';
const memoryFile = 'memory_manager_state';

interface MemoryState {
  readonly machine: MachineMemory;
  readonly own: MemoryAssignments;
}

/** Undefined without a file. Throws an Error for a damaged file, and for that of another policy. */
export const readCpuState = (directory: string, policy: string): Promise<CpuAssignments | undefined> =>
  readState(directory, cpuFile, 'CPU', (content) => {
    checkPolicy(content, policy);
    const shared = inWords(`could not parse default cpu set ${JSON.stringify(content['defaultCpuSet'])}`, () =>
      parseCpuSet(textIn(content, 'defaultCpuSet')),
    );
    const own = mapOf(objectIn(content['entries'] ?? {}), (containers, pod) =>
      mapOf(objectIn(containers), (text, container) =>
        inWords(
          `could not parse cpuset ${JSON.stringify(text)} for container ${JSON.stringify(container)} in pod ${JSON.stringify(pod)}`,
          () => parseCpuSet(String(text)),
        ),
      ),
    );
    const state = { shared, own };
    checkSum(content, cpuDump(policy, state));
    return state;
  });

export const writeCpuState = (directory: string, policy: string, state: CpuAssignments): Promise<void> =>
  writeState(directory, cpuFile, {
    ...{ policyName: policy, defaultCpuSet: formatCpuSet(state.shared) },
    ...(state.own.size > 0 && { entries: objectOf(state.own, (own) => objectOf(own, formatCpuSet)) }),
    checksum: sumOf(cpuDump(policy, state)),
  });

/** Undefined without a file. Throws an Error for a damaged file, and for that of another policy. */
export const readMemoryState = (directory: string, policy: string): Promise<MemoryState | undefined> =>
  readState(directory, memoryFile, 'memory', (content) => {
    checkPolicy(content, policy);
    const nodes = Object.entries(objectIn(content['machineState'] ?? {}));
    const machine = new Map(nodes.map(([node, state]) => [Number(node), numaIn(objectIn(state))]));
    const own = mapOf(objectIn(content['entries'] ?? {}), (containers) =>
      mapOf(objectIn(containers), (blocks) => listIn(blocks).map((block) => blockIn(objectIn(block)))),
    );
    checkSum(content, memoryDump(policy, { machine, own }));
    return { machine, own };
  });

export const writeMemoryState = (directory: string, policy: string, state: MemoryState): Promise<void> =>
  writeState(directory, memoryFile, {
    policyName: policy,
    machineState: objectOf(state.machine, ({ numberOfAssignments, memoryMap, cells }) => ({
      ...{ numberOfAssignments, memoryMap: Object.fromEntries(memoryMap), cells },
    })),
    ...(state.own.size > 0 && { entries: objectOf(state.own, (own) => objectOf(own, (blocks) => blocks)) }),
    checksum: sumOf(memoryDump(policy, state)),
  });

/** Of Kubernetes: FNV-1a over the printed structure. */
function sumOf(dump: string): number {
  let sum = 0x811c9dc5;
  for (const byte of Buffer.from(dump)) sum = Math.imul(sum ^ byte, 0x01000193) >>> 0;
  return sum;
}

const byName = <K, V>(entries: ReadonlyMap<K, V>): [K, V][] =>
  [...entries].sort(([a], [b]) => (typeof a === 'number' ? a - Number(b) : a < b ? -1 : 1));
const printed = <K, V>(entries: ReadonlyMap<K, V>, print: (value: V) => string): string =>
  `map[${byName(entries)
    .map(([name, value]) => `${name}:${print(value)}`)
    .join(' ')}]`;

const cpuDump = (policy: string, { shared, own }: CpuAssignments): string =>
  [
    `(*state.CPUManagerCheckpoint){PolicyName:(string)${policy} DefaultCPUSet:(string)${formatCpuSet(shared)} `,
    `Entries:(map[string]map[string]string)${printed(own, (containers) => printed(containers, formatCpuSet))} `,
    'Checksum:(checksum.Checksum)0}',
  ].join('');

function memoryDump(policy: string, { machine, own }: MemoryState): string {
  const table = ({ total, systemReserved, allocatable, reserved, free }: MemoryTable) =>
    `<*>{TotalMemSize:(uint64)${total} SystemReserved:(uint64)${systemReserved} Allocatable:(uint64)${allocatable} Reserved:(uint64)${reserved} Free:(uint64)${free}}`;
  const list = (nodes: readonly number[]) => `([]int)[${nodes.join(' ')}]`;
  const block = ({ numaAffinity, type, size }: MemoryBlock) =>
    `{NUMAAffinity:${list(numaAffinity)} Type:(v1.ResourceName)${type} Size:(uint64)${size}}`;
  const nodes = printed(
    machine,
    ({ numberOfAssignments, memoryMap, cells }) =>
      `<*>{NumberOfAssignments:(int)${numberOfAssignments} MemoryMap:(map[v1.ResourceName]*state.MemoryTable)${printed(memoryMap, table)} Cells:${list(cells)}}`,
  );
  const entries = printed(own, (containers) => printed(containers, (blocks) => `[${blocks.map(block).join(' ')}]`));
  return [
    `(*state.MemoryManagerCheckpoint){PolicyName:(string)${policy} MachineState:(state.NUMANodeMap)${nodes} `,
    `Entries:(state.ContainerMemoryAssignments)${entries} Checksum:(checksum.Checksum)0}`,
  ].join('');
}

async function readState<T>(
  directory: string,
  name: string,
  manager: string,
  parse: (content: Fields) => T,
): Promise<T | undefined> {
  const file = path.join(directory, name);
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return undefined;
  });
  if (text === undefined) return undefined;
  try {
    return parse(objectIn(JSON.parse(text)));
  } catch (error) {
    const remedy = `please drain this node and delete the ${manager} manager checkpoint file "${file}" before restarting Kubelet`;
    throw new Error(`could not restore state from checkpoint: ${(error as Error).message}, ${remedy}`);
  }
}

async function writeState(directory: string, name: string, content: object): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o750 });
  const file = path.join(directory, name);
  const handle = await open(`${file}.tmp`, 'w', 0o600);
  try {
    await handle.writeFile(JSON.stringify(content));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${file}.tmp`, file);
}

function checkPolicy(content: Fields, policy: string): void {
  if (content['policyName'] === policy) return;
  const stored = JSON.stringify(content['policyName']);
  throw new Error(`configured policy ${JSON.stringify(policy)} differs from state checkpoint policy ${stored}`);
}

function checkSum({ checksum }: Fields, dump: string): void {
  if (checksum !== sumOf(dump)) throw new Error('checkpoint is corrupted');
}

function inWords<T>(words: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new Error(`${words}: ${(error as Error).message}`);
  }
}
const listIn = (value: unknown): readonly unknown[] => (isList(value) ? value : corrupted('not a list'));
const numberIn = (fields: Fields, name: string): number => {
  const value = fields[name];
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : corrupted(name);
};
const numbersIn = (fields: Fields, name: string): readonly number[] =>
  listIn(fields[name]).map((value) => numberIn({ value }, 'value'));

const mapOf = <T>(fields: Fields, read: (value: unknown, name: string) => T): Map<string, T> =>
  new Map(Object.entries(fields).map(([name, value]) => [name, read(value, name)]));

const objectOf = <K extends string | number, V>(map: ReadonlyMap<K, V>, write: (value: V) => unknown) =>
  Object.fromEntries(byName(map).map(([name, value]) => [name, write(value)]));

const numaIn = (fields: Fields) => ({
  numberOfAssignments: numberIn(fields, 'numberOfAssignments'),
  memoryMap: mapOf(objectIn(fields['memoryMap']), (table) => tableIn(objectIn(table))),
  cells: numbersIn(fields, 'cells'),
});

const tableIn = (fields: Fields): MemoryTable => ({
  ...{ total: numberIn(fields, 'total'), systemReserved: numberIn(fields, 'systemReserved') },
  ...{ allocatable: numberIn(fields, 'allocatable'), reserved: numberIn(fields, 'reserved') },
  free: numberIn(fields, 'free'),
});

const blockIn = (fields: Fields): MemoryBlock => ({
  ...{ numaAffinity: numbersIn(fields, 'numaAffinity'), type: textIn(fields, 'type') },
  size: numberIn(fields, 'size'),
});
