// From the runtime's state to pod.status. Pure.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase

import {
  type ContainerStatus as ApiContainerStatus,
  type Container,
  formatTime,
  type Pod,
  type PodStatus,
} from '../../api/api.ts';
import { must } from '../../machinery/must.ts';
import { nextTurn } from '../../machinery/time/turn.ts';
import { isSidecar, type RuntimePod } from '../pods/pod-actions.ts';
import { restarts } from '../pods/restart-policy.ts';
import { qosOf } from '../resources/resources.ts';
import { containerStatus, lostState, restartingAll } from './container-status.ts';
import { conditionsOf } from './pod-conditions.ts';
import { podResourcesStatus } from './pod-resources-status.ts';
import type { StatusCache } from './status-cache.ts';
import type { Phase, PodFailure, StatusInputs } from './status-inputs.ts';

/** https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions */
export const disruptionOf = (failure: PodFailure | undefined) =>
  failure?.isDisruption
    ? [
        {
          type: 'DisruptionTarget',
          status: 'True',
          reason: 'TerminationByKubelet',
          message: failure.disruption ?? failure.message,
        },
      ]
    : [];

/** Entries that are computed in one turn of the event loop. */
const entriesPerTurn = 500;

/** Computes the entries of a pod with many containers in small steps. `inputs` must have a cache. */
export async function prepareEntries(pod: Pod, runtime: RuntimePod, inputs: StatusInputs): Promise<void> {
  for (const [index, container] of pod.spec.containers.entries()) {
    if (index % entriesPerTurn === entriesPerTurn - 1) await nextTurn();
    containerStatus(pod, container, false, runtime, inputs);
  }
}

export function podStatus(pod: Pod, runtime: RuntimePod, inputs: StatusInputs): PodStatus {
  const { failure } = inputs;
  if (failure?.isRefused) return refusedStatus(pod, failure, inputs);
  const previous = pod.status ?? {};
  const { initStatuses, statuses } = containerStatuses(pod, runtime, inputs);
  // Ephemeral containers do not affect readiness.
  const ephemeral = ((pod.spec.ephemeralContainers ?? []) as Container[]).map((c) => ({
    ...containerStatus(pod, c, false, runtime, inputs),
    ready: false,
  }));
  const phase = failure ? 'Failed' : phaseOf(pod, initStatuses, statuses, inputs.hasEnded ?? false);
  const current = runtime.sandboxes.find((s) => s.state === 'ready');
  const podIPs = pod.spec.hostNetwork
    ? current
      ? inputs.hostIPs
      : []
    : (current?.ips ?? previous.podIPs?.map((p) => p.ip) ?? []);
  const { podIP: _podIP, podIPs: _podIPs, reason, message, ...kept } = previous;
  // A reason belongs to the phase that it came with.
  const why = failure ?? (phase === previous.phase ? { reason, message } : {});
  return {
    ...kept,
    observedGeneration: pod.metadata.generation,
    phase,
    ...(why.reason && { reason: why.reason }),
    ...(why.message && { message: why.message }),
    conditions: conditionsOf(pod, {
      phase,
      initStatuses,
      statuses,
      hasSandbox: current !== undefined,
      more: [...(inputs.conditions ?? []), ...restartAllCondition(pod, inputs)],
      now: inputs.now,
    }),
    hostIP: inputs.hostIPs[0],
    hostIPs: inputs.hostIPs.map((ip) => ({ ip })),
    ...(podIPs.length > 0 && { podIP: podIPs[0], podIPs: podIPs.map((ip) => ({ ip })) }),
    startTime: previous.startTime ?? formatTime(inputs.startedAt ?? inputs.now),
    ...(initStatuses.length > 0 && { initContainerStatuses: initStatuses }),
    containerStatuses: sortedByName(statuses, pod.spec.containers, inputs.cache),
    ...(ephemeral.length > 0 && { ephemeralContainerStatuses: ephemeral.toSorted(byName) }),
    qosClass: qosOf(pod),
    ...podResourcesStatus(pod, phase, inputs.podLimits),
  };
}

/** Only pods that could restart so have it. */
function restartAllCondition({ spec }: Pod, { restartsAll }: StatusInputs) {
  const may = [...spec.containers, ...(spec.initContainers ?? [])].some((c) =>
    c.restartPolicyRules?.some((rule) => rule.action === 'RestartAllContainers'),
  );
  if (!may) return [];
  return restartsAll
    ? [
        {
          type: 'AllContainersRestarting',
          status: 'True',
          reason: 'RestartAllContainersStarted',
          message: 'container exited with restart policy rule',
        },
      ]
    : [{ type: 'AllContainersRestarting', status: 'False' }];
}

