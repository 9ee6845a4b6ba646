// The inputs of a pod status beside the state of the runtime.

import type { Container, ContainerStatus, PodCondition } from '../../api/api.ts';
import type { Limits } from '../../container-runtime/container-runtime.ts';
import type { StatusCache } from './status-cache.ts';

export type Phase = 'Pending' | 'Running' | 'Succeeded' | 'Failed';

/** Why the node ended a pod. */
export interface PodFailure {
  readonly reason: string;
  readonly message: string;
  /** The pod was never admitted, and has no containers. */
  readonly isRefused?: boolean;
  /** Overrides the pod's grace period. */
  readonly graceSeconds?: number;
  /** The node evicted it to reclaim resources. */
  readonly isDisruption?: boolean;
  /** The message of that condition, if it differs. */
  readonly disruption?: string;
}

/** Why a container waits. */
export interface ContainerWait {
  readonly reason: string;
  readonly message?: string;
}

export interface StatusInputs {
  /** The reasons why containers wait, by name: the worker's last error. */
  readonly waiting: ReadonlyMap<string, ContainerWait>;
  /** Containers whose postStart hook runs. */
  readonly starting?: ReadonlySet<string>;
  /** Whether a running container's readiness and startup probes have succeeded, by container id. */
  isReady(id: string, container: Container): boolean;
  isStarted(id: string, container: Container): boolean;
  readonly hostIPs: readonly string[];
  /** Prefix of containerID, such as containerd. */
  readonly runtimeName: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** When this kubelet started the pod, if the API does not have it yet. */
  readonly startedAt?: number;
  readonly failure?: PodFailure;
  /** No container runs, and none will. */
  readonly hasEnded?: boolean;
  /** All containers were removed to be restarted, by a restart rule. */
  readonly restartsAll?: boolean;
  /** The actual resources of a container's cgroup, if they differ from the allocated ones. */
  readonly actualResources?: ReadonlyMap<string, Container['resources']>;
  /** Devices of plugins, by container. */
  readonly devices?: ReadonlyMap<string, NonNullable<ContainerStatus['allocatedResourcesStatus']>>;
  /** The actual limits of the pod's cgroup, if it has one. */
  readonly podLimits?: Limits;
  /** Keeps entries from one status of the pod to the next. */
  readonly cache?: StatusCache;
  /** Additional conditions. */
  readonly conditions?: readonly Pick<PodCondition, 'type' | 'status' | 'reason' | 'message'>[];
}
