// A Deployment's status: counts, and the conditions Available, Progressing and ReplicaFailure, which kubectl rollout
// status reads.
// https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status

import {
  conditionOf,
  type Deployment,
  type DeploymentCondition,
  type DeploymentStatus,
  transitionTime,
  withoutCondition,
} from '../../api/api.ts';
import { timestamp } from '../../client/client.ts';
import { isSameStatus } from '../shared/same-status.ts';
import { newSetOf, type Rollout } from './rollout.ts';
import { limitsOf, replicasOf, sumOf } from './scale.ts';

const noDeadline = 2 ** 31 - 1;

export const hasDeadline = ({ spec }: Deployment): boolean =>
  spec.progressDeadlineSeconds !== undefined && spec.progressDeadlineSeconds !== noDeadline;

/** With the condition set. An equal status and reason changes nothing. */
export function withRolloutCondition<T extends { status?: DeploymentStatus }>(
  object: T,
  type: string,
  status: string,
  reason: string,
  message: string,
  nowMs: number,
): T {
  const previous = conditionOf(object, type);
  if (previous?.status === status && previous.reason === reason) return object;
  const now = timestamp(nowMs);
  const lastTransitionTime = transitionTime(previous, status, now);
  return without(object, type, [{ type, status, lastUpdateTime: now, lastTransitionTime, reason, message }]);
}

function without<T extends { status?: DeploymentStatus }>(
  object: T,
  type: string,
  added: DeploymentCondition[] = [],
): T {
  const conditions = [...withoutCondition(object.status?.conditions, type), ...added];
  return { ...object, status: { ...object.status, conditions } };
}

/** Sets the condition when the rollout is paused or resumed. A missed deadline stays. */
export async function syncPausedCondition(rollout: Rollout): Promise<void> {
  const { deployment, tools } = rollout;
  if (!hasDeadline(deployment)) return;
  const existing = conditionOf(deployment, 'Progressing');
  if (existing?.reason === 'ProgressDeadlineExceeded') return;
  const saidPaused = existing?.reason === 'DeploymentPaused';
  const paused = deployment.spec.paused ?? false;
  if (paused === saidPaused) return;
  const reason = paused ? 'DeploymentPaused' : 'DeploymentResumed';
  const message = paused ? 'Deployment is paused' : 'Deployment is resumed';
  const next = withRolloutCondition(deployment, 'Progressing', 'Unknown', reason, message, tools.clock.now());
  rollout.deployment = await tools.client.update('deployments', next, { subresource: 'status' });
}

/** Whether all pods run the newest template and are available. */
export const isComplete = ({ spec, status, metadata }: Deployment): boolean =>
  status?.updatedReplicas === (spec.replicas ?? 1) &&
  status.replicas === (spec.replicas ?? 1) &&
  status.availableReplicas === (spec.replicas ?? 1) &&
  (status.observedGeneration ?? 0) >= (metadata.generation ?? 0);

/** The deployment with counts and Available as its sets are now. */
function withCounts({ deployment, sets, tools }: Rollout): Deployment {
  const newSet = newSetOf({ deployment, sets });
  const available = sumOf(sets, (set) => set.status?.availableReplicas);
  const wanted = replicasOf(deployment);
  const status: DeploymentStatus = {
    ...deployment.status,
    observedGeneration: deployment.metadata.generation,
    replicas: sumOf(sets, (set) => set.status?.replicas),
    updatedReplicas: newSet?.status?.replicas ?? 0,
    readyReplicas: sumOf(sets, (set) => set.status?.readyReplicas),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, sumOf(sets, replicasOf) - available),
    terminatingReplicas: sumOf(sets, (set) => set.status?.terminatingReplicas),
  };
  const counted = { ...deployment, status };
  const now = tools.clock.now();
  return available >= wanted - limitsOf(deployment).maxUnavailable
    ? withRolloutCondition(
        counted,
        'Available',
        'True',
        'MinimumReplicasAvailable',
        'Deployment has minimum availability.',
        now,
      )
    : withRolloutCondition(
        counted,
        'Available',
        'False',
        'MinimumReplicasUnavailable',
        'Deployment does not have minimum availability.',
        now,
      );
}

/** Counts only: for a Deployment that is paused, was scaled, or is being deleted. */
export async function syncStatus(rollout: Rollout): Promise<void> {
  await write(rollout, withCounts(rollout));
}

