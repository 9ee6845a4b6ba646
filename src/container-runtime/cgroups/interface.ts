// One interface for cgroup v1, hybrid and v2.

import type { ContainerResources } from '../interface.ts';

export interface Usage {
  readonly cpuNanoseconds: number;
  /** With file caches; absent where the runtime does not report it. */
  readonly memoryUsageBytes?: number;
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
