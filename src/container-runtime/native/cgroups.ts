// Resource limits and usage through cgroup v1 and v2, which differ in names and units only.
// https://docs.kernel.org/admin-guide/cgroup-v1/ and https://docs.kernel.org/admin-guide/cgroup-v2.html

import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import type { ContainerResources } from '../container-runtime.ts';
import { removeCgroup } from '../pod-cgroups.ts';
import { signal } from './process.ts';

export interface Usage {
  readonly cpuNanoseconds: number;
  readonly memoryWorkingSetBytes: number;
  readonly memoryRssBytes: number;
}

/** One container's or pod's cgroup is a path such as /kubepods/pod1/abc, the same in every hierarchy. */
export interface Cgroups {
  readonly version: 1 | 2;
  update(path: string, resources: ContainerResources): void;
  exists(path: string): boolean;
  processes(path: string): readonly number[];
  usage(path: string): Usage | undefined;
  outOfMemoryKills(path: string): number;
  /** Kills what is left in it and below it, and removes it; parents too while they are empty, with `andParents`. */
  remove(path: string, andParents?: boolean): void;
  /** Removes it where nothing is in it: neither processes nor the cgroup of a container. */
  removeEmpty(path: string): void;
}

export function openCgroups(): Cgroups {
  const mounts = fs
    .readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '));
  const controllers = new Map<string, string>();
  for (const [, path, type, options = ''] of mounts) {
    if (type === 'cgroup') for (const name of options.split(',')) if (name !== 'rw') controllers.set(name, path);
    // Beside the others in a hybrid layout.
    if (type === 'cgroup2') controllers.set('unified', path);
  }
  if (controllers.has('memory') || controllers.has('cpu')) return new CgroupsV1(controllers);
  return new CgroupsV2(mounts.find(([, , type]) => type === 'cgroup2')?.[1] ?? '/sys/fs/cgroup');
}

abstract class Hierarchies {
  abstract readonly version: 1 | 2;
  abstract directories(path: string): readonly string[];

  exists(path: string): boolean {
    return this.directories(path).some((directory) => fs.existsSync(directory));
  }

  processes(path: string): readonly number[] {
    return pidsOf(this.directories(path)[0]);
  }

  remove(path: string, andParents = false): void {
    for (const pid of this.processes(path)) signal(pid, 'SIGKILL');
    // The runtime makes a cgroup in each hierarchy, whether it has limits or not, and leaves the parents behind.
    for (const root of this.directories('/')) {
      const parent = join(root, dirname(path));
      removeBelow(join(root, path));
      for (let at = join(root, path); at.length > root.length; at = dirname(at)) {
        if (!removeCgroup(at) || (!andParents && dirname(at) === parent)) break;
      }
    }
  }

  removeEmpty(path: string): void {
    for (const directory of this.directories(path)) if (pidsOf(directory).length === 0) removeCgroup(directory);
  }
}

