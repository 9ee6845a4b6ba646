// In-place resize of a pod and its containers: the allocated resources, the actual ones of the cgroups, and the steps
// between them. https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/

import type { Container, Pod, PodCondition } from '../../api/api.ts';
import type { ContainerStatus } from '../../container-runtime/container-runtime.ts';
import { must } from '../../machinery/must.ts';
import { newest, type RuntimePod } from '../pods/pod-actions.ts';
import type { KubeletTools } from '../tools.ts';
import { PodCgroupResize } from './pod-cgroup-resize.ts';
import {
  type Allocated,
  allocatedOf,
  amounts,
  createdWith,
  differs,
  isSame,
  merged,
  ownPart,
  type Resource,
  type Resources,
  resizable,
  resizableContainers,
  startedWith,
  withAllocated,
  withPodLimits,
} from './resize-amounts.ts';
import type { ResizeRecord, ResizeRecordKeeper } from './resize-record.ts';
import { containerResources } from './resources.ts';

export interface ResizeActions {
  /** Names of containers that a change restarts. */
  readonly restart: ReadonlySet<string>;
  /** In order: memory before CPU, decreases before increases. */
  readonly update: readonly {
    readonly status: ContainerStatus;
    readonly container: Container;
    readonly resource: Resource;
  }[];
  /** Whether the pod's cgroup may have to change. */
  readonly pod: boolean;
}

export const noResize: ResizeActions = { restart: new Set(), update: [], pod: false };
const nothingDiffers: ReadonlyMap<string, Resources> = new Map();

export class PodResize {
  readonly #tools: KubeletTools;
  readonly #keeper: ResizeRecordKeeper;
  #record: ResizeRecord | undefined;
  #pending: Pick<PodCondition, 'reason' | 'message'> | undefined;
  #inProgress: { readonly error?: string } | undefined;

  constructor(uid: string, tools: KubeletTools) {
    this.#tools = tools;
    this.#keeper = tools.machine.files.resizeRecord(uid);
    this.#record = this.#keeper.read();
  }

  /** Whether the node lacks the requested resources now; retried when other pods end. */
  get isDeferred(): boolean {
    return this.#pending?.reason === 'Deferred';
  }

  get #allocated(): Allocated | undefined {
    if (!this.#record) return undefined;
    const { allocated: containers, allocatedPod: pod } = this.#record;
    return { containers, ...(pod && { pod }) };
  }

  /** The pod with the resources that the node promised to it. */
  promised(pod: Pod): Pod {
    return this.#record ? withAllocated(pod, must(this.#allocated, 'allocated')) : pod;
  }

