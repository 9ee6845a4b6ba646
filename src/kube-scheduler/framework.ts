// The interfaces of scheduler plugins. https://kubernetes.io/docs/concepts/scheduling-eviction/scheduling-framework/
// Plugins get all data as arguments. A plugin that does not apply to a pod returns 'skip' in `prepare`, and is not
// called for each node.

import type { Pod } from '../api/api.ts';
import type { Client } from '../client/client.ts';
import type { Clock } from '../machinery/time/clock.ts';
import type { ClusterEvent } from './cluster-events.ts';
import type { NodeInfo } from './node-info.ts';
import type { Nominations } from './nominations.ts';
import type { PodInfo } from './pod-info.ts';
import type { Storage } from './storage.ts';

/** The reason why a node rejects a pod. `resolvable`: removing pods from the node could help. */
export interface Rejection {
  readonly reason: string;
  readonly resolvable: boolean;
}

/** Answers for one pod, made once a scheduling cycle. */
export interface FilterCycle {
  /** Undefined when the node fits. All reasons count in the message of FailedScheduling. */
  filter(node: NodeInfo): Rejection | readonly Rejection[] | undefined;
  /** Holds volumes and the like for the pod on the chosen node; undefined: nothing is needed. */
  reserve?(node: NodeInfo): Reservation | undefined;
}

/** The extension points Reserve and PreBind. */
export interface Reservation {
  /** Writes the objects that must exist before the pod is bound. Rejects: the pod is tried again. */
  preBind(tools: BindTools): Promise<void>;
  /** Called at the end, whether the pod was bound or not. */
  release(): void;
}

export interface BindTools {
  readonly client: Client;
  readonly clock: Clock;
  /** Aborted when the pod is deleted or the scheduler stops. */
  readonly signal: AbortSignal;
}

export interface ScoreCycle {
  /** Any scale; see `normalize`. */
  score(node: NodeInfo): number;
  /** Scales all scores to 0..100, in place. Default: scores already are. */
  normalize?(scores: Float64Array): void;
}

export interface Snapshot {
  readonly nodes: readonly NodeInfo[];
  node(name: string): NodeInfo | undefined;
  /** Nodes with pods that have affinity rules: most clusters have few or none. */
  readonly nodesWithPodAffinity: ReadonlySet<string>;
  /** The lowest priority among the pods that have a node; Infinity when there are none. */
  lowestPriority(): number;
  /** Placed pods of one controller (its uid), counted by the name of their node. */
  siblings(controllerUid: string): ReadonlyMap<string, number>;
  /** Whether any node has a zone label. */
  readonly hasZones: boolean;
  /** How many nodes have an image by this name. */
  nodesWithImage(name: string): number;
  /** Labels of a namespace, undefined when there is no such namespace. */
  namespaceLabels(name: string): Readonly<Record<string, string>> | undefined;
  readonly storage: Storage;
  /** The number of placed pods that use a claim (namespace/name). */
  claimUsers(key: string): number;
  readonly nominations: Pick<Nominations, 'size' | 'nodeOf' | 'on'>;
  /** Whether the scheduler preempted this placed pod; it may not be terminating yet. */
  isPreempted(uid: string): boolean;
}

export interface Plugin {
  readonly name: string;
  /** Keeps a pod out of the queue until it returns undefined: https://kep.k8s.io/3521. */
  preEnqueue?(pod: Pod): string | undefined;
  /** 'skip': the filter does not apply to this pod. A rejection: no node can take it. */
  prepareFilter?(pod: PodInfo, snapshot: Snapshot): FilterCycle | 'skip' | Rejection;
  /** 'skip': all nodes are the same to this pod. `nodes` passed the filters. */
  prepareScore?(pod: PodInfo, nodes: readonly NodeInfo[], snapshot: Snapshot): ScoreCycle | 'skip';
  /** Of the score in the sum. Default 1. */
  readonly weight?: number;
  /** Whether an event could make a pod fit that this plugin refused. */
  wakes?(event: ClusterEvent, pod: PodInfo): boolean;
}

export const maxScore = 100;

/** Scales so that the highest becomes 100; `reverse` makes the lowest the best. */
export function scaleToMax(scores: Float64Array, reverse = false): void {
  let max = 0;
  for (const score of scores) if (score > max) max = score;
  for (let i = 0; i < scores.length; i++) {
    const scaled = max === 0 ? 0 : Math.floor((scores[i] * maxScore) / max);
    scores[i] = reverse ? maxScore - scaled : scaled;
  }
}
