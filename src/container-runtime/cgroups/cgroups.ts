// Resource limits and usage through cgroup v1, hybrid and v2, which differ in names and units only.
// https://docs.kernel.org/admin-guide/cgroup-v1/ and https://docs.kernel.org/admin-guide/cgroup-v2.html

import * as fs from 'node:fs';
import { CgroupsV1 } from './cgroups-v1.ts';
import { CgroupsV2 } from './cgroups-v2.ts';
import type { Cgroups } from './interface.ts';

export type * from './interface.ts';

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
