// One resize of a pod's cgroup, in steps: increases come before the pod's containers, decreases after them.

import type { Pod } from '../../api/api.ts';
import type { ContainerResources, Limits } from '../../container-runtime/container-runtime.ts';
import { must } from '../../machinery/must.ts';
import type { KubeletTools } from '../tools.ts';
import { type Resource, resizable } from './resize-amounts.ts';
import { sandboxResources } from './resources.ts';

type Part = 'limit' | 'shares';

export class PodCgroupResize {
  readonly #pod: Pod;
  readonly #tools: Pick<KubeletTools, 'cgroups' | 'runtime'>;
  readonly #sandboxId: string | undefined;
  readonly #desired: ContainerResources;
  readonly #rounded: Limits;
  readonly #current: Limits | undefined;

  constructor(promised: Pod, tools: Pick<KubeletTools, 'cgroups' | 'runtime'>, sandboxId?: string) {
    this.#pod = promised;
    this.#tools = tools;
    this.#sandboxId = sandboxId;
    this.#desired = tools.cgroups?.desired(promised) ?? {};
    this.#rounded = tools.cgroups?.rounded(promised) ?? {};
    this.#current = tools.cgroups?.limits(promised);
  }

  /** Something of an earlier resize is left to do. */
  get isNeeded(): boolean {
    return resizable.some(
      (resource) => this.#change(resource, 'limit') !== 0 || this.#change(resource, 'shares') !== 0,
    );
  }

  /** Limits before shares, so that a request never exceeds its limit. */
  async grow(resource: Resource): Promise<void> {
    if (this.#change(resource, 'limit') > 0) await this.#set(resource, 'limit');
    if (this.#change(resource, 'shares') > 0) await this.#set(resource, 'shares');
  }

  async shrink(resource: Resource): Promise<void> {
    if (this.#change(resource, 'shares') < 0) await this.#set(resource, 'shares');
    if (this.#change(resource, 'limit') < 0) await this.#set(resource, 'limit');
  }

  /** The reason why the pod's memory limit cannot be lowered; undefined if it can, or need not be. */
  memoryProblem(): string | undefined {
    const limit = this.#desired.memoryLimitBytes;
    if (limit === undefined || this.#change('memory', 'limit') >= 0) return undefined;
    const used = must(this.#tools.cgroups, 'cgroups').memoryUsageBytes(this.#pod);
    return used >= limit ? `attempting to set pod memory limit (${limit}) below current usage (${used})` : undefined;
  }

  /** Positive for an increase; a removed limit stays, as in Kubernetes. */
  #change(resource: Resource, part: Part): number {
    if (!this.#current || (resource === 'memory' && part === 'shares')) return 0;
    const field = part === 'shares' ? 'cpuShares' : resource === 'memory' ? 'memoryLimitBytes' : 'cpuQuota';
    const wanted = this.#rounded[field];
    return wanted === undefined ? 0 : Math.sign(wanted - (this.#current[field] ?? Number.POSITIVE_INFINITY));
  }

  async #set(resource: Resource, part: Part): Promise<void> {
    const { cpuShares, cpuQuota, cpuPeriod, memoryLimitBytes } = this.#desired;
    const { resources, overhead = {} } = sandboxResources(this.#pod);
    if (this.#sandboxId) await this.#tools.runtime.updatePodSandboxResources?.(this.#sandboxId, resources, overhead);
    must(this.#tools.cgroups, 'cgroups').update(
      this.#pod,
      part === 'shares' ? { cpuShares } : resource === 'memory' ? { memoryLimitBytes } : { cpuQuota, cpuPeriod },
    );
  }
}
