// https://docs.kernel.org/admin-guide/cgroup-v1/; a hybrid layout has its limits here too.

import * as fs from 'node:fs';
import { join } from 'node:path';
import type { ContainerResources } from '../interface.ts';
import { fields, read, setSets, wholePages, write } from './files.ts';
import { Hierarchies } from './hierarchies.ts';
import type { Cgroups, Limits, Usage } from './interface.ts';

/** The kernel's largest limit is this or a page less: none. */
const noLimitBytes = 2 ** 62;
const limiting = ['cpu', 'memory', 'pids', 'hugetlb'];

export class CgroupsV1 extends Hierarchies implements Cgroups {
  readonly version = 1;
  readonly hugePageSizes: readonly string[];
  readonly #controllers: ReadonlyMap<string, string>;

  constructor(controllers: ReadonlyMap<string, string>, hugePageSizes: readonly string[]) {
    super();
    this.#controllers = controllers;
    this.hugePageSizes = controllers.has('hugetlb') ? hugePageSizes : [];
  }

  /** The memory controller's first; then every other hierarchy. */
  directories(path: string): readonly string[] {
    const roots = [this.#controllers.get('memory'), ...this.#controllers.values()].filter((root) => root !== undefined);
    return [...new Set(roots)].map((root) => join(root, path));
  }

  create(path: string, resources: ContainerResources): void {
    for (const name of limiting) {
      const root = this.#controllers.get(name);
      if (root) fs.mkdirSync(join(root, path), { recursive: true });
    }
    this.update(path, resources);
  }

  update(path: string, resources: ContainerResources): void {
    const { cpuShares, cpuQuota, cpuPeriod, memoryLimitBytes, pidsLimit, hugepageLimits = [] } = resources;
    const set = (controller: string, file: string, value: number) => {
      const root = this.#controllers.get(controller);
      if (root) write(join(root, path), file, String(value));
    };
    if (cpuShares) set('cpu', 'cpu.shares', cpuShares);
    if (cpuPeriod) set('cpu', 'cpu.cfs_period_us', cpuPeriod);
    if (cpuQuota !== undefined) set('cpu', 'cpu.cfs_quota_us', cpuQuota > 0 ? cpuQuota : -1);
    const memory = this.#controllers.get('memory');
    if (memory && memoryLimitBytes !== undefined) limitMemory(join(memory, path), memoryLimitBytes);
    if (pidsLimit) set('pids', 'pids.max', pidsLimit);
    setSets(resources, (file, value) => {
      const root = this.#controllers.get('cpuset');
      if (root) write(join(root, path), file, value);
    });
    for (const { pageSize, limitBytes } of hugepageLimits)
      set('hugetlb', `hugetlb.${pageSize}.limit_in_bytes`, limitBytes);
  }

  rounded({ cpuShares, cpuQuota, cpuPeriod, memoryLimitBytes }: ContainerResources): Limits {
    return { cpuShares, cpuQuota, cpuPeriod, memoryLimitBytes: wholePages(memoryLimitBytes) };
  }

  limits(path: string): Limits | undefined {
    const of = (controller: string, file: string) => {
      const text = read(join(this.#controllers.get(controller) ?? '', path), file);
      return text === undefined ? undefined : Number(text);
    };
    const cpuShares = of('cpu', 'cpu.shares');
    const memory = of('memory', 'memory.limit_in_bytes');
    if (cpuShares === undefined && memory === undefined) return undefined;
    const cpuQuota = of('cpu', 'cpu.cfs_quota_us') ?? -1;
    return {
      ...(cpuShares !== undefined && { cpuShares }),
      ...(cpuQuota > 0 && { cpuQuota, cpuPeriod: of('cpu', 'cpu.cfs_period_us') }),
      ...(memory !== undefined && memory < noLimitBytes && { memoryLimitBytes: memory }),
    };
  }

  usage(path: string): Usage | undefined {
    const cpu = read(join(this.#controllers.get('cpuacct') ?? '', path), 'cpuacct.usage');
    const memory = join(this.#controllers.get('memory') ?? '', path);
    const used = read(memory, 'memory.usage_in_bytes');
    if (cpu === undefined || used === undefined) return undefined;
    const stat = fields(read(memory, 'memory.stat'));
    return {
      cpuNanoseconds: Number(cpu),
      memoryUsageBytes: Number(used),
      memoryWorkingSetBytes: Math.max(0, Number(used) - (stat.get('total_inactive_file') ?? 0)),
      memoryRssBytes: stat.get('total_rss') ?? 0,
    };
  }

  memoryUsageBytes(path: string): number {
    return Number(read(join(this.#controllers.get('memory') ?? '', path), 'memory.usage_in_bytes') ?? 0);
  }

  processCount(path: string): number {
    return Number(read(join(this.#controllers.get('pids') ?? '', path), 'pids.current') ?? 0);
  }

  outOfMemoryKills(path: string): number {
    const memory = join(this.#controllers.get('memory') ?? '', path);
    return fields(read(memory, 'memory.oom_control')).get('oom_kill') ?? 0;
  }
}

/** Also limits memory plus swap, if an OCI runtime did: the sum must not be below the memory limit. */
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
