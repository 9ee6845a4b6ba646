// A Deployment's history: one ReplicaSet for every template it had, numbered by annotations.

import {
  conditionOf,
  controllerOf,
  type Deployment,
  isAlreadyExists,
  isNamespaceTerminating,
  type ReplicaSet,
} from '../../api/api.ts';
import { controllerReference } from '../../client/client.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import { podTemplateHash } from '../shared/hash.ts';
import { desiredAnnotation, historyAnnotation, maxAnnotation, revisionAnnotation } from './annotations.ts';
import { hashLabel, newSetOf, type Rollout, sameTemplate } from './rollout.ts';
import { newSetSize, replicasOf, sizeAnnotations } from './scale.ts';
import { hasDeadline, withRolloutCondition } from './status.ts';

/** The history annotation is cut from its old end beyond this. */
const longestHistory = 2000;
/** Annotations of a Deployment that its sets do not inherit. */
const notInherited = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  revisionAnnotation,
  historyAnnotation,
  desiredAnnotation,
  maxAnnotation,
  'deprecated.deployment.rollback.to',
]);

const largestRevision = 2n ** 63n - 1n;

/** Revisions are int64: a BigInt keeps all digits. Undefined if the annotation is not such a number. */
function parseRevision(text: string | undefined): bigint | undefined {
  if (text === undefined || !/^[+-]?\d{1,19}$/.test(text)) return undefined;
  const revision = BigInt(text.replace('+', ''));
  return revision > largestRevision || revision < -largestRevision - 1n ? undefined : revision;
}

/** A set without a valid revision counts as the oldest. */
const revisionOf = (set: ReplicaSet): bigint => parseRevision(set.metadata.annotations?.[revisionAnnotation]) ?? 0n;

/** Gives the set of the current template the newest revision, making that set if `create`. */
export async function setNewRevision(rollout: Rollout, create: boolean): Promise<void> {
  const newSet = newSetOf(rollout);
  const newestOther = rollout.sets
    .filter((set) => set !== newSet)
    .sort(byRevision)
    .at(-1);
  const newest = newestOther ? revisionOf(newestOther) : 0n;
  const revision = BigInt.asIntN(64, (newest < 0n ? 0n : newest) + 1n);
  if (newSet) await renewSet(rollout, newSet, revision);
  else if (create) await createSet(rollout, revision);
}

async function renewSet(rollout: Rollout, set: ReplicaSet, revision: bigint): Promise<void> {
  const { deployment, tools } = rollout;
  const annotations = annotationsOf(deployment, set, revision);
  const minReadySeconds = deployment.spec.minReadySeconds ?? 0;
  if (!deepEqual(annotations, set.metadata.annotations ?? {}) || (set.spec.minReadySeconds ?? 0) !== minReadySeconds) {
    const renewed = await tools.client.update('replicasets', {
      ...set,
      metadata: { ...set.metadata, annotations },
      spec: { ...set.spec, minReadySeconds },
    });
    rollout.sets = rollout.sets.map((other) => (other === set ? renewed : other));
  }
  const existing = conditionOf(deployment, 'Progressing');
  const message = `Found new replica set "${set.metadata.name}"`;
  const found = hasDeadline(deployment) && !existing;
  await noteRevision(rollout, annotations[revisionAnnotation], found ? ['FoundNewReplicaSet', message] : undefined);
}

async function createSet(rollout: Rollout, revision: bigint): Promise<void> {
  const { deployment, tools } = rollout;
  const draft = draftOf(deployment, rollout.sets, revision);
  let created: ReplicaSet;
  let isNew = true;
  try {
    created = await tools.client.create('replicasets', draft);
  } catch (error) {
    if (isNamespaceTerminating(error)) return;
    if (!isAlreadyExists(error)) throw await noteCreateFailure(rollout, draft.metadata.name, error);
    isNew = false;
    const { name, namespace } = draft.metadata;
    created = await tools.client.get('replicasets', { name, namespace });
    const mine = controllerOf(created)?.uid === deployment.metadata.uid;
    if (!mine || !sameTemplate(created.spec.template, deployment.spec.template)) {
      // Two templates with one hash: the next attempt hashes with another count.
      const status = { ...deployment.status, collisionCount: (deployment.status?.collisionCount ?? 0) + 1 };
      rollout.deployment = await tools.client.update(
        'deployments',
        { ...deployment, status },
        { subresource: 'status' },
      );
      throw error;
    }
  }
  rollout.sets = [...rollout.sets, created];
  const { name } = created.metadata;
  if (isNew && replicasOf(created) > 0) {
    const message = `Scaled up replica set ${name} from 0 to ${replicasOf(created)}`;
    tools.events.event(deployment, 'Normal', 'ScalingReplicaSet', message);
  }
  const reason: [string, string] = ['NewReplicaSetCreated', `Created new replica set "${name}"`];
  await noteRevision(rollout, String(revision), isNew && hasDeadline(deployment) ? reason : undefined);
}

