// The state of one pod on its node, the events that change it, and the effects that follow. step.ts has the transitions.
// Everything here is data: pod-runner.ts owns the runtime, the timers and the API.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/

import { type Container, isTerminalPhase, type Pod } from '../../../api/api.ts';
import type { ContainerStatus } from '../../../container-runtime/container-runtime.ts';
import type { Delay } from '../../../machinery/time/backoff.ts';
import type { EvictionManner } from '../../eviction/local-storage.ts';
import type { ResizeActions } from '../../resources/pod-resize.ts';
import type { ContainerWait, Phase, PodFailure } from '../../status/status-inputs.ts';
import type { KillContainer, ProbeResults, RuntimePod } from '../pod-actions.ts';
import type { Refusal } from '../refusal.ts';

export interface Now {
  /** Milliseconds since the epoch: for times that the API or the runtime has. */
  readonly epochMs: number;
  /** Milliseconds that never jump: for durations and deadlines. */
  readonly monotonicMs: number;
}

export type PodWorker = Waiting | Syncing | Ended | Terminating | Terminated;

interface Live {
  /** The API's newest version. */
  readonly pod: Pod;
  /** The one task that is in progress. */
  readonly task?: Task | Interrupted;
  /** Something changed since the last look: look again as soon as the task is complete. */
  readonly isDirty: boolean;
  /** When the node accepted or refused the pod, in milliseconds since the epoch. Absent while waiting. */
  readonly admittedMs?: number;
  /** Why containers wait, by name: the result of their last start. Empty until a start fails. */
  readonly waits: ReadonlyMap<string, ContainerWait>;
}

/** The node has not decided yet whether it takes the pod. This kubelet has started nothing of it. */
export interface Waiting extends Live {
  readonly state: 'waiting';
  /** When this kubelet first looked at a pod that does not run yet. */
  readonly firstSeenMs?: number;
  /** When the node first refused it. */
  readonly refusedMs?: number;
  /** The refusal was decided with the API's newest version of the node. */
  readonly hasReadNode: boolean;
}

/** The node admitted the pod, and runs its containers by the spec. */
export interface Syncing extends Live {
  readonly state: 'syncing';
  /** As in `Waiting`, until the pod runs. */
  readonly firstSeenMs?: number;
  /** Restart delays by container name. A container with another image or other resources begins with the first delay. */
  readonly delays: ReadonlyMap<string, Delay & { readonly definition: string }>;
  /** When the contents of the volumes were last read. */
  readonly volumesMs: number;
  /** The rest of the sync in progress. */
  readonly plan?: Plan;
}

/** The pod has completed, or the node ended it. The API keeps it, and the node keeps its containers for their logs. */
export interface Ended extends Live {
  readonly state: 'ended';
  /** Absent when the pod completed by itself. */
  readonly failure?: PodFailure;
  /** Its containers and sandbox were stopped since the last look. */
  readonly isStopped: boolean;
  /** Its volumes are gone. */
  readonly isReleased: boolean;
}

/** The pod is deleted: its containers stop by the deadline, then everything of it is removed. */
export interface Terminating extends Live {
  readonly state: 'terminating';
  /** The API still has the pod. */
  readonly isInApi: boolean;
  /** The shortest requested grace period; 0 kills at once. */
  readonly graceSeconds: number;
  /** Monotonic; only ever moves earlier. */
  readonly deadlineMs: number;
  readonly failure?: PodFailure;
}

/** The node has nothing of the pod. Final. */
export interface Terminated {
  readonly state: 'terminated';
  readonly pod: Pod;
}

/** The rest of a sync, in this order: tasks, starts, report. */
export interface Plan {
  /** With the resources that the node promised. */
  readonly promised: Pod;
  readonly tasks: readonly Task[];
  /** Containers to start once the task `prepare` is complete; those before `next` are done. */
  readonly starts: readonly Container[];
  readonly next: number;
  /** As of `prepare`. */
  readonly runtime: RuntimePod;
  readonly report: Report;
  /** When to look again afterwards. */
  readonly afterMs: number;
  /** The starts in progress were reported. */
  readonly hasReportedStarts: boolean;
}

export interface Report {
  readonly do: 'report';
  /** Read the runtime first. */
  readonly isFresh: boolean;
  /** Nothing of the pod runs, and nothing will. */
  readonly hasEnded: boolean;
  /** All containers were removed in order to restart them. */
  readonly restartsAll?: boolean;
}

