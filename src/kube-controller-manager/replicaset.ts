// Runs the number of pods that a ReplicaSet, or its predecessor the ReplicationController, specifies.
// https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/

import {
  conditionOf,
  controllerOf,
  isPodActive,
  isPodReady,
  isPodTerminating,
  type Pod,
  podAvailableIn,
  type ReplicaSet,
  withoutCondition,
} from '../api/api.ts';
import { type Controller, own, ownedBy, type Tools, timestamp } from '../client/client.ts';
import { mapSelector } from '../machinery/selectors/label-selector.ts';
import { claim, orphanIndex, orphansOf } from './shared/claim.ts';
import { burstPods, createPods, deletePods } from './shared/create-pods.ts';
import { byDeletion } from './shared/pods.ts';
import { isSameStatus } from './shared/same-status.ts';

type Resource = 'replicasets' | 'replicationcontrollers';

export const replicaset: Controller = keepReplicas('replicaset', 'replicasets', 'ReplicaSet');
export const replicationcontroller: Controller = {
  ...keepReplicas('replicationcontroller', 'replicationcontrollers', 'ReplicationController'),
  component: 'replication-controller',
};

function keepReplicas(name: string, resource: Resource, kind: string): Controller {
  return {
    name,
    watches: [own(resource), ownedBy('pods', kind), orphansOf('pods', resource)],
    indexes: [orphanIndex('pods')],
    async reconcile(key, tools) {
      const set = tools.lister(resource).get(key) as ReplicaSet | undefined;
      if (!set) return; // deleted: the garbage collector takes the pods
      const pods = await claim<Pod>(set, resource, 'pods', tools);
      const failure = set.metadata.deletionTimestamp
        ? undefined
        : await scale(set, resource, pods.filter(isPodActive), tools);
      // New pods are not counted yet: their events cause the next reconcile, which reads them from the cache.
      const after = await updateStatus(set, resource, pods, failure, tools);
      if (failure) throw failure.error;
      return after;
    },
  };
}

interface Failure {
  readonly reason: 'FailedCreate' | 'FailedDelete';
  readonly error: unknown;
}

async function scale(
  set: ReplicaSet,
  resource: Resource,
  active: readonly Pod[],
  tools: Tools,
): Promise<Failure | undefined> {
  const missing = (set.spec.replicas ?? 1) - active.length;
  if (missing > 0) {
    const error = await createPods(set, resource, set.spec.template, Math.min(missing, burstPods), tools);
    return error ? { reason: 'FailedCreate', error } : undefined;
  }
  if (missing === 0) return undefined;
  const doomed = chooseDoomed(set, active, Math.min(-missing, burstPods), tools);
  const error = await deletePods(set, doomed, tools);
  return error ? { reason: 'FailedDelete', error } : undefined;
}

/** Pods of one Deployment (ReplicaSets with one controller) on one node count together. */
function chooseDoomed(set: ReplicaSet, active: readonly Pod[], count: number, { lister, clock }: Tools): Pod[] {
  if (count >= active.length) return [...active];
  const crowd = new Map<string, number>();
  const deployment = controllerOf(set)?.uid;
  const siblings = deployment ? lister('replicasets').ownedBy({ metadata: { uid: deployment } }) : [set];
  for (const sibling of siblings)
    for (const { spec } of lister('pods').ownedBy(sibling).filter(isPodActive))
      if (spec.nodeName) crowd.set(spec.nodeName, (crowd.get(spec.nodeName) ?? 0) + 1);
  const order = byDeletion((pod) => crowd.get(pod.spec.nodeName ?? '') ?? 0, clock.now());
  return [...active].sort(order).slice(0, count);
}

async function updateStatus(
  set: ReplicaSet,
  resource: Resource,
  pods: readonly Pod[],
  failure: Failure | undefined,
  { client, clock }: Tools,
): Promise<{ after: number } | undefined> {
  const active = pods.filter(isPodActive);
  const waits = active.map((pod) => podAvailableIn(pod, set.spec.minReadySeconds ?? 0, clock.now()));
  const asTemplate = mapSelector(set.spec.template.metadata?.labels ?? {});
  const conditions = conditionsOf(set, failure, clock.now());
  const status = {
    ...set.status,
    replicas: active.length,
    fullyLabeledReplicas: active.filter((pod) => asTemplate.matches(pod.metadata.labels ?? {})).length,
    readyReplicas: active.filter(isPodReady).length,
    availableReplicas: waits.filter((wait) => wait === 0).length,
    ...(resource === 'replicasets' && { terminatingReplicas: pods.filter(isPodTerminating).length }),
    observedGeneration: set.metadata.generation,
    conditions: conditions.length > 0 ? conditions : undefined,
  };
  if (!isSameStatus(status, set.status)) await client.update(resource, { ...set, status }, { subresource: 'status' });
  // Pods may be more than a call can have arguments.
  const soonest = waits.reduce(
    (least: number, wait) => (wait ? Math.min(least, wait) : least),
    Number.POSITIVE_INFINITY,
  );
  return Number.isFinite(soonest) ? { after: soonest } : undefined;
}

function conditionsOf(set: ReplicaSet, failure: Failure | undefined, nowMs: number) {
  const type = 'ReplicaFailure';
  const conditions = set.status?.conditions ?? [];
  if (failure && conditionOf(set, type)?.reason === failure.reason) return conditions;
  const others = withoutCondition(conditions, type);
  if (!failure) return others;
  const message = (failure.error as Error).message;
  const lastTransitionTime = timestamp(nowMs);
  return [...others, { type, status: 'True', lastTransitionTime, reason: failure.reason, message }];
}
