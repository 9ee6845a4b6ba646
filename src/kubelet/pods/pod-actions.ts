// Decides the actions for a pod: compares its spec with the runtime's state. Pure.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/

import type { Container, Pod } from '../../api/api.ts';
import type { ContainerStatus, Sandbox } from '../../container-runtime/container-runtime.ts';
import { allNamed, named } from '../../machinery/collections/by-name.ts';
import { restarts, restartsAfterProbe, ruleAction } from './restart-policy.ts';

/** The runtime's state of one pod: newest first. */
export interface RuntimePod {
  readonly sandboxes: readonly Sandbox[];
  readonly containers: readonly ContainerStatus[];
}

export interface KillContainer {
  readonly id: string;
  readonly name: string;
  /** For the event Killing. */
  readonly message: string;
  readonly reason: 'Unhealthy' | 'Changed' | 'StartupProbe' | 'Resize';
}

export interface PodActions {
  /** Stop all containers: the sandbox must be replaced, or no container has to run. */
  readonly killPod: boolean;
  readonly createSandbox: boolean;
  /** The attempt number of the sandbox to create. */
  readonly attempt: number;
  readonly start: readonly { readonly container: Container; readonly isInit: boolean }[];
  readonly kill: readonly KillContainer[];
  /** Containers to stop and remove in this order, so that all restart; the one that caused it is the last. */
  readonly reset: readonly string[];
}

export const isNothing = ({ killPod, createSandbox, kill, start, reset }: PodActions): boolean =>
  !killPod && !createSandbox && kill.length === 0 && start.length === 0 && reset.length === 0;

/** Probe results of running containers, by container id. */
export interface ProbeResults {
  liveness(id: string): boolean | undefined;
  startup(id: string): boolean | undefined;
}

/** The label with the hash of the container's definition. */
export const hashLabel = 'io.kubernetes.container.hash';

/** Containers of all three lists. Ephemeral ones are added to a running pod (`kubectl debug`) and never restarted. */
export const allContainers = ({ spec }: Pod): readonly Container[] => [
  ...spec.containers,
  ...(spec.initContainers ?? []),
  ...((spec.ephemeralContainers ?? []) as Container[]),
];

/** The container of that name among `allContainers`. */
export const containerNamed = ({ spec }: Pod, name: string): Container | undefined =>
  named(spec.containers, name) ??
  named(spec.initContainers, name) ??
  named(spec.ephemeralContainers as readonly Container[] | undefined, name);

export const isSidecar = (container: Container): boolean => container.restartPolicy === 'Always';

/** The newest container of a name. */
export const newest = (containers: readonly ContainerStatus[], name: string): ContainerStatus | undefined =>
  allNamed(containers, name).reduce<ContainerStatus | undefined>(
    (best, c) =>
      !best || c.attempt > best.attempt || (c.attempt === best.attempt && c.createdAt > best.createdAt) ? c : best,
    undefined,
  );

export function podActions(
  pod: Pod,
  runtime: RuntimePod,
  probes: ProbeResults,
  hashOf: (container: Container) => string,
  resizing: ReadonlySet<string> = none,
): PodActions {
  const ready = runtime.sandboxes.filter((s) => s.state === 'ready');
  const [current] = runtime.sandboxes;
  const usable = ready.length === 1 && current?.state === 'ready';
  if (!usable) return withNewSandbox(pod, runtime, current);

  const attempt = current.config.attempt;
  const containers = runtime.containers.filter((c) => c.sandboxId === current.id);
  const nothingElse: PodActions = { ...nothing, attempt };
  const reset = resetAll(pod, containers);
  if (reset.length > 0) return { ...nothingElse, reset };
  const init = initActions(pod, containers, probes, resizing);
  if (init.failed) return { ...nothingElse, killPod: true };
  const added = ((pod.spec.ephemeralContainers ?? []) as Container[])
    .filter((c) => !newest(runtime.containers, c.name))
    .map((container) => ({ container, isInit: false }));
  if (!init.done) return { ...nothingElse, start: [...added, ...init.start], kill: init.kill };

  const start = [...init.start];
  const kill = [...init.kill];
  let keep = 0;
  for (const container of pod.spec.containers) {
    const status = newest(containers, container.name);
    if (status?.state === 'running') {
      const reason =
        whyRestart(container, status, probes, hashOf) ??
        (resizing.has(container.name) ? resizeRestart(container) : undefined);
      if (!reason) {
        keep++;
        continue;
      }
      const isRestarted =
        reason.reason === 'Changed' || reason.reason === 'Resize' || restartsAfterProbe(pod, container);
      const suffix = isRestarted && reason.reason !== 'Resize' ? ', will be restarted' : '';
      kill.push({ id: status.id, name: container.name, ...reason, message: `${reason.message}${suffix}` });
      if (isRestarted) start.push({ container, isInit: false });
    } else if (status?.state === 'created') start.push({ container, isInit: false });
    else if (shouldRun(pod, container, status ?? newest(runtime.containers, container.name)))
      start.push({ container, isInit: false });
  }
  const startsMain = start.some((s) => !s.isInit);
  if (keep === 0 && !startsMain) return { ...nothingElse, killPod: true };
  return { ...nothingElse, start: [...added, ...start], kill };
}

const none: ReadonlySet<string> = new Set();

/** The resize policy of a changed resource requires a restart. */
const resizeRestart = (container: Container) =>
  ({ reason: 'Resize', message: `Container ${container.name} resize requires restart` }) as const;

const nothing: PodActions = { killPod: false, createSandbox: false, attempt: 0, start: [], kill: [], reset: [] };

