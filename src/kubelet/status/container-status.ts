// From a container's runtime status to its entry in pod.status. Pure.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-states

import {
  type ContainerStatus as ApiContainerStatus,
  type Container,
  type ContainerState,
  formatTime,
  type Pod,
} from '../../api/api.ts';
import type { ContainerStatus } from '../../container-runtime/container-runtime.ts';
import { allNamed, named } from '../../machinery/collections/by-name.ts';
import { isSidecar, newest, type RuntimePod } from '../pods/pod-actions.ts';
import { restarts } from '../pods/restart-policy.ts';
import type { ContainerWait, StatusInputs } from './status-inputs.ts';

export function containerStatus(
  pod: Pod,
  container: Container,
  isInit: boolean,
  runtime: RuntimePod,
  inputs: StatusInputs,
): ApiContainerStatus {
  const facts = factsOf(pod, container, isInit, runtime, inputs);
  const compute = () => entryOf(pod, facts, inputs);
  return inputs.cache ? inputs.cache.entry(facts, compute) : compute();
}

/** The inputs of one container's entry. */
interface ContainerFacts {
  readonly container: Container;
  readonly isInit: boolean;
  /** The newest run, and the one before. */
  readonly current: ContainerStatus | undefined;
  readonly before: ContainerStatus | undefined;
  /** The entry as it was reported last. */
  readonly reported: ApiContainerStatus | undefined;
  readonly waiting: ContainerWait | undefined;
  readonly restartsAll: boolean;
  readonly isReady: boolean;
  readonly isStarted: boolean;
  readonly actual: Container['resources'] | undefined;
}

function factsOf(
  pod: Pod,
  container: Container,
  isInit: boolean,
  runtime: RuntimePod,
  inputs: StatusInputs,
): ContainerFacts {
  const { name } = container;
  const runs = allNamed(runtime.containers, name);
  // A starting container (its postStart hook runs) does not count yet.
  const all = inputs.starting?.has(name) ? runs.filter((c) => c.state !== 'running') : runs;
  const current = all.length > 1 ? newest(all, name) : all[0];
  const before =
    all.length > 1
      ? newest(
          all.filter((c) => c !== current),
          name,
        )
      : undefined;
  const isRunning = current?.state === 'running';
  return {
    ...{ container, isInit, current, before, reported: reportedStatus(pod, name), waiting: inputs.waiting.get(name) },
    restartsAll: inputs.restartsAll ?? false,
    isReady: isRunning && inputs.isReady(current.id, container),
    isStarted: isRunning && inputs.isStarted(current.id, container),
    actual: isRunning ? inputs.actualResources?.get(name) : undefined,
  };
}

function entryOf(pod: Pod, facts: ContainerFacts, inputs: StatusInputs): ApiContainerStatus {
  const { container, isInit, current, before, reported, waiting } = facts;
  const base = {
    name: container.name,
    image: imageName(container, current?.image),
    imageID: current?.imageRef ?? '',
    ...(inputs.devices?.has(container.name) && { allocatedResourcesStatus: inputs.devices.get(container.name) }),
  };
  if (!current && reported && facts.restartsAll && !reported.state?.waiting) return restartedWithAll(reported);
  if (!current && reported?.state?.terminated && isInit) return reported; // removed since, but it did run
  if (!current) {
    const reason = waiting ?? notStarted(pod);
    return {
      ...base,
      state: { waiting: reason },
      lastState: reported?.lastState ?? {},
      ready: false,
      restartCount: reported?.restartCount ?? 0,
      started: false,
      ...mountsOf(container),
    };
  }
  // Between two runs a container waits, and how it ended is in lastState.
  const restartsSoon =
    current.state === 'exited' && waiting !== undefined && mayRestart(pod, container, isInit, current.exitCode);
  const state: ContainerState = restartsSoon ? { waiting } : stateOf(current, inputs, waiting ?? notStarted(pod));
  const last = restartsSoon ? current : before;
  const ready = isInit && !isSidecar(container) ? current.state === 'exited' && current.exitCode === 0 : facts.isReady;
  return {
    ...base,
    state,
    lastState: last ? terminated(last, inputs) : (reported?.lastState ?? {}),
    ready,
    restartCount: Math.max(current.attempt, reported?.restartCount ?? 0),
    containerID: `${inputs.runtimeName}://${current.id}`,
    started: isInit && !isSidecar(container) ? false : facts.isStarted,
    ...allocatedOf(container, facts.actual),
    ...mountsOf(container),
  };
}

/** Reason of a container that was removed because all containers restart. */
export const restartingAll = 'RestartingAllContainers';
const withAllMessage = 'The container is removed because RestartAllContainers in place';

/** Removed because another container's end restarts all. */
function restartedWithAll({ containerID: _id, ...reported }: ApiContainerStatus): ApiContainerStatus {
  const ended = { reason: restartingAll, message: withAllMessage, exitCode: 137 };
  return {
    ...reported,
    state: { waiting: { reason: restartingAll, message: withAllMessage } },
    lastState: { terminated: ended as ContainerState['terminated'] },
    ready: false,
    started: false,
    restartCount: reported.restartCount + 1,
  };
}

const reportedStatus = ({ status }: Pod, name: string): ApiContainerStatus | undefined =>
  named(status?.containerStatuses, name) ?? named(status?.initContainerStatuses, name);

const mayRestart = (pod: Pod, container: Container, isInit: boolean, exitCode: number) =>
  !(isInit && !isSidecar(container) && exitCode === 0) && restarts(pod, container, exitCode);

/** The image's name in the status: some runtimes report the image's id, which is not readable. */
function imageName({ image = '' }: Container, running: string | undefined): string {
  if (running && !running.startsWith('sha256:')) return running;
  const hasTag = /[:@][^/]*$/.test(image);
  return running && image && !hasTag ? `${image}:latest` : image;
}

/** `actual`: the values of the container's cgroup if they differ from the allocated ones. */
function allocatedOf(container: Container, actual: Container['resources'] | undefined): Partial<ApiContainerStatus> {
  const { requests } = container.resources ?? {};
  const has = actual ?? container.resources ?? {};
  return {
    ...(requests && { allocatedResources: requests }),
    resources: { ...(has.limits && { limits: has.limits }), ...(has.requests && { requests: has.requests }) },
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
  waiting: { reason: string; message?: string },
): ContainerState {
  if (container.state === 'running') return { running: { startedAt: formatTime(container.startedAt) } };
  if (container.state === 'exited') return terminated(container, inputs);
  return { waiting };
}

/** The state of containers that wait for no other reason; init containers have that of their pod, too. */
const notStarted = ({ spec }: Pod) => ({
  reason: (spec.initContainers?.length ?? 0) > 0 ? 'PodInitializing' : 'ContainerCreating',
});

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

/** The state of a container without any record when the pod has ended. */
export const lostState: ContainerState = {
  terminated: {
    reason: 'ContainerStatusUnknown',
    message: 'The container could not be located when the pod was terminated',
    exitCode: 137,
  } as ContainerState['terminated'],
};
