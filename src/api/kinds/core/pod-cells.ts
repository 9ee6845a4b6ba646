// The cells of a pod's row, such as READY, STATUS and RESTARTS.

import { must } from '../../../machinery/must.ts';
import type { ContainerState, Pod } from '../../generated/types.ts';
import { conditionOf } from '../../objects/conditions.ts';
import { isPodReady, isPodTerminal } from '../../objects/pod.ts';
import { age, none } from '../cells.ts';

interface Summary {
  status: string;
  ready: number;
  total: number;
  restarts: number;
  restartedAt?: string;
}

export const podCells = {
  Ready: (pod: Pod) => {
    const { ready, total } = summary(pod);
    return `${ready}/${total}`;
  },
  Status: (pod: Pod) => summary(pod).status,
  Restarts: (pod: Pod, now: number) => {
    const { restarts, restartedAt } = summary(pod);
    return restarts && restartedAt ? `${restarts} (${age(restartedAt, now)} ago)` : String(restarts);
  },
  IP: (pod: Pod) => pod.status?.podIPs?.[0]?.ip || none,
  Node: (pod: Pod) => pod.spec?.nodeName || none,
  'Nominated Node': (pod: Pod) => pod.status?.nominatedNodeName || none,
  'Readiness Gates': (pod: Pod) => {
    const gates = pod.spec?.readinessGates ?? [];
    const open = gates.filter((gate) => conditionOf(pod, gate.conditionType)?.status === 'True');
    return gates.length ? `${open.length}/${gates.length}` : none;
  },
};

const ended = (state: ContainerState) => must(state.terminated, 'terminated');
const exitText = (state: ContainerState): string => {
  const { reason, signal, exitCode } = ended(state);
  return reason || (signal ? `Signal:${signal}` : `ExitCode:${exitCode}`);
};

function summary(pod: Pod): Summary {
  const specs = pod.spec?.containers ?? [];
  const inits = pod.spec?.initContainers ?? [];
  const sidecars = new Set(inits.filter((c) => c.restartPolicy === 'Always').map((c) => c.name));
  const result: Summary = {
    status: pod.status?.reason || pod.status?.phase || '',
    ready: 0,
    total: specs.length + sidecars.size,
    restarts: 0,
  };
  if (conditionOf(pod, 'PodScheduled')?.reason === 'SchedulingGated') result.status = 'SchedulingGated';
  const initializing = readInits(pod, sidecars, result);
  if (!initializing || conditionOf(pod, 'Initialized')?.status === 'True') readContainers(pod, result, sidecars);
  if (pod.metadata.deletionTimestamp)
    if (pod.status?.reason === 'NodeLost') result.status = 'Unknown';
    else if (!isPodTerminal(pod)) result.status = 'Terminating';
  return result;
}

const latest = (a: string | undefined, b: string | undefined) => (!a || (b && b > a) ? b : a);

/** True while an init container has not completed. */
function readInits(pod: Pod, sidecars: ReadonlySet<string>, result: Summary): boolean {
  const statuses = pod.status?.initContainerStatuses ?? [];
  let sidecarRestarts = 0;
  for (const [index, status] of statuses.entries()) {
    const state = status.state ?? {};
    const restartedAt = status.lastState?.terminated?.finishedAt;
    result.restarts += status.restartCount ?? 0;
    result.restartedAt = latest(result.restartedAt, restartedAt ?? undefined);
    if (sidecars.has(status.name)) sidecarRestarts += status.restartCount ?? 0;
    if (state.terminated && state.terminated.exitCode === 0) continue;
    if (sidecars.has(status.name) && status.started) {
      if (status.ready) result.ready++;
      continue;
    }
    const waiting = state.waiting?.reason;
    if (state.terminated) result.status = `Init:${exitText(state)}`;
    else if (waiting && waiting !== 'PodInitializing') result.status = `Init:${waiting}`;
    else result.status = `Init:${index}/${pod.spec?.initContainers?.length ?? 0}`;
    return true;
  }
  // When the main containers run, only restarts of sidecars count.
  result.restarts = sidecarRestarts;
  return false;
}

function readContainers(pod: Pod, result: Summary, sidecars: ReadonlySet<string>): void {
  const statuses = pod.status?.containerStatuses ?? [];
  let running = false;
  if (!sidecars.size) result.restartedAt = undefined;
  for (const status of [...statuses].reverse()) {
    const state = status.state ?? {};
    result.restarts += status.restartCount ?? 0;
    result.restartedAt = latest(result.restartedAt, status.lastState?.terminated?.finishedAt ?? undefined);
    if (state.waiting?.reason) result.status = state.waiting.reason;
    else if (state.terminated) result.status = exitText(state);
    else if (status.ready && state.running) {
      running = true;
      result.ready++;
    }
  }
  if (result.status === 'Completed' && running) result.status = isPodReady(pod) ? 'Running' : 'NotReady';
}