function draftOf(deployment: Deployment, sets: readonly ReplicaSet[], revision: bigint) {
  const { template, selector, minReadySeconds } = deployment.spec;
  const hash = podTemplateHash(template, deployment.status?.collisionCount);
  const labels = { ...template.metadata?.labels, [hashLabel]: hash };
  return {
    metadata: {
      name: `${deployment.metadata.name}-${hash}`,
      namespace: deployment.metadata.namespace,
      labels,
      annotations: { ...annotationsOf(deployment, undefined, revision), ...sizeAnnotations(deployment) },
      ownerReferences: [controllerReference(deployment, 'deployments')],
    },
    spec: {
      replicas: newSetSize(deployment, sets),
      minReadySeconds,
      selector: { ...selector, matchLabels: { ...selector.matchLabels, [hashLabel]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
}

/** A set's annotations: its present ones, the Deployment's, and its revision with previous revisions. */
function annotationsOf(deployment: Deployment, set: ReplicaSet | undefined, revision: bigint): Record<string, string> {
  const annotations = { ...set?.metadata.annotations };
  for (const [name, value] of Object.entries(deployment.metadata.annotations ?? {}))
    if (!notInherited.has(name)) annotations[name] = value;
  const before = annotations[revisionAnnotation];
  const number = before ? parseRevision(before) : 0n;
  if (number === undefined || number >= revision) return annotations;
  annotations[revisionAnnotation] = String(revision);
  if (before === undefined || !set) return annotations;
  const history = [...(annotations[historyAnnotation]?.split(',') ?? []), before].filter(Boolean);
  while (history.join(',').length > longestHistory) history.shift();
  annotations[historyAnnotation] = history.join(',');
  return annotations;
}

/** Writes the revision, and why the rollout moves, into the Deployment when they are news. */
async function noteRevision(rollout: Rollout, revision: string, progress?: [string, string]): Promise<void> {
  const { deployment, tools } = rollout;
  const previous = deployment.metadata.annotations?.[revisionAnnotation];
  if (previous === revision && !progress) return;
  const annotations = { ...deployment.metadata.annotations, [revisionAnnotation]: revision };
  const annotated = { ...deployment, metadata: { ...deployment.metadata, annotations } };
  const next = progress
    ? withRolloutCondition(annotated, 'Progressing', 'True', ...progress, tools.clock.now())
    : annotated;
  rollout.deployment = await tools.client.update('deployments', next, { subresource: 'status' });
}

async function noteCreateFailure(rollout: Rollout, name: string, error: unknown): Promise<unknown> {
  const { deployment, tools } = rollout;
  const message = `Failed to create new replica set "${name}": ${(error as Error).message}`;
  if (hasDeadline(deployment)) {
    const reason = 'ReplicaSetCreateError';
    const next = withRolloutCondition(deployment, 'Progressing', 'False', reason, message, tools.clock.now());
    // The caller needs the error of the failed creation; its retry writes this condition again.
    await tools.client.update('deployments', next, { subresource: 'status' }).catch(() => {});
  }
  tools.events.event(deployment, 'Warning', 'ReplicaSetCreateError', message);
  return error;
}

function byRevision(a: ReplicaSet, b: ReplicaSet): number {
  const [first, second] = [revisionOf(a), revisionOf(b)];
  return first < second ? -1 : first > second ? 1 : 0;
}

/** Deletes old sets beyond revisionHistoryLimit, the oldest revisions first, and only those that have run empty. */
export async function cleanUpOldSets(rollout: Rollout): Promise<void> {
  const { deployment, sets, tools } = rollout;
  const limit = deployment.spec.revisionHistoryLimit;
  if (limit === undefined || limit === 2 ** 31 - 1) return;
  const newSet = newSetOf(rollout);
  const old = sets.filter((set) => set !== newSet && !set.metadata.deletionTimestamp);
  const surplus = [...old].sort(byRevision).slice(0, Math.max(0, old.length - limit));
  for (const set of surplus) {
    const { name, namespace, generation = 0 } = set.metadata;
    if (set.status?.replicas || replicasOf(set) || generation > (set.status?.observedGeneration ?? 0)) continue;
    await tools.client.delete('replicasets', { name, namespace });
  }
}
