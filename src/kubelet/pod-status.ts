// From what the runtime has to pod.status. Pure.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase

import {
  type ContainerStatus as ApiContainerStatus,
  type Container,
  type ContainerState,
  formatTime,
  type Pod,
  type PodCondition,
  type PodStatus,
} from '../api/api.ts';
import type { ContainerStatus } from '../container-runtime/container-runtime.ts';
import { isSidecar, newest, type RuntimePod } from './pod-actions.ts';
import { qosOf } from './resources.ts';

export interface StatusInputs {
  /** Why a container waits, by its name: what the worker last ran into. */
  readonly waiting: ReadonlyMap<string, { readonly reason: string; readonly message?: string }>;
  /** Whether a running container's readiness and startup probes have succeeded, by container id. */
  isReady(id: string): boolean;
  isStarted(id: string): boolean;
  readonly hostIPs: readonly string[];
  /** Prefix of containerID, such as containerd. */
  readonly runtimeName: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Restarts that happened before the containers which are still there. */
  readonly restarts?: ReadonlyMap<string, number>;
  /** The pod was refused or evicted by the node. */
  readonly failure?: { readonly reason: string; readonly message: string };
}

type Phase = 'Pending' | 'Running' | 'Succeeded' | 'Failed';

export function podStatus(pod: Pod, runtime: RuntimePod, inputs: StatusInputs): PodStatus {
  if (inputs.failure) return failedStatus(pod, inputs.failure, inputs);
  const previous = pod.status ?? {};
  const statusOf = (container: Container, isInit: boolean) => containerStatus(pod, container, isInit, runtime, inputs);
  const initStatuses = (pod.spec.initContainers ?? []).map((c) => statusOf(c, true));
  const statuses = pod.spec.containers.map((c) => statusOf(c, false));
  // Added for a look inside: they never make a pod ready, nor keep it from being so.
  const ephemeral = ((pod.spec.ephemeralContainers ?? []) as Container[]).map((c) => ({
    ...statusOf(c, false),
    ready: false,
  }));
  const phase = phaseOf(pod, initStatuses, statuses);
  const current = runtime.sandboxes.find((s) => s.state === 'ready');
  const podIPs = pod.spec.hostNetwork
    ? current
      ? inputs.hostIPs
      : []
    : (current?.ips ?? previous.podIPs?.map((p) => p.ip) ?? []);
  const { podIP: _podIP, podIPs: _podIPs, reason: _reason, message: _message, ...kept } = previous;
  return {
    ...kept,
    observedGeneration: pod.metadata.generation,
    phase,
    conditions: conditionsOf(pod, phase, initStatuses, statuses, current !== undefined, inputs.now),
    hostIP: inputs.hostIPs[0],
    hostIPs: inputs.hostIPs.map((ip) => ({ ip })),
    ...(podIPs.length > 0 && { podIP: podIPs[0], podIPs: podIPs.map((ip) => ({ ip })) }),
    startTime: previous.startTime ?? formatTime(inputs.now),
    ...(initStatuses.length > 0 && { initContainerStatuses: initStatuses }),
    containerStatuses: statuses,
    ...(ephemeral.length > 0 && { ephemeralContainerStatuses: ephemeral }),
    qosClass: qosOf(pod),
  };
}

function failedStatus(pod: Pod, failure: { reason: string; message: string }, inputs: StatusInputs): PodStatus {
  return {
    ...pod.status,
    observedGeneration: pod.metadata.generation,
    phase: 'Failed',
    reason: failure.reason,
    message: failure.message,
    startTime: pod.status?.startTime ?? formatTime(inputs.now),
  };
}

