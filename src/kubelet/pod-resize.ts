// In-place resize of a pod's containers: what the node promises, what their cgroups have, and the way from one to the
// other. https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/

import { readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Container, Pod, PodCondition } from '../api/api.ts';
import type { ContainerStatus } from '../container-runtime/container-runtime.ts';
import { podDirectory, resourcesAnnotation } from './container-config.ts';
import { newest, type RuntimePod } from './pod-actions.ts';
import { bytes, containerResources, milli } from './resources.ts';
import type { KubeletTools } from './tools.ts';

type Resources = NonNullable<Container['resources']>;
type Resource = 'cpu' | 'memory';

/** Kept in a file of the pod's directory once it was resized; before that the containers' annotations say it. */
interface Record_ {
  /** By container name. */
  readonly allocated: Record<string, Resources>;
  /** By container id. */
  readonly actual: Record<string, Resources>;
}

export interface ResizeActions {
  /** Names of containers that a change restarts. */
  readonly restart: ReadonlySet<string>;
  /** In their order: memory before CPU, what shrinks before what grows. */
  readonly update: readonly {
    readonly status: ContainerStatus;
    readonly container: Container;
    readonly resource: Resource;
  }[];
}

const nothing: ResizeActions = { restart: new Set(), update: [] };
const nothingDiffers: ReadonlyMap<string, Resources> = new Map();
const resources: readonly Resource[] = ['memory', 'cpu'];
const lists = ['requests', 'limits'] as const;

export class PodResize {
  readonly #tools: KubeletTools;
  readonly #file: string | undefined;
  #record: Record_ | undefined;
  #pending: Pick<PodCondition, 'reason' | 'message'> | undefined;
  #inProgress: { readonly error?: string } | undefined;

  constructor(uid: string, tools: KubeletTools) {
    this.#tools = tools;
    const { usesFilesystem, rootDirectory } = tools.config;
    this.#file = usesFilesystem ? path.join(podDirectory(rootDirectory, uid), 'resources.json') : undefined;
    this.#record = this.#file ? readRecord(this.#file) : undefined;
  }

  /** The node cannot give what the pod asks for now; it is tried again when other pods end. */
  get isDeferred(): boolean {
    return this.#pending !== undefined;
  }

