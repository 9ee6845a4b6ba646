// The cgroups above those of containers, which the kubelet makes and removes: of each pod, of all Burstable and all
// BestEffort pods, and of all pods. https://kubernetes.io/docs/tasks/administer-cluster/reserve-compute-resources/

import { type Pod, podRequests } from '../../api/api.ts';
import {
  type Cgroups,
  type ContainerResources,
  type Limits,
  podsCgroup,
  qosCgroups,
} from '../../container-runtime/container-runtime.ts';
import type { Logger } from '../../machinery/logger.ts';
import type { Clock, Timer } from '../../machinery/time/clock.ts';
import type { KubeletConfig } from '../config.ts';
import { milli, podCgroup, podCgroupResources, qosOf, sharesOf } from './resources.ts';

/** Pods that start or end together cause one update of their class's shares. */
const sharesDelayMs = 500;
const sharesPeriodMs = 60_000;

interface PodCgroupTools {
  readonly config: Pick<KubeletConfig, 'capacity' | 'podPidsLimit'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Those that have their share of the node. */
  readonly pods: () => readonly Pod[];
  /** One of the pod's containers has CPUs that no other container has. */
  readonly hasOwnCpus?: (pod: Pod) => boolean;
}

export class PodCgroups {
  readonly #cgroups: Cgroups;
  readonly #tools: PodCgroupTools;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(cgroups: Cgroups, tools: PodCgroupTools) {
    this.#cgroups = cgroups;
    this.#tools = tools;
  }

  get hugePageSizes(): readonly string[] {
    return this.#cgroups.hugePageSizes;
  }

  /** Makes the cgroups that all pods share, and updates their CPU shares. */
  start(): void {
    const { cpuMillis, memoryBytes } = this.#tools.config.capacity;
    this.#cgroups.create(podsCgroup, { cpuShares: sharesOf(cpuMillis), memoryLimitBytes: memoryBytes });
    this.#cgroups.create(qosCgroups.BestEffort, { cpuShares: sharesOf(0) });
    this.#cgroups.create(qosCgroups.Burstable, {});
    this.#shareSoon(sharesDelayMs);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /** Makes the pod's cgroup; an existing one keeps its limits. */
  ensure(pod: Pod): void {
    const path = podCgroup(pod);
    if (this.#cgroups.exists(path) && this.#cgroups.limits(path)) return;
    this.#cgroups.create(path, this.desired(pod));
    if (qosOf(pod) === 'Burstable') this.#shareSoon(sharesDelayMs);
  }

  desired(pod: Pod): ContainerResources {
    const { podPidsLimit: pidsLimit } = this.#tools.config;
    const hasOwnCpus = this.#tools.hasOwnCpus?.(pod) ?? false;
    return podCgroupResources(pod, { hugePageSizes: this.hugePageSizes, hasOwnCpus, ...(pidsLimit && { pidsLimit }) });
  }

  /** Rounded as in the kernel. */
  rounded(pod: Pod): Limits {
    return this.#cgroups.rounded(this.desired(pod));
  }

  limits(pod: Pod): Limits | undefined {
    return this.#cgroups.limits(podCgroup(pod));
  }

  update(pod: Pod, resources: ContainerResources): void {
    this.#cgroups.update(podCgroup(pod), resources);
    if (resources.cpuShares && qosOf(pod) === 'Burstable') this.#shareSoon(sharesDelayMs);
  }

  memoryUsageBytes(pod: Pod): number {
    return this.#cgroups.memoryUsageBytes(podCgroup(pod));
  }

  /** Processes and threads. */
  processCount(pod: Pod): number {
    return this.#cgroups.processCount(podCgroup(pod));
  }

  /** The memory limit of all pods together, and the rest of it. */
  memoryOfPods(): { readonly available: number; readonly capacity: number } | undefined {
    const capacity = this.#cgroups.limits(podsCgroup)?.memoryLimitBytes;
    const usage = this.#cgroups.usage(podsCgroup);
    return capacity && usage ? { available: capacity - usage.memoryWorkingSetBytes, capacity } : undefined;
  }

  /** Kills the remaining processes. The class of an unknown pod is unknown too, so all are tried. */
  remove(uid: string): void {
    for (const parent of Object.values(qosCgroups)) {
      const path = `${parent}/pod${uid}`;
      if (!this.#cgroups.exists(path)) continue;
      this.#cgroups.remove(path);
      if (parent === qosCgroups.Burstable) this.#shareSoon(sharesDelayMs);
    }
  }

  #shareSoon(delayMs: number): void {
    if (this.#stopped) return;
    this.#timer?.cancel();
    this.#timer = this.#tools.clock.after(delayMs, () => {
      this.#share();
      this.#shareSoon(sharesPeriodMs);
    });
  }

  /** All Burstable pods together get the sum of their requests, including those of the machine's other kubelets. */
  #share(): void {
    const own = this.#tools.pods().filter((pod) => qosOf(pod) === 'Burstable');
    const names = new Set(own.map((pod) => `pod${pod.metadata.uid}`));
    const ownMillis = own.reduce((sum, pod) => sum + milli(podRequests(pod)['cpu']), 0);
    const others = this.#cgroups.children(qosCgroups.Burstable).filter((name) => !names.has(name));
    const otherShares = others.reduce(
      (sum, name) => sum + (this.#cgroups.limits(`${qosCgroups.Burstable}/${name}`)?.cpuShares ?? 0),
      0,
    );
    try {
      this.#cgroups.update(qosCgroups.Burstable, { cpuShares: sharesOf(ownMillis + (otherShares * 1000) / 1024) });
    } catch (error) {
      this.#tools.logger.warn('cannot set the CPU shares of Burstable pods', { error: String(error) });
    }
  }
}