function containerStatus(
  pod: Pod,
  container: Container,
  isInit: boolean,
  runtime: RuntimePod,
  inputs: StatusInputs,
): ApiContainerStatus {
  const all = runtime.containers.filter((c) => c.name === container.name);
  const current = newest(all, container.name);
  const before = all
    .filter((c) => c !== current)
    .reduce<ContainerStatus | undefined>((a, b) => (!a || b.attempt > a.attempt ? b : a), undefined);
  const known = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])].find(
    (s) => s.name === container.name,
  );
  const waiting = inputs.waiting.get(container.name);
  const base = {
    name: container.name,
    image: imageName(container, current?.image),
    imageID: current?.imageRef ?? '',
  };
  if (!current && known?.state?.terminated && isInit) return known; // collected since, but it did run
  if (!current) {
    const reason = waiting ?? {
      reason: (pod.spec.initContainers?.length ?? 0) > 0 ? 'PodInitializing' : 'ContainerCreating',
    };
    return {
      ...base,
      state: { waiting: reason },
      lastState: known?.lastState ?? {},
      ready: false,
      restartCount: known?.restartCount ?? 0,
      started: false,
      ...mountsOf(container),
    };
  }
  const restartCount = Math.max(current.attempt, known?.restartCount ?? 0);
  const running = current.state === 'running';
  // Between two runs a container waits, and what it did last is in lastState.
  const backsOff = current.state === 'exited' && waiting !== undefined;
  const state: ContainerState = backsOff ? { waiting } : stateOf(current, inputs, waiting);
  const last = backsOff ? current : before;
  const ready =
    isInit && !isSidecar(container)
      ? current.state === 'exited' && current.exitCode === 0
      : running && inputs.isReady(current.id);
  return {
    ...base,
    state,
    lastState: last ? terminated(last, inputs) : (known?.lastState ?? {}),
    ready,
    restartCount,
    containerID: `${inputs.runtimeName}://${current.id}`,
    started: isInit && !isSidecar(container) ? false : running && inputs.isStarted(current.id),
    ...allocatedOf(container),
    ...mountsOf(container),
  };
}

/** What runs, by name: a runtime that was asked for an image's id says that, which tells people nothing. */
function imageName({ image = '' }: Container, running: string | undefined): string {
  if (running && !running.startsWith('sha256:')) return running;
  const hasTag = /[:@][^/]*$/.test(image);
  return running && image && !hasTag ? `${image}:latest` : image;
}

function allocatedOf(container: Container): Partial<ApiContainerStatus> {
  const { requests, limits } = container.resources ?? {};
  return {
    ...(requests && { allocatedResources: requests }),
    resources: { ...(limits && { limits }), ...(requests && { requests }) },
  };
}

function mountsOf(container: Container): Partial<ApiContainerStatus> {
  if (!container.volumeMounts?.length) return {};
  return {
    volumeMounts: container.volumeMounts.map((m) => ({
      name: m.name,
      mountPath: m.mountPath,
      ...(m.readOnly && { readOnly: true, recursiveReadOnly: 'Disabled' }),
    })) as ApiContainerStatus['volumeMounts'],
  };
}

function stateOf(
  container: ContainerStatus,
  inputs: StatusInputs,
  waiting: { reason: string; message?: string } | undefined,
): ContainerState {
  if (container.state === 'running') return { running: { startedAt: formatTime(container.startedAt) } };
  if (container.state === 'exited') return terminated(container, inputs);
  return { waiting: waiting ?? { reason: 'ContainerCreating' } };
}

function terminated(container: ContainerStatus, inputs: StatusInputs): ContainerState {
  return {
    terminated: {
      exitCode: container.exitCode,
      reason: container.reason || (container.exitCode === 0 ? 'Completed' : 'Error'),
      ...(container.message && { message: container.message }),
      startedAt: formatTime(container.startedAt),
      finishedAt: formatTime(container.finishedAt),
      containerID: `${inputs.runtimeName}://${container.id}`,
    },
  };
}

/** https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase */
function phaseOf(
  pod: Pod,
  initStatuses: readonly ApiContainerStatus[],
  statuses: readonly ApiContainerStatus[],
): Phase {
  const known = pod.status?.phase;
  if (known === 'Failed' || known === 'Succeeded') return known; // terminal: never left again
  for (const [index, status] of initStatuses.entries()) {
    if (isSidecar(pod.spec.initContainers![index])) continue;
    const code =
      status.state?.terminated?.exitCode ??
      (status.state?.waiting ? status.lastState?.terminated?.exitCode : undefined);
    if (status.state?.terminated && code === 0) continue;
    if (code !== undefined && code !== 0 && pod.spec.restartPolicy === 'Never') return 'Failed';
    if (!statuses.some((s) => s.state?.running || s.state?.terminated)) return 'Pending';
  }
  const running = statuses.filter((s) => s.state?.running).length;
  const waiting = statuses.filter((s) => s.state?.waiting && !s.lastState?.terminated).length;
  const stopped = statuses.filter((s) => s.state?.terminated || (s.state?.waiting && s.lastState?.terminated));
  if (waiting > 0) return 'Pending';
  if (running > 0) return 'Running';
  if (stopped.length === 0) return 'Pending';
  const policy = pod.spec.restartPolicy ?? 'Always';
  if (policy === 'Always') return 'Running';
  const failed = stopped.some((s) => (s.state?.terminated ?? s.lastState?.terminated)?.exitCode !== 0);
  if (!failed) return 'Succeeded';
  return policy === 'Never' ? 'Failed' : 'Running';
}

