// https://docs.kernel.org/admin-guide/cgroup-v2.html

import * as fs from 'node:fs';
import { join } from 'node:path';
import type { ContainerResources } from '../interface.ts';
import { fields, read, setSets, wholePages, write } from './files.ts';
import { Hierarchies } from './hierarchies.ts';
import type { Cgroups, Limits, Usage } from './interface.ts';

/** Controllers that containers use, where the machine has them. */
const wanted = ['cpuset', 'cpu', 'io', 'memory', 'hugetlb', 'pids'];
const defaultPeriod = 100_000;

export class CgroupsV2 extends Hierarchies implements Cgroups {
  readonly version = 2;
  readonly hugePageSizes: readonly string[];
  readonly #root: string;
  readonly #controllers: readonly string[];

  constructor(root: string, hugePageSizes: readonly string[]) {
    super();
    this.#root = root;
    const available = (read(root, 'cgroup.controllers') ?? '').split(' ');
    this.#controllers = wanted.filter((name) => available.includes(name));
    this.hugePageSizes = available.includes('hugetlb') ? hugePageSizes : [];
  }

  directories(path: string): readonly string[] {
    return [join(this.#root, path)];
  }

  /** A cgroup has a controller's files once its parent passes the controller on. */
  create(path: string, resources: ContainerResources): void {
    let parent = this.#root;
    for (const name of path.split('/').filter(Boolean)) {
      for (const controller of this.#controllers) this.#passOn(parent, controller);
      parent = join(parent, name);
      fs.mkdirSync(parent, { recursive: true });
    }
    this.update(path, resources);
  }

  #passOn(directory: string, controller: string): void {
    const enabled = read(directory, 'cgroup.subtree_control') ?? '';
    if (!enabled.split(' ').includes(controller)) write(directory, 'cgroup.subtree_control', `+${controller}`);
  }

  update(path: string, resources: ContainerResources): void {
    const { cpuShares, cpuQuota, cpuPeriod = defaultPeriod, memoryLimitBytes, pidsLimit } = resources;
    const set = (file: string, value: string | number) => write(join(this.#root, path), file, String(value));
    const orMax = (limit: number) => (limit > 0 ? limit : 'max');
    if (cpuShares) set('cpu.weight', weightOf(cpuShares));
    if (cpuQuota !== undefined) set('cpu.max', `${orMax(cpuQuota)} ${cpuPeriod}`);
    if (memoryLimitBytes !== undefined) set('memory.max', orMax(memoryLimitBytes));
    if (pidsLimit) set('pids.max', pidsLimit);
    setSets(resources, set);
    for (const { pageSize, limitBytes } of resources.hugepageLimits ?? []) set(`hugetlb.${pageSize}.max`, limitBytes);
  }

  rounded({ cpuShares, cpuQuota, cpuPeriod, memoryLimitBytes }: ContainerResources): Limits {
    const shares = cpuShares && sharesOf(weightOf(cpuShares));
    return { cpuShares: shares, cpuQuota, cpuPeriod, memoryLimitBytes: wholePages(memoryLimitBytes) };
  }

  limits(path: string): Limits | undefined {
    const directory = join(this.#root, path);
    const weight = read(directory, 'cpu.weight');
    const memory = read(directory, 'memory.max');
    if (weight === undefined && memory === undefined) return undefined;
    const [quota = 'max', period] = (read(directory, 'cpu.max') ?? '').split(' ');
    return {
      ...(weight !== undefined && { cpuShares: sharesOf(Number(weight)) }),
      ...(quota !== 'max' && quota !== '' && { cpuQuota: Number(quota), cpuPeriod: Number(period) }),
      ...(memory !== undefined && memory !== 'max' && { memoryLimitBytes: Number(memory) }),
    };
  }

  usage(path: string): Usage | undefined {
    const directory = join(this.#root, path);
    const cpu = fields(read(directory, 'cpu.stat')).get('usage_usec');
    const used = read(directory, 'memory.current');
    if (cpu === undefined || used === undefined) return undefined;
    const stat = fields(read(directory, 'memory.stat'));
    return {
      cpuNanoseconds: cpu * 1000,
      memoryUsageBytes: Number(used),
      memoryWorkingSetBytes: Math.max(0, Number(used) - (stat.get('inactive_file') ?? 0)),
      memoryRssBytes: stat.get('anon') ?? 0,
    };
  }

  memoryUsageBytes(path: string): number {
    return Number(read(join(this.#root, path), 'memory.current') ?? 0);
  }

  processCount(path: string): number {
    return Number(read(join(this.#root, path), 'pids.current') ?? 0);
  }

  outOfMemoryKills(path: string): number {
    return fields(read(join(this.#root, path), 'memory.events')).get('oom_kill') ?? 0;
  }
}

/** KEP-2254: shares 2..262144 become weight 1..10000. */
const weightOf = (shares: number) => 1 + Math.floor(((Math.min(Math.max(shares, 2), 262144) - 2) * 9999) / 262142);

const sharesOf = (weight: number) => 2 + Math.floor(((weight - 1) * 262142) / 9999);