/** Counts, progress and failures. Requeues if the deadline may pass without an event. */
export async function syncRolloutStatus(rollout: Rollout): Promise<{ after: number } | void> {
  const { deployment, tools } = rollout;
  const next = withFailure(rollout, withProgress(rollout, withCounts(rollout)));
  await write(rollout, next);
  const progress = conditionOf(next, 'Progressing');
  const quiet = progress?.reason === 'NewReplicaSetAvailable' || progress?.reason === 'ProgressDeadlineExceeded';
  if (!hasDeadline(deployment) || !progress || quiet) return;
  const deadline = Date.parse(progress.lastUpdateTime ?? '') + (deployment.spec.progressDeadlineSeconds ?? 0) * 1000;
  return { after: Math.max(0, deadline - tools.clock.now()) + 1000 };
}

function withProgress(rollout: Rollout, next: Deployment): Deployment {
  const { deployment, tools } = rollout;
  if (!hasDeadline(deployment)) return conditionOf(next, 'Progressing') ? without(next, 'Progressing') : next;
  const existing = conditionOf(deployment, 'Progressing');
  const now = tools.clock.now();
  const { status } = next;
  if (status.replicas === status.updatedReplicas && existing?.reason === 'NewReplicaSetAvailable') return next;
  const newSet = newSetOf(rollout);
  const who = newSet ? `ReplicaSet "${newSet.metadata.name}"` : `Deployment "${deployment.metadata.name}"`;
  if (isComplete(next))
    return withRolloutCondition(
      next,
      'Progressing',
      'True',
      'NewReplicaSetAvailable',
      `${who} has successfully progressed.`,
      now,
    );
  if (hasProgressed(deployment.status ?? {}, status)) {
    const message = `${who} is progressing.`;
    const time = timestamp(now);
    // Progress restarts the deadline, so the time is updated even for the same reason.
    const lastTransitionTime = existing?.status === 'True' ? existing.lastTransitionTime : time;
    return without(next, 'Progressing', [
      {
        type: 'Progressing',
        status: 'True',
        lastUpdateTime: time,
        lastTransitionTime,
        reason: 'ReplicaSetUpdated',
        message,
      },
    ]);
  }
  if (!hasTimedOut(deployment, existing, now)) return next;
  const message = `${who} has timed out progressing.`;
  return withRolloutCondition(next, 'Progressing', 'False', 'ProgressDeadlineExceeded', message, now);
}

function hasProgressed(old: DeploymentStatus, next: DeploymentStatus): boolean {
  const count = (value: number | undefined) => value ?? 0;
  return (
    count(next.updatedReplicas) > count(old.updatedReplicas) ||
    count(next.replicas) - count(next.updatedReplicas) < count(old.replicas) - count(old.updatedReplicas) ||
    count(next.readyReplicas) > count(old.readyReplicas) ||
    count(next.availableReplicas) > count(old.availableReplicas)
  );
}

function hasTimedOut({ spec }: Deployment, existing: DeploymentCondition | undefined, nowMs: number): boolean {
  if (!existing || existing.reason === 'NewReplicaSetAvailable') return false;
  if (existing.reason === 'ProgressDeadlineExceeded') return true;
  return Date.parse(existing.lastUpdateTime ?? '') + (spec.progressDeadlineSeconds ?? 0) * 1000 < nowMs;
}

/** Shows sets that fail to create pods (quota, webhook) in the Deployment. The newest set's failure comes first. */
function withFailure(rollout: Rollout, next: Deployment): Deployment {
  const newSet = newSetOf(rollout);
  for (const set of [newSet, ...rollout.sets]) {
    const failure = conditionOf(set, 'ReplicaFailure');
    if (!failure) continue;
    const { status, reason = '', message = '' } = failure;
    return withRolloutCondition(next, 'ReplicaFailure', status, reason, message, rollout.tools.clock.now());
  }
  return conditionOf(next, 'ReplicaFailure') ? without(next, 'ReplicaFailure') : next;
}

async function write(rollout: Rollout, next: Deployment): Promise<void> {
  if (isSameStatus(next.status, rollout.deployment.status)) return;
  rollout.deployment = await rollout.tools.client.update('deployments', next, { subresource: 'status' });
}