  conditions(): Pick<PodCondition, 'type' | 'status' | 'reason' | 'message'>[] {
    const { error } = this.#inProgress ?? {};
    return [
      ...(this.#pending ? [{ type: 'PodResizePending', status: 'True', ...this.#pending }] : []),
      ...(this.#inProgress
        ? [{ type: 'PodResizeInProgress', status: 'True', ...(error && { reason: 'Error', message: error }) }]
        : []),
    ];
  }

  /** Allocates the requested resources if the node has them. Resolves with the pod as allocated. */
  async admit(pod: Pod, runtime: RuntimePod): Promise<Pod> {
    if (this.#isUntouched(pod)) return pod;
    // A pod without containers gets its requests: admission already checked them.
    if (runtime.containers.length === 0 && !this.#record) return pod;
    const allocated = this.#allocated ?? createdWith(pod, runtime);
    if (!differs(pod, allocated)) {
      this.#pending = undefined;
      return this.promised(pod);
    }
    const fault = this.#tools.resources?.resizeFault(pod, withAllocated(pod, allocated));
    const refusal = fault === undefined ? this.#tools.refuse(pod) : undefined;
    if (fault !== undefined) this.#wait(pod, 'Infeasible', fault);
    else if (refusal) this.#wait(pod, 'Deferred', refusal.message);
    else {
      const actualPod = this.#record?.actualPod ?? allocated.pod;
      await this.#save({ ...recordOf(pod), actual: this.#record?.actual ?? {}, ...(actualPod && { actualPod }) });
      this.#pending = undefined;
      this.#inProgress = {};
      this.#event(pod, 'Normal', 'ResizeStarted', 'Pod resize started');
      return pod;
    }
    // Other pods count the old allocation of this one, not the resources that it waits for.
    if (!this.#record)
      await this.#save({
        ...{ allocated: { ...allocated.containers }, actual: {} },
        ...(allocated.pod && { allocatedPod: allocated.pod, actualPod: allocated.pod }),
      });
    return withAllocated(pod, allocated);
  }

  /** Its spec is as it was created: most pods, of which there may be a hundred thousand. */
  #isUntouched({ metadata }: Pod): boolean {
    return !this.#record && !this.#inProgress && !this.#pending && (metadata.generation ?? 1) <= 1;
  }

  #wait(pod: Pod, reason: 'Deferred' | 'Infeasible', message: string): void {
    if (this.#pending?.message === message) return;
    this.#pending = { reason, message };
    this.#event(pod, 'Warning', `Resize${reason}`, `Pod resize ${reason}`, message);
  }

  /** The actions that give the pod and every running container their allocated resources. */
  actions(promised: Pod, runtime: RuntimePod): ResizeActions {
    if (this.#isUntouched(promised)) return noResize;
    const restart = new Set<string>();
    const update: { status: ContainerStatus; container: Container; resource: Resource; grows: boolean }[] = [];
    for (const { container, status, actual } of this.#running(promised, runtime))
      for (const resource of resizable) {
        const [wanted, has] = [amounts(wantedOf(container, promised), resource), amounts(actual, resource)];
        if (wanted.limits === has.limits && wanted.requests === has.requests) continue;
        const policy = container.resizePolicy?.find((p) => p.resourceName === resource);
        if (policy?.restartPolicy === 'RestartContainer') restart.add(container.name);
        const grows = wanted.limits === has.limits ? wanted.requests > has.requests : wanted.limits > has.limits;
        update.push({ status, container, resource, grows });
      }
    const inPlace = update.filter(({ container }) => !restart.has(container.name));
    const ordered = resizable.flatMap((resource) =>
      inPlace.filter((u) => u.resource === resource).sort((a, b) => Number(a.grows) - Number(b.grows)),
    );
    const pod = update.length > 0 || this.#podDiffers(promised);
    if (pod) this.#inProgress ??= {};
    return { restart, update: ordered, pod };
  }

  #running(promised: Pod, runtime: RuntimePod) {
    return resizableContainers(promised).flatMap((container) => {
      const status = newest(runtime.containers, container.name);
      if (status?.state !== 'running') return [];
      return [{ container, status, actual: this.#actualOf(status, container, promised) }];
    });
  }

  #podDiffers(promised: Pod): boolean {
    const { resources } = promised.spec;
    if (resources && !isSame(this.#record?.actualPod ?? resources, resources)) return true;
    return this.#record !== undefined && new PodCgroupResize(promised, this.#tools).isNeeded;
  }

  /** Changes cgroups, then the resources in the status: the pod's cgroup first for increases, last for decreases. */
  async apply(promised: Pod, actions: ResizeActions, sandboxId?: string): Promise<void> {
    const { update } = actions;
    const podCgroup = new PodCgroupResize(promised, this.#tools, sandboxId);
    const problem = await this.#whyNot(promised, update, podCgroup).catch((error) => (error as Error).message);
    if (problem) return this.#fail(promised, problem);
    try {
      for (const resource of resizable) {
        await podCgroup.grow(resource);
        for (const each of update) if (each.resource === resource) await this.#updateContainer(promised, each);
        await podCgroup.shrink(resource);
        await this.#notePod(promised, resource);
      }
    } catch (error) {
      this.#fail(promised, (error as Error).message);
    }
  }

  async #updateContainer(promised: Pod, { status, container, resource }: ResizeActions['update'][number]) {
    const actual = this.#actualOf(status, container, promised);
    const next = merged(actual, wantedOf(container, promised), resource);
    const { memoryBytes } = this.#tools.config.capacity;
    const all = containerResources(promised, { ...container, resources: next }, { memoryBytes });
    const { memoryLimitBytes, cpuShares, cpuPeriod, cpuQuota } = all;
    await this.#tools.runtime.updateContainerResources(
      status.id,
      resource === 'memory'
        ? { memoryLimitBytes: memoryLimitBytes ?? 0 }
        : { cpuShares, cpuPeriod, cpuQuota: cpuQuota ?? 0 },
    );
    const record = this.#record ?? { ...recordOf(promised), actual: {} };
    await this.#save({ ...record, actual: { ...record.actual, [status.id]: next } });
  }

  async #notePod({ spec }: Pod, resource: Resource): Promise<void> {
    if (!spec.resources || !this.#record) return;
    const actualPod = merged(this.#record.actualPod ?? {}, spec.resources, resource);
    if (!isSame(actualPod, this.#record.actualPod)) await this.#save({ ...this.#record, actualPod });
  }

  /** A limit below the usage would kill the container. */
  async #whyNot(
    promised: Pod,
    update: ResizeActions['update'],
    podCgroup: PodCgroupResize,
  ): Promise<string | undefined> {
    const shrinking = update.filter(({ status, container, resource }) => {
      if (resource !== 'memory') return false;
      const wanted = amounts(wantedOf(container, promised), 'memory').limits;
      const has = amounts(this.#actualOf(status, container, promised), 'memory').limits;
      return wanted > 0 && (has === 0 || wanted < has);
    });
    const ofPod = podCgroup.memoryProblem();
    const problems = ofPod ? [ofPod] : [];
    const stats = shrinking.length > 0 ? await this.#tools.runtime.containerStats() : [];
    for (const { status, container } of shrinking) {
      const used = stats.find((s) => s.id === status.id)?.memoryWorkingSetBytes ?? 0;
      const limit = amounts(wantedOf(container, promised), 'memory').limits;
      if (used >= limit)
        problems.push(
          `attempting to set container "${container.name}" memory limit (${limit}) below current usage (${used})`,
        );
    }
    if (problems.length === 0) return undefined;
    return `cannot decrease memory limits: ${problems.length === 1 ? problems[0] : `[${problems.join(', ')}]`}`;
  }

  #fail(pod: Pod, error: string): void {
    if (this.#inProgress?.error === error) return;
    this.#inProgress = { error };
    this.#event(pod, 'Warning', 'ResizeError', 'Pod resize error', error);
  }

  /** By container name, the actual resources if they differ from the allocated ones. Ends a completed resize. */
  actual(promised: Pod, runtime: RuntimePod): ReadonlyMap<string, Resources> {
    if (this.#isUntouched(promised)) return nothingDiffers;
    const different = this.#running(promised, runtime).filter(
      ({ container, actual }) => !isSame(actual, wantedOf(container, promised)),
    );
    if (different.length === 0 && this.#inProgress && !this.#podDiffers(promised)) {
      this.#inProgress = undefined;
      this.#event(promised, 'Normal', 'ResizeCompleted', 'Pod resize completed');
    }
    return new Map(different.map(({ container, actual }) => [container.name, ownPart(actual, container.resources)]));
  }

  #actualOf(status: ContainerStatus, container: Container, promised: Pod): Resources {
    return this.#record?.actual[status.id] ?? startedWith(status) ?? wantedOf(container, promised);
  }

  async #save(record: ResizeRecord): Promise<void> {
    this.#record = record;
    await this.#keeper.write(record);
  }

  #event(pod: Pod, type: 'Normal' | 'Warning', reason: string, text: string, error?: string): void {
    const summary = (list: readonly Container[] | undefined) =>
      list?.length ? list.map(({ name, resources: own = {} }) => ({ name, resources: own })) : undefined;
    const details = {
      initContainers: summary(pod.spec.initContainers),
      containers: summary(pod.spec.containers),
      generation: pod.metadata.generation,
      error,
    };
    this.#tools.events.event(pod, type, reason, `${text}: ${JSON.stringify(details)}`);
  }
}

const wantedOf = (container: Container, { spec }: Pod) => withPodLimits(container.resources, spec.resources);

function recordOf(pod: Pod): Pick<ResizeRecord, 'allocated' | 'allocatedPod'> {
  const { containers, pod: podLevel } = allocatedOf(pod);
  return { allocated: { ...containers }, ...(podLevel && { allocatedPod: podLevel }) };
}