/** What is below a cgroup, the innermost first. */
function removeBelow(directory: string): void {
  if (!fs.existsSync(directory)) return;
  for (const entry of fs.readdirSync(directory, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const path = join(directory, entry.name);
    for (const pid of pidsOf(path)) signal(pid, 'SIGKILL');
    removeBelow(path);
    removeCgroup(path);
  }
}

const pidsOf = (directory: string) => (read(directory, 'cgroup.procs') ?? '').split('\n').filter(Boolean).map(Number);

class CgroupsV1 extends Hierarchies implements Cgroups {
  readonly version = 1;
  readonly #controllers: ReadonlyMap<string, string>;

  constructor(controllers: ReadonlyMap<string, string>) {
    super();
    this.#controllers = controllers;
  }

  /** The memory controller's first; every other hierarchy too. */
  directories(path: string): readonly string[] {
    const roots = [this.#controllers.get('memory'), ...this.#controllers.values()].filter((root) => root !== undefined);
    return [...new Set(roots)].map((root) => join(root, path));
  }

  update(path: string, resources: ContainerResources): void {
    const { cpuShares, cpuQuota, cpuPeriod, memoryLimitBytes } = resources;
    const cpu = this.#controllers.get('cpu');
    if (cpu) {
      if (cpuShares) write(join(cpu, path), 'cpu.shares', String(cpuShares));
      if (cpuPeriod) write(join(cpu, path), 'cpu.cfs_period_us', String(cpuPeriod));
      if (cpuQuota !== undefined) write(join(cpu, path), 'cpu.cfs_quota_us', String(cpuQuota > 0 ? cpuQuota : -1));
    }
    const memory = this.#controllers.get('memory');
    if (memory && memoryLimitBytes !== undefined) limitMemory(join(memory, path), memoryLimitBytes);
  }

  usage(path: string): Usage | undefined {
    const cpu = read(join(this.#controllers.get('cpuacct') ?? '', path), 'cpuacct.usage');
    const memory = join(this.#controllers.get('memory') ?? '', path);
    const used = read(memory, 'memory.usage_in_bytes');
    if (cpu === undefined || used === undefined) return undefined;
    const stat = fields(read(memory, 'memory.stat'));
    return {
      cpuNanoseconds: Number(cpu),
      memoryWorkingSetBytes: Math.max(0, Number(used) - (stat.get('total_inactive_file') ?? 0)),
      memoryRssBytes: stat.get('total_rss') ?? 0,
    };
  }

  outOfMemoryKills(path: string): number {
    const memory = join(this.#controllers.get('memory') ?? '', path);
    return fields(read(memory, 'memory.oom_control')).get('oom_kill') ?? 0;
  }
}

class CgroupsV2 extends Hierarchies implements Cgroups {
  readonly version = 2;
  readonly #root: string;

  constructor(root: string) {
    super();
    this.#root = root;
  }

  directories(path: string): readonly string[] {
    return [join(this.#root, path)];
  }

  update(path: string, resources: ContainerResources): void {
    const { cpuShares, cpuQuota, cpuPeriod = 100_000, memoryLimitBytes } = resources;
    const directory = join(this.#root, path);
    // KEP-2254: shares 2..262144 become weight 1..10000.
    if (cpuShares) {
      const weight = 1 + Math.floor(((Math.min(Math.max(cpuShares, 2), 262144) - 2) * 9999) / 262142);
      write(directory, 'cpu.weight', String(weight));
    }
    if (cpuQuota !== undefined) write(directory, 'cpu.max', `${cpuQuota > 0 ? cpuQuota : 'max'} ${cpuPeriod}`);
    if (memoryLimitBytes !== undefined)
      write(directory, 'memory.max', memoryLimitBytes > 0 ? String(memoryLimitBytes) : 'max');
  }

  usage(path: string): Usage | undefined {
    const directory = join(this.#root, path);
    const cpu = fields(read(directory, 'cpu.stat')).get('usage_usec');
    const used = read(directory, 'memory.current');
    if (cpu === undefined || used === undefined) return undefined;
    const stat = fields(read(directory, 'memory.stat'));
    return {
      cpuNanoseconds: cpu * 1000,
      memoryWorkingSetBytes: Math.max(0, Number(used) - (stat.get('inactive_file') ?? 0)),
      memoryRssBytes: stat.get('anon') ?? 0,
    };
  }

  outOfMemoryKills(path: string): number {
    return fields(read(join(this.#root, path), 'memory.events')).get('oom_kill') ?? 0;
  }
}

function read(directory: string, name: string): string | undefined {
  try {
    return fs.readFileSync(join(directory, name), 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** A controller that the machine lacks costs its limit, not the container. */
function write(directory: string, name: string, value: string): void {
  try {
    fs.writeFileSync(join(directory, name), value);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'EACCES' && code !== 'EPERM' && code !== 'EBUSY' && code !== 'EOPNOTSUPP')
      throw new Error(`cannot set ${join(directory, name)} to ${value}: ${(error as Error).message}`);
  }
}

/** With swap counted too, where an OCI runtime has limited that: the sum may never be less than the memory alone. */
function limitMemory(directory: string, limitBytes: number): void {
  const value = String(limitBytes > 0 ? limitBytes : -1);
  const memory = join(directory, 'memory.limit_in_bytes');
  const withSwap = join(directory, 'memory.memsw.limit_in_bytes');
  const had = Number(read(directory, 'memory.limit_in_bytes'));
  const isLimited = Number(read(directory, 'memory.memsw.limit_in_bytes') ?? Number.NaN) === had;
  const files = isLimited ? [memory, withSwap] : [memory];
  if (limitBytes <= 0 || limitBytes > had) files.reverse();
  for (const file of files)
    try {
      fs.writeFileSync(file, value);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EBUSY') throw new Error(`cannot set ${file} to ${value}: more is in use`);
      if (code !== 'ENOENT') throw new Error(`cannot set ${file} to ${value}: ${(error as Error).message}`);
    }
}

function fields(text = ''): ReadonlyMap<string, number> {
  return new Map(text.split('\n').map((line) => [line.split(' ')[0], Number(line.split(' ')[1])]));
}