  /** The pod with the resources that the node promised to it. */
  promised(pod: Pod): Pod {
    return this.#record ? withResources(pod, this.#record.allocated) : pod;
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

  /** Promises what the pod asks for if the node has it. Resolves with the pod as it is promised. */
  async admit(pod: Pod, runtime: RuntimePod): Promise<Pod> {
    if (this.#isUntouched(pod)) return pod;
    // A pod whose containers are not there yet gets what it asks for: that was admitted with it.
    if (runtime.containers.length === 0 && !this.#record) return pod;
    const allocated = this.#record?.allocated ?? createdWith(pod, runtime);
    if (!differs(pod, allocated)) {
      this.#pending = undefined;
      return this.promised(pod);
    }
    const refusal = this.#tools.refuse(pod);
    if (refusal) this.#defer(pod, refusal.message);
    else {
      await this.#save({ allocated: resourcesOf(pod), actual: this.#record?.actual ?? {} });
      this.#pending = undefined;
      this.#inProgress = {};
      this.#event(pod, 'Normal', 'ResizeStarted', 'Pod resize started');
      return pod;
    }
    return withResources(pod, allocated);
  }

  /** Its spec is as it was created: most pods, of which there may be a hundred thousand. */
  #isUntouched({ metadata }: Pod): boolean {
    return !this.#record && !this.#inProgress && !this.#pending && (metadata.generation ?? 1) <= 1;
  }

  #defer(pod: Pod, message: string): void {
    if (this.#pending?.message === message) return;
    this.#pending = { reason: 'Deferred', message };
    this.#event(pod, 'Warning', 'ResizeDeferred', 'Pod resize Deferred', message);
  }

  /** What is to be done so that every running container has what is promised to it. */
  actions(promised: Pod, runtime: RuntimePod): ResizeActions {
    if (this.#isUntouched(promised)) return nothing;
    const restart = new Set<string>();
    const update: { status: ContainerStatus; container: Container; resource: Resource; grows: boolean }[] = [];
    for (const container of resizable(promised)) {
      const status = newest(runtime.containers, container.name);
      const actual = status?.state === 'running' ? this.#actualOf(status, container) : undefined;
      if (!status || !actual) continue;
      for (const resource of resources) {
        const [wanted, has] = [amounts(container.resources, resource), amounts(actual, resource)];
        if (wanted.limits === has.limits && wanted.requests === has.requests) continue;
        const policy = container.resizePolicy?.find((p) => p.resourceName === resource);
        if (policy?.restartPolicy === 'RestartContainer') restart.add(container.name);
        const grows = wanted.limits === has.limits ? wanted.requests > has.requests : wanted.limits > has.limits;
        update.push({ status, container, resource, grows });
      }
    }
    const inPlace = update.filter(({ container }) => !restart.has(container.name));
    const ordered = resources.flatMap((resource) =>
      inPlace.filter((u) => u.resource === resource).sort((a, b) => Number(a.grows) - Number(b.grows)),
    );
    if (update.length > 0) this.#inProgress ??= {};
    return { restart, update: ordered };
  }

  /** Changes cgroups, then what the status tells of them. */
  async apply(promised: Pod, { update }: ResizeActions): Promise<void> {
    const problem = await this.#whyNot(update).catch((error) => (error as Error).message);
    if (problem) return this.#fail(promised, problem);
    for (const { status, container, resource } of update)
      try {
        const actual = this.#actualOf(status, container)!;
        const next = merged(actual, container.resources ?? {}, resource);
        const all = containerResources(
          promised,
          { ...container, resources: next },
          this.#tools.config.capacity.memoryBytes,
        );
        const { memoryLimitBytes, cpuShares, cpuPeriod, cpuQuota } = all;
        await this.#tools.runtime.updateContainerResources(
          status.id,
          resource === 'memory'
            ? { memoryLimitBytes: memoryLimitBytes ?? 0 }
            : { cpuShares, cpuPeriod, cpuQuota: cpuQuota ?? 0 },
        );
        const record = this.#record ?? { allocated: resourcesOf(promised), actual: {} };
        await this.#save({ ...record, actual: { ...record.actual, [status.id]: next } });
      } catch (error) {
        return this.#fail(promised, (error as Error).message);
      }
  }

  /** A limit below what a container uses would kill it. */
  async #whyNot(update: ResizeActions['update']): Promise<string | undefined> {
    const shrinking = update.filter(({ status, container, resource }) => {
      if (resource !== 'memory') return false;
      const [wanted, has] = [container.resources, this.#actualOf(status, container)].map(
        (r) => amounts(r, 'memory').limits,
      );
      return wanted > 0 && (has === 0 || wanted < has);
    });
    if (shrinking.length === 0) return undefined;
    const stats = await this.#tools.runtime.containerStats();
    const problems = shrinking.flatMap(({ status, container }) => {
      const used = stats.find((s) => s.id === status.id)?.memoryWorkingSetBytes ?? 0;
      const limit = amounts(container.resources, 'memory').limits;
      return used >= limit
        ? [`attempting to set container "${container.name}" memory limit (${limit}) below current usage (${used})`]
        : [];
    });
    if (problems.length === 0) return undefined;
    return `cannot decrease memory limits: ${problems.length === 1 ? problems[0] : `[${problems.join(', ')}]`}`;
  }

  #fail(pod: Pod, error: string): void {
    if (this.#inProgress?.error === error) return;
    this.#inProgress = { error };
    this.#event(pod, 'Warning', 'ResizeError', 'Pod resize error', error);
  }

  /** By container name, where a cgroup has something else than what is promised. Ends a resize that is complete. */
  actual(promised: Pod, runtime: RuntimePod): ReadonlyMap<string, Resources> {
    if (this.#isUntouched(promised)) return nothingDiffers;
    const different = new Map<string, Resources>();
    for (const container of resizable(promised)) {
      const status = newest(runtime.containers, container.name);
      const actual = status?.state === 'running' ? this.#actualOf(status, container) : undefined;
      if (actual && !isSame(actual, container.resources)) different.set(container.name, actual);
    }
    if (different.size === 0 && this.#inProgress) {
      this.#inProgress = undefined;
      this.#event(promised, 'Normal', 'ResizeCompleted', 'Pod resize completed');
    }
    return different;
  }

  #actualOf(status: ContainerStatus, container: Container): Resources | undefined {
    return this.#record?.actual[status.id] ?? annotated(status) ?? container.resources ?? {};
  }

  async #save(record: Record_): Promise<void> {
    this.#record = record;
    if (!this.#file) return;
    await mkdir(path.dirname(this.#file), { recursive: true, mode: 0o750 });
    await writeFile(`${this.#file}.new`, JSON.stringify(record), { mode: 0o600 });
    await rename(`${this.#file}.new`, this.#file);
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

function readRecord(file: string): Record_ | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Record_;
  } catch {
    return undefined; // never resized
  }
}

const annotated = (status: ContainerStatus): Resources | undefined => {
  const text = status.annotations[resourcesAnnotation];
  return text === undefined ? undefined : (JSON.parse(text) as Resources);
};

/** Main containers and sidecars: other init containers end soon. */
const resizable = ({ spec }: Pod): readonly Container[] => [
  ...(spec.initContainers ?? []).filter((c) => c.restartPolicy === 'Always'),
  ...spec.containers,
];

const resourcesOf = (pod: Pod): Record<string, Resources> =>
  Object.fromEntries(resizable(pod).map((c) => [c.name, c.resources ?? {}]));

/** What the pod was promised before its first resize: its containers were created with that. */
const createdWith = (pod: Pod, runtime: RuntimePod): Record<string, Resources> =>
  Object.fromEntries(
    resizable(pod).map((c) => {
      const status = newest(runtime.containers, c.name);
      return [c.name, (status && annotated(status)) ?? c.resources ?? {}];
    }),
  );

const differs = (pod: Pod, allocated: Record<string, Resources>): boolean =>
  resizable(pod).some((c) => !isSame(c.resources, allocated[c.name]));

function withResources(pod: Pod, allocated: Record<string, Resources>): Pod {
  if (!differs(pod, allocated)) return pod;
  const given = (list: readonly Container[]) =>
    list.map((c) => (allocated[c.name] ? { ...c, resources: { ...c.resources, ...allocated[c.name] } } : c));
  const { containers, initContainers } = pod.spec;
  return {
    ...pod,
    spec: {
      ...pod.spec,
      containers: given(containers),
      ...(initContainers && { initContainers: given(initContainers) }),
    },
  };
}

/** In thousandths of a core or bytes; 0 where nothing is said. */
function amounts(of: Resources | undefined, resource: Resource) {
  const amount = resource === 'cpu' ? milli : bytes;
  return { requests: amount(of?.requests?.[resource]), limits: amount(of?.limits?.[resource]) };
}

const isSame = (a: Resources | undefined, b: Resources | undefined): boolean =>
  resources.every((resource) => lists.every((list) => amounts(a, resource)[list] === amounts(b, resource)[list]));

/** `from` with one resource of `to`. */
function merged(from: Resources, to: Resources, resource: Resource): Resources {
  const one = (list: (typeof lists)[number]) => {
    const { [resource]: _old, ...rest } = from[list] ?? {};
    const value = to[list]?.[resource];
    return value === undefined ? rest : { ...rest, [resource]: value };
  };
  return Object.fromEntries(
    lists.filter((list) => from[list] || to[list]).map((list) => [list, one(list)]),
  ) as Resources;
}