function conditionsOf(
  pod: Pod,
  phase: Phase,
  initStatuses: readonly ApiContainerStatus[],
  statuses: readonly ApiContainerStatus[],
  hasSandbox: boolean,
  now: number,
): PodCondition[] {
  const over = phase === 'Succeeded';
  const uninitialized = initStatuses
    .filter((s, i) => !(isSidecar(pod.spec.initContainers![i]) ? s.started : s.state?.terminated?.exitCode === 0))
    .map((s) => s.name);
  const sidecars = initStatuses.filter((_s, i) => isSidecar(pod.spec.initContainers![i]));
  const unready = [...sidecars, ...statuses].filter((s) => !s.ready).map((s) => s.name);
  const notReady = { reason: 'ContainersNotReady', message: `containers with unready status: [${unready.join(' ')}]` };
  const containersReady = over
    ? { reason: 'PodCompleted' }
    : phase === 'Failed'
      ? { reason: 'PodFailed' }
      : unready.length > 0
        ? notReady
        : undefined;
  const gates = (pod.spec.readinessGates ?? []).filter(
    (g) => pod.status?.conditions?.find((c) => c.type === g.conditionType)?.status !== 'True',
  );
  const gateMessages = gates.map((g) => {
    const found = pod.status?.conditions?.find((c) => c.type === g.conditionType);
    return found
      ? `the status of pod readiness gate "${g.conditionType}" is not "True", but ${found.status}`
      : `corresponding condition of pod readiness gate "${g.conditionType}" does not exist.`;
  });
  const ready =
    containersReady ??
    (gates.length > 0 ? { reason: 'ReadinessGatesNotReady', message: gateMessages.join(', ') } : undefined);
  const initialized =
    uninitialized.length === 0 || statuses.some((s) => s.state?.running)
      ? undefined
      : {
          reason: 'ContainersNotInitialized',
          message: `containers with incomplete status: [${uninitialized.join(' ')}]`,
        };
  const wanted: [string, { reason?: string; message?: string } | undefined][] = [
    ['PodReadyToStartContainers', hasSandbox ? undefined : {}],
    ['Initialized', over && initialized ? undefined : over ? { reason: 'PodCompleted' } : initialized],
    ['Ready', ready],
    ['ContainersReady', containersReady],
    ['PodScheduled', undefined],
  ];
  const ours = wanted.map(([type, problem]) =>
    condition(pod, type, type === 'Initialized' && over ? 'True' : problem ? 'False' : 'True', problem ?? {}, now),
  );
  const theirs = (pod.status?.conditions ?? []).filter((c) => !wanted.some(([type]) => type === c.type));
  return [...theirs, ...ours];
}

/** lastTransitionTime moves only when the status does. */
function condition(
  pod: Pod,
  type: string,
  status: 'True' | 'False',
  why: { reason?: string; message?: string },
  now: number,
): PodCondition {
  const old = pod.status?.conditions?.find((c) => c.type === type);
  return {
    type,
    observedGeneration: pod.metadata.generation,
    status,
    lastProbeTime: null,
    lastTransitionTime: old?.status === status && old.lastTransitionTime ? old.lastTransitionTime : formatTime(now),
    ...(why.reason && { reason: why.reason }),
    ...(why.message && { message: why.message }),
  } as unknown as PodCondition;
}

const ownConditions = ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled'];

/** The pod with the status that this kubelet computed last, and with the conditions that others wrote to the API since. */
export function withKnownStatus(pod: Pod, known: PodStatus | undefined): Pod {
  if (!known) return pod;
  const isOurs = ({ type }: PodCondition) => ownConditions.includes(type);
  const ours = (known.conditions ?? []).filter(isOurs);
  const theirs = (pod.status?.conditions ?? []).filter((c) => !(isOurs(c) && ours.some((o) => o.type === c.type)));
  return { ...pod, status: { ...known, conditions: [...ours, ...theirs] } };
}