/** Whether a stopped container should run: by its restart policy and exit. */
const shouldRun = (pod: Pod, container: Container, status: ContainerStatus | undefined): boolean =>
  status?.state !== 'exited' || restarts(pod, container, status.exitCode);

/** The containers to restart if one ended in a way that restarts all; otherwise none. */
function resetAll(pod: Pod, containers: readonly ContainerStatus[]): string[] {
  const specs = [...pod.spec.containers, ...(pod.spec.initContainers ?? []).toReversed()];
  const isCause = (status: ContainerStatus) => {
    const spec = named(specs, status.name);
    return (
      spec !== undefined &&
      status === newest(containers, status.name) &&
      status.state === 'exited' &&
      ruleAction(spec, status.exitCode) === 'RestartAllContainers'
    );
  };
  const causes = containers.filter(isCause);
  if (causes.length === 0) return [];
  const isNoCause = (status: ContainerStatus) => !causes.includes(status);
  const ordered = specs.flatMap((spec) => allNamed(containers, spec.name).filter(isNoCause));
  return [...ordered, ...causes].map((c) => c.id);
}

function withNewSandbox(pod: Pod, runtime: RuntimePod, current: Sandbox | undefined): PodActions {
  const attempt = current ? current.config.attempt + 1 : 0;
  const start = pod.spec.containers.filter((container) => {
    const status = newest(runtime.containers, container.name);
    return shouldRun(pod, container, status);
  });
  // A pod that never restarts, or has no container left to run, gets no second sandbox.
  const never = pod.spec.restartPolicy === 'Never' && !pod.spec.containers.some((c) => c.restartPolicy);
  const over = start.length === 0 || (never && current !== undefined && runtime.containers.length > 0);
  if (over) return { ...nothing, killPod: true, attempt };
  const [firstInit] = pod.spec.initContainers ?? [];
  return {
    ...nothing,
    killPod: current !== undefined,
    createSandbox: true,
    attempt,
    start: firstInit
      ? [{ container: firstInit, isInit: true }]
      : start.map((container) => ({ container, isInit: false })),
  };
}

function whyRestart(
  container: Container,
  status: ContainerStatus,
  probes: ProbeResults,
  hashOf: (container: Container) => string,
): Pick<KillContainer, 'message' | 'reason'> | undefined {
  const hash = status.labels[hashLabel];
  if (hash !== undefined && hash !== hashOf(container))
    return { reason: 'Changed', message: `Container ${container.name} definition changed` };
  const failed = failedProbe(status, probes);
  return failed && { ...failed, message: `Container ${container.name} ${failed.message}` };
}

function failedProbe(
  { id }: ContainerStatus,
  probes: ProbeResults,
): Pick<KillContainer, 'message' | 'reason'> | undefined {
  if (probes.liveness(id) === false) return { reason: 'Unhealthy', message: 'failed liveness probe' };
  if (probes.startup(id) === false) return { reason: 'StartupProbe', message: 'failed startup probe' };
  return undefined;
}

interface InitState {
  readonly done: boolean;
  readonly failed: boolean;
  readonly start: { container: Container; isInit: boolean }[];
  readonly kill: KillContainer[];
}

/** Init containers run one after the other; sidecars (restartPolicy Always) go on running once they have started. */
function initActions(
  pod: Pod,
  containers: readonly ContainerStatus[],
  probes: ProbeResults,
  resizing: ReadonlySet<string>,
): InitState {
  const start: InitState['start'] = [];
  const kill: KillContainer[] = [];
  const mainStarted = pod.spec.containers.some((c) => newest(containers, c.name));
  for (const container of pod.spec.initContainers ?? []) {
    const status = newest(containers, container.name);
    if (isSidecar(container)) {
      if (status?.state !== 'running') {
        start.push({ container, isInit: true });
        if (!mainStarted) return { done: false, failed: false, start, kill };
        continue;
      }
      const failed = failedProbe(status, probes);
      if (failed) {
        const { reason, message } = failed;
        kill.push({
          id: status.id,
          name: container.name,
          reason,
          message: `Init container ${container.name} ${message}`,
        });
        start.push({ container, isInit: true });
      } else if (resizing.has(container.name)) {
        kill.push({ id: status.id, name: container.name, ...resizeRestart(container) });
        start.push({ container, isInit: true });
      }
      // The next container waits until a sidecar has started (its startup probe, if any, has succeeded).
      if (!mainStarted && container.startupProbe && probes.startup(status.id) !== true)
        return { done: false, failed: false, start, kill };
      continue;
    }
    if (mainStarted) continue;
    // After a node's restart or garbage collection, the container may be missing in this sandbox; a success is never
    // repeated within one.
    if (!status || status.state === 'created') {
      start.push({ container, isInit: true });
      return { done: false, failed: false, start, kill };
    }
    if (status.state === 'running') return { done: false, failed: false, start, kill };
    if (status.exitCode !== 0) {
      if (!restarts(pod, container, status.exitCode)) return { done: false, failed: true, start, kill };
      start.push({ container, isInit: true });
      return { done: false, failed: false, start, kill };
    }
  }
  return { done: true, failed: false, start, kill };
}

/** The rest of activeDeadlineSeconds, which counts from the start time in the status. */
export function deadlineLeftMs({ spec, status }: Pod, now: number): number {
  if (!spec.activeDeadlineSeconds || !status?.startTime) return Number.POSITIVE_INFINITY;
  return Date.parse(status.startTime) + spec.activeDeadlineSeconds * 1000 - now;
}
