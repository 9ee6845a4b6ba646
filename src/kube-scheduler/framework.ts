// The interfaces of scheduler plugins. https://kubernetes.io/docs/concepts/scheduling-eviction/scheduling-framework/
// Plugins get all data as arguments. A plugin that does not apply to a pod returns 'skip' in `prepare`, and is not
// called for each node.

import type { Pod, PodDisruptionBudget } from '../api/api.ts';
import type { Client } from '../client/client.ts';
import type { Metrics } from '../machinery/metrics.ts';
import type { Clock } from '../machinery/time/clock.ts';
import type { ClusterEvent } from './cluster-events.ts';
import type { Devices } from './devices/devices.ts';
import type { NodeInfo } from './node-info.ts';
import type { Nominations } from './nominations.ts';
import type { PodInfo } from './pod-info.ts';
import type { Storage } from './storage.ts';

/** The reason why a node rejects a pod. `resolvable`: removing pods from the node could help. */
export interface Rejection {
  readonly reason: string;
  readonly resolvable: boolean;
}

/** A rejection that removing pods from the node would not end. */
export const unresolvable = (reason: string): Rejection => ({ reason, resolvable: false });

/** The attempt fails, for all nodes: it is repeated after the back-off. */
export class CycleError extends Error {
  override readonly name = 'CycleError';
}

/** Answers for one pod, made once a scheduling cycle. */
export interface FilterCycle {
  /** The only nodes that the pod may have; others are not looked at. */
  readonly nodes?: ReadonlySet<string>;
  /** Undefined when the node fits. All reasons count in the message of FailedScheduling. */
  filter(node: NodeInfo): Rejection | readonly Rejection[] | undefined;
  /** Holds volumes and the like for the pod on the chosen node; undefined: nothing is needed. */
  reserve?(node: NodeInfo): Reservation | undefined;
  /** Scores by the results of the filter; used instead of the plugin's `prepareScore`. */
  scoring?(nodes: readonly NodeInfo[]): ScoreCycle | 'skip';
  postFilter?(): PostFilterAnswer;
}

/** The extension points Reserve and PreBind. */
export interface Reservation {
  /** Writes the objects that must exist before the pod is bound. Rejects: the pod is tried again. */
  preBind(tools: BindTools): Promise<void>;
  /** Takes back the writes of `preBind`, for a pod that is not bound. */
  undo?(tools: BindTools): Promise<void>;
  /** Called at the end, whether the pod was bound or not. */
  release(): void;
}

export interface BindTools {
  readonly client: Client;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Records an event of the pod. */
  event(type: 'Normal' | 'Warning', reason: string, message: string): void;
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
  /** Labels that all services require which select the pod; empty if none does. */
  serviceSelector(pod: Pod): Readonly<Record<string, string>>;
  /** Whether any node has a zone label. */
  readonly hasZones: boolean;
  /** How many nodes have an image by this name. */
  nodesWithImage(name: string): number;
  /** Labels of a namespace, undefined when there is no such namespace. */
  namespaceLabels(name: string): Readonly<Record<string, string>> | undefined;
  readonly storage: Storage;
  readonly devices: Devices;
  /** The number of placed pods that use a claim (namespace/name). */
  claimUsers(key: string): number;
  readonly nominations: Pick<Nominations, 'size' | 'nodeOf' | 'on'>;
  /** Whether the scheduler preempted this placed pod; it may not be terminating yet. */
  isPreempted(uid: string): boolean;
}

export interface Plugin {
  readonly name: string;
  /** Keeps a pod out of the queue until it returns undefined: https://kep.k8s.io/3521. */
  preEnqueue?(pod: Pod, snapshot: Snapshot): string | undefined;
  /** 'skip': the filter does not apply to this pod. A rejection: no node can take it. */
  prepareFilter?(pod: PodInfo, snapshot: Snapshot): FilterCycle | 'skip' | Rejection;
  /** Called when no node was found. The reasons of all plugins are part of the message. */
  postFilter?(input: PostFilterInput): PostFilterAnswer;
  /** 'skip': all nodes are the same to this pod. `nodes` passed the filters. */
  prepareScore?(pod: PodInfo, nodes: readonly NodeInfo[], snapshot: Snapshot): ScoreCycle | 'skip';
  /** Of the score in the sum. Default 1. */
  readonly weight?: number;
  /** Whether an event could make a pod fit that this plugin refused. */
  wakes?(event: ClusterEvent, pod: PodInfo, snapshot: Snapshot): boolean;
}

/** Why one node was filtered out. */
export interface FilteredNode {
  readonly node: string;
  readonly plugin: string;
  readonly reasons: readonly string[];
  readonly resolvable: boolean;
}

export interface Filter {
  readonly plugin: Plugin;
  readonly cycle: FilterCycle;
}

/** No node takes the pod. */
export interface Failure {
  readonly ok: false;
  /** Plugins that rejected nodes and could accept them after an event. */
  readonly plugins: ReadonlySet<string>;
  readonly filtered: readonly FilteredNode[];
  /** A reason that holds for all nodes, and the plugin that gave it before it looked at any. */
  readonly everywhere?: string;
  readonly stoppedAt?: string;
  /** Why some nodes were not looked at: their number is that of all nodes without the filtered ones. */
  readonly absent?: string;
  readonly filters: readonly Filter[];
  readonly evaluated: number;
}

/** A node, and pods without which the incoming pod fits there. */
export interface Candidate {
  readonly node: string;
  readonly victims: readonly PodInfo[];
  /** The number of victims that a disruption budget protects. */
  readonly violations: number;
}

export interface Preemption {
  readonly node: string;
  /** To be removed, the most important first. */
  readonly victims: readonly Pod[];
  /** Pods of lower priority that lose their nomination for this node. */
  readonly displaced: readonly Pod[];
  /** All that were found, this one included. */
  readonly candidates: readonly Candidate[];
}

export interface PostFilterInput {
  readonly plugins: readonly Plugin[];
  readonly pod: PodInfo;
  readonly failure: Failure;
  readonly snapshot: Snapshot;
  readonly budgets: readonly PodDisruptionBudget[];
}

export type PostFilterAnswer =
  | { readonly preemption: Preemption }
  /** An error: other plugins are not asked. */
  | { readonly error: string }
  | {
      readonly reason: string;
      /** The pod has no chance on its nominated node. */
      readonly clearsNomination?: boolean;
      /** Frees something. Its error takes the place of the reason. */
      work?(tools: BindTools): Promise<void>;
    };

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