/** An effect that takes time. At most one is in progress, and each ends with exactly one event. */
export type Task =
  /** Ends with `looked`. */
  | { readonly do: 'look' }
  /** Read the node's labels from the API again. */
  | { readonly do: 'readNode' }
  | { readonly do: 'stopPod'; readonly graceSeconds: number }
  | { readonly do: 'stopContainers'; readonly kills: readonly Kill[] }
  /** Stop and remove all containers, in this order. */
  | { readonly do: 'removeContainers'; readonly ids: readonly string[]; readonly graceSeconds: number }
  | { readonly do: 'resize'; readonly promised: Pod; readonly resize: ResizeActions }
  /** Volumes, cgroup and sandbox. Ends with `prepared`, `unprepared` or `rejected`. */
  | { readonly do: 'prepare'; readonly promised: Pod; readonly attempt: number; readonly createsSandbox: boolean }
  /** Ends with `started`, `startFailed`, or `done` when it was aborted. */
  | {
      readonly do: 'start';
      readonly promised: Pod;
      readonly container: Container;
      readonly attempt: number;
      /** Earlier runs that are no longer kept. */
      readonly removes: readonly ContainerStatus[];
    }
  /** Ends with `volumesRefreshed`. */
  | { readonly do: 'refreshVolumes' }
  /** Ends with `reported`. */
  | Report
  | { readonly do: 'releaseVolumes' }
  /** Send the last status, remove the volumes and delete the pod from the API. */
  | { readonly do: 'deletePod' }
  /** Remove containers, sandboxes, cgroup, files and logs. */
  | { readonly do: 'clear' };

interface Kill extends KillContainer {
  readonly graceSeconds: number;
}

/** A task of the former state: its result no longer matters, only its end. */
export interface Interrupted {
  readonly do: 'interrupted';
  /** The grace period with which it stops containers. */
  readonly graceSeconds?: number;
}

export type Effect =
  | Task
  /** Report while a start is in progress; ends with `reportedMeanwhile`. */
  | { readonly do: 'reportMeanwhile' }
  /** Give up waiting for volumes, pulls and hooks. */
  | { readonly do: 'abortStarts' }
  /** Shorten the grace of the stop in progress. */
  | { readonly do: 'stopSooner'; readonly graceSeconds: number }
  | { readonly do: 'keepReadiness' }
  /** End these pods: their resources are needed. */
  | { readonly do: 'preempt'; readonly uids: readonly string[] }
  /** Send `timer` after this time. Replaces the former timer, and a look cancels it. */
  | { readonly do: 'setTimer'; readonly afterMs: number }
  /** An event of the pod, or of a container. */
  | {
      readonly do: 'recordEvent';
      readonly type: 'Normal' | 'Warning';
      readonly reason: string;
      readonly message: string;
      readonly container?: string;
    }
  /** From the first look at the pod until it ran. */
  | { readonly do: 'measureStart'; readonly seconds: number }
  | { readonly do: 'finish' };

/** The runtime's view of the pod, and the node's decisions about it. */
export interface Observation {
  readonly runtime: RuntimePod;
  /** The pod with the resources that the node promised. */
  readonly promised: Pod;
  readonly resize: ResizeActions;
  readonly probes: ProbeResults;
  /** Why the node cannot take it; for waiting pods only. */
  readonly refusal?: Refusal;
  /** The contents of volumes follow the API's objects. */
  readonly refreshesVolumes: boolean;
}

export type PodEvent =
  | { readonly on: 'updated'; readonly pod: Pod }
  /** The API no longer has the pod. */
  | { readonly on: 'removed' }
  /** Containers, probes or the node changed. */
  | { readonly on: 'changed' }
  | { readonly on: 'timer' }
  | { readonly on: 'evicted'; readonly message: string; readonly manner: EvictionManner }
  | { readonly on: 'reportedMeanwhile'; readonly phase: Phase }
  | TaskEvent;

/** The end of a task. */
export type TaskEvent =
  | { readonly on: 'done' }
  /** It threw, and was logged. */
  | { readonly on: 'failed' }
  | { readonly on: 'looked'; readonly seen: Observation }
  | { readonly on: 'prepared'; readonly runtime: RuntimePod }
  | { readonly on: 'unprepared'; readonly retryMs: number }
  /** The node cannot have the volumes of the pod. */
  | { readonly on: 'rejected'; readonly refusal: Refusal }
  | { readonly on: 'started' }
  /** `retryMs` is 0 unless the image has a retry time. */
  | { readonly on: 'startFailed'; readonly reason: string; readonly message: string; readonly retryMs: number }
  | { readonly on: 'volumesRefreshed'; readonly isComplete: boolean }
  | { readonly on: 'reported'; readonly phase: Phase };

export interface Step {
  readonly worker: PodWorker;
  /** In the order in which they are to happen. */
  readonly effects: readonly Effect[];
}

const noWaits: ReadonlyMap<string, ContainerWait> = new Map();

/** Does nothing until the first event. */
export const newWorker = (pod: Pod): Waiting => ({
  state: 'waiting',
  pod,
  isDirty: false,
  waits: noWaits,
  hasReadNode: false,
});

/** The pod is to run, and nothing has ended it. */
export const isActive = (worker: PodWorker): boolean =>
  worker.state === 'syncing' || (worker.state === 'waiting' && !isTerminalPhase(worker.pod.status?.phase));

export const failureOf = (worker: PodWorker): PodFailure | undefined =>
  worker.state === 'ended' || worker.state === 'terminating' ? worker.failure : undefined;
