// The files of one cgroup directory.

import * as fs from 'node:fs';
import { join } from 'node:path';
import type { ContainerResources } from '../interface.ts';
import { signal } from '../processes/process.ts';

export function read(directory: string, name: string): string | undefined {
  try {
    return fs.readFileSync(join(directory, name), 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** A controller that the machine lacks costs its limit, not the container. */
export function write(directory: string, name: string, value: string): void {
  try {
    fs.writeFileSync(join(directory, name), value);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'EACCES' && code !== 'EPERM' && code !== 'EBUSY' && code !== 'EOPNOTSUPP')
      throw new Error(`cannot set ${join(directory, name)} to ${value}: ${(error as Error).message}`);
  }
}

/** CPUs and memory nodes have the same files in v1 and v2. */
export function setSets(
  { cpusetCpus, cpusetMems }: Pick<ContainerResources, 'cpusetCpus' | 'cpusetMems'>,
  set: (file: string, value: string) => void,
): void {
  if (cpusetCpus) set('cpuset.cpus', cpusetCpus);
  if (cpusetMems) set('cpuset.mems', cpusetMems);
}

const pageBytes = 4096;
export const wholePages = (bytes: number | undefined): number | undefined =>
  bytes && Math.max(1, Math.floor(bytes / pageBytes)) * pageBytes;

/** Lines of a name and a number. */
export const fields = (text = ''): ReadonlyMap<string, number> =>
  new Map(text.split('\n').map((line) => [line.split(' ')[0], Number(line.split(' ')[1])]));

export const processesIn = (directory: string): number[] =>
  (read(directory, 'cgroup.procs') ?? '').split('\n').filter(Boolean).map(Number);

/** Names of its child cgroups; none if it does not exist. */
export function childrenOf(directory: string): string[] {
  try {
    const entries = fs.readdirSync(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch {
    return [];
  }
}

/**
 * Removes one cgroup, by rmdir although it has files; false when it stays. Processes that were killed may take a moment
 * to leave it, and are not listed any more while they do.
 */
export function removeCgroup(directory: string): boolean {
  for (let tries = 0; tries < 50; tries++)
    try {
      fs.rmdirSync(directory);
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return true;
      if (code !== 'EBUSY' || childrenOf(directory).length > 0) return false;
      Atomics.wait(pause, 0, 0, 2);
    }
  return false;
}
const pause = new Int32Array(new SharedArrayBuffer(4));

/** Kills and removes the cgroups below one, innermost first. */
export function removeBelow(directory: string): void {
  for (const name of childrenOf(directory)) {
    const path = join(directory, name);
    for (const pid of processesIn(path)) signal(pid, 'SIGKILL');
    removeBelow(path);
    removeCgroup(path);
  }
}