/** Sorting thousands of names takes long, and they do not change. */
const orders = new WeakMap<readonly Container[], readonly number[]>();

/** `containers` are those of the statuses, in the same order. */
function sortedByName(
  statuses: readonly ApiContainerStatus[],
  containers: readonly Container[],
  cache: StatusCache | undefined,
): ApiContainerStatus[] {
  if (!cache) return statuses.toSorted(byName);
  let order = orders.get(containers);
  if (!order) {
    order = containers.map((_, i) => i).sort((a, b) => byName(statuses[a], statuses[b]));
    orders.set(containers, order);
  }
  return cache.list(
    'containers',
    order.map((i) => statuses[i]),
  ) as ApiContainerStatus[];
}

const byName = (a: ApiContainerStatus, b: ApiContainerStatus) => (a.name < b.name ? -1 : 1);

function containerStatuses(pod: Pod, runtime: RuntimePod, inputs: StatusInputs) {
  const statusOf = (container: Container, isInit: boolean) => containerStatus(pod, container, isInit, runtime, inputs);
  const initStatuses = (pod.spec.initContainers ?? []).map((c) => statusOf(c, true));
  const statuses = pod.spec.containers.map((c) => statusOf(c, false));
  if (!inputs.hasEnded) return { initStatuses, statuses };
  const ended = (status: ApiContainerStatus) =>
    status.state?.terminated ? status : { ...status, state: lostState, ready: false, started: false };
  const reached = initStatuses.findLastIndex((s) => !s.state?.waiting || s.lastState?.terminated);
  return {
    initStatuses: initStatuses.map((s, i) => (i <= Math.max(0, reached) ? ended(s) : s)),
    statuses: isInitialized(pod, initStatuses, statuses) ? statuses.map(ended) : statuses,
  };
}

function isInitialized(
  pod: Pod,
  initStatuses: readonly ApiContainerStatus[],
  statuses: readonly ApiContainerStatus[],
): boolean {
  const last = initStatuses.at(-1);
  if (!last || statuses.some((s) => !s.state?.waiting || s.lastState?.terminated)) return true;
  if (isSidecar(must(must(pod.spec.initContainers, 'initContainers').at(-1), 'init container')))
    return last.started ?? false;
  return (last.state?.terminated ?? last.lastState?.terminated)?.exitCode === 0;
}

function refusedStatus(pod: Pod, { reason, message }: PodFailure, inputs: StatusInputs): PodStatus {
  return {
    ...pod.status,
    observedGeneration: pod.metadata.generation,
    phase: 'Failed',
    reason,
    message,
    startTime: pod.status?.startTime ?? formatTime(inputs.now),
  };
}

/** https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase */
function phaseOf(
  pod: Pod,
  initStatuses: readonly ApiContainerStatus[],
  statuses: readonly ApiContainerStatus[],
  hasEnded: boolean,
): Phase {
  const reported = pod.status?.phase;
  if (reported === 'Failed' || reported === 'Succeeded') return reported; // terminal: never left again
  const running = statuses.some((s) => s.state?.running);
  const hasStarted = statuses.some((s) => s.state?.running || endOf(s));
  for (const [index, status] of initStatuses.entries()) {
    const container = must(pod.spec.initContainers, 'initContainers')[index];
    if (isSidecar(container)) {
      if (!hasStarted && !hasEnded && !(status.state?.running && status.started)) return 'Pending';
      continue;
    }
    const code = endOf(status)?.exitCode;
    if (status.state?.terminated && code === 0) continue;
    if (code !== undefined && code !== 0 && !comesBack(pod, container, status)) return 'Failed';
    if (!hasStarted && !hasEnded) return 'Pending';
  }
  const waits = statuses.some((s) => !s.state?.running && !endOf(s));
  if (waits && !hasEnded) return 'Pending';
  if (running) return 'Running';
  const ends = statuses.map((s) => endOf(s)?.exitCode);
  if (hasEnded) return ends.every((code) => code === 0) ? 'Succeeded' : 'Failed';
  if (statuses.some((s, i) => comesBack(pod, pod.spec.containers[i], s))) return 'Running';
  return ends.every((code) => code === 0) ? 'Succeeded' : 'Failed';
}

const comesBack = (pod: Pod, container: Container, status: ApiContainerStatus) =>
  restarts(pod, container, must(endOf(status), 'exit').exitCode) ||
  must(endOf(status), 'exit').reason === restartingAll;

/** Its end, or its last end while it waits for a restart. */
const endOf = ({ state, lastState }: ApiContainerStatus) =>
  state?.terminated ?? (state?.waiting ? lastState?.terminated : undefined);
