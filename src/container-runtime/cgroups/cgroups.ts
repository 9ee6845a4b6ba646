// Resource limits and usage through cgroup v1, hybrid and v2, which differ in names and units only.
// https://docs.kernel.org/admin-guide/cgroup-v1/ and https://docs.kernel.org/admin-guide/cgroup-v2.html

import * as fs from 'node:fs';
import type { ContainerResources } from '../container-runtime.ts';
import { CgroupsV1 } from './cgroups-v1.ts';
import { CgroupsV2 } from './cgroups-v2.ts';

export interface Usage {
  readonly cpuNanoseconds: number;
  readonly memoryWorkingSetBytes: number;
  readonly memoryRssBytes: number;
}

/** The limits of a cgroup; an absent one means unlimited. */
export type Limits = Pick<ContainerResources, 'cpuShares' | 'cpuQuota' | 'cpuPeriod' | 'memoryLimitBytes'>;

/** One container's or pod's cgroup is a path such as /kubepods/pod1/abc, the same in every hierarchy. */
export interface Cgroups {
  readonly version: 1 | 2;
  /** Sizes of huge pages that can be limited, such as 2MB. */
  readonly hugePageSizes: readonly string[];
  /** Makes it, and its parents, in every hierarchy that holds limits, and sets the limits that are given. */
  create(path: string, resources: ContainerResources): void;
  /** Sets the limits that are given; 0 lifts a quota or a memory limit. */
  update(path: string, resources: ContainerResources): void;
  /** Rounded as in the kernel. */
  rounded(resources: ContainerResources): Limits;
  /** Undefined where there is no such cgroup. */
  limits(path: string): Limits | undefined;
  exists(path: string): boolean;
  /** Names of the cgroups in it. */
  children(path: string): readonly string[];
  processes(path: string): readonly number[];
  usage(path: string): Usage | undefined;
  memoryUsageBytes(path: string): number;
  /** Processes and threads in it and below it. */
  processCount(path: string): number;
  outOfMemoryKills(path: string): number;
  /** Kills the processes in it and below it, and removes it; with `andParents` also empty parents. */
  remove(path: string, andParents?: boolean): void;
  /** Removes it if it has neither processes nor container cgroups. */
  removeEmpty(path: string): void;
}

/** `mounts` has the format of /proc/self/mounts; tests pass a file. */
export function openCgroups(
  mounts = fs.readFileSync('/proc/self/mounts', 'utf8'),
  hugePages = machinePages(),
): Cgroups {
  const entries = mounts.split('\n').map((line) => line.split(' '));
  const controllers = new Map<string, string>();
  for (const [, path, type, options = ''] of entries) {
    if (type === 'cgroup') for (const name of options.split(',')) if (name !== 'rw') controllers.set(name, path);
    // Beside the others in a hybrid layout.
    if (type === 'cgroup2') controllers.set('unified', path);
  }
  if (controllers.has('memory') || controllers.has('cpu')) return new CgroupsV1(controllers, hugePages);
  return new CgroupsV2(entries.find(([, , type]) => type === 'cgroup2')?.[1] ?? '/sys/fs/cgroup', hugePages);
}

/** As the files of the hugetlb controller name them. */
function machinePages(): readonly string[] {
  const directory = '/sys/kernel/mm/hugepages';
  if (!fs.existsSync(directory)) return [];
  return fs.readdirSync(directory).map((name) => pageSizeName(Number(/(\d+)kB$/.exec(name)?.[1]) * 1024));
}

/** 2097152 is 2MB. */
export function pageSizeName(bytes: number): string {
  const power = Math.min(3, Math.floor(Math.log2(bytes) / 10));
  return `${bytes / 1024 ** power}${['B', 'KB', 'MB', 'GB'][power]}`;
}
