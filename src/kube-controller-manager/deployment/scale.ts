// How many pods each ReplicaSet of a Deployment may have, and changing it.
// https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#updating-a-deployment

import type { Deployment, IntOrString, ReplicaSet } from '../../api/api.ts';
import { desiredAnnotation, maxAnnotation } from './annotations.ts';
import { newSetOf, type Rollout } from './rollout.ts';

export const replicasOf = (object: Deployment | ReplicaSet): number => object.spec.replicas ?? 1;
export const sumOf = (sets: readonly ReplicaSet[], value: (set: ReplicaSet) => number | undefined): number =>
  sets.reduce((sum, set) => sum + (value(set) ?? 0), 0);

/** A number, or a percentage of `total`, rounded up or down. */
export function resolveIntOrPercent(value: IntOrString | undefined, total: number, round: 'up' | 'down'): number {
  if (value === undefined || value === null) return 0;
  if (typeof value === 'number') return value;
  const share = (Number.parseInt(value, 10) * total) / 100;
  return round === 'up' ? Math.ceil(share) : Math.floor(share);
}

/**
 * Pods that an update may add above, and remove below, the desired number. Never both 0, which would block the update.
 */
export function limitsOf(deployment: Deployment): { maxSurge: number; maxUnavailable: number } {
  const { type, rollingUpdate } = deployment.spec.strategy ?? {};
  const replicas = replicasOf(deployment);
  if (type === 'Recreate') return { maxSurge: 0, maxUnavailable: 0 };
  const maxSurge = resolveIntOrPercent(rollingUpdate?.maxSurge ?? '25%', replicas, 'up');
  const maxUnavailable = resolveIntOrPercent(rollingUpdate?.maxUnavailable ?? '25%', replicas, 'down');
  if (maxSurge === 0 && maxUnavailable === 0) return { maxSurge, maxUnavailable: Math.min(1, replicas) };
  return { maxSurge, maxUnavailable: Math.min(maxUnavailable, replicas) };
}

export const sizeAnnotations = (deployment: Deployment) => ({
  [desiredAnnotation]: String(replicasOf(deployment)),
  [maxAnnotation]: String(replicasOf(deployment) + limitsOf(deployment).maxSurge),
});

const byCreation = (a: ReplicaSet, b: ReplicaSet): number =>
  a.metadata.creationTimestamp === b.metadata.creationTimestamp
    ? a.metadata.name < b.metadata.name
      ? -1
      : 1
    : a.metadata.creationTimestamp < b.metadata.creationTimestamp
      ? -1
      : 1;

/** The size of the new set when the limits let it grow. */
export function newSetSize(deployment: Deployment, sets: readonly ReplicaSet[], newSet?: ReplicaSet): number {
  const wanted = replicasOf(deployment);
  if (deployment.spec.strategy?.type === 'Recreate') return wanted;
  const now = newSet ? replicasOf(newSet) : 0;
  const room = wanted + limitsOf(deployment).maxSurge - sumOf(sets, replicasOf);
  return room <= 0 ? now : now + Math.min(room, wanted - now);
}

/** One step of a rolling update: the new set grows, or the old ones shrink. True if a size changed. */
export async function rollOver(rollout: Rollout): Promise<boolean> {
  const newSet = newSetOf(rollout);
  if (!newSet) return false;
  const { deployment, sets } = rollout;
  const wanted = replicasOf(deployment);
  const size = replicasOf(newSet) > wanted ? wanted : newSetSize(deployment, sets, newSet);
  if (replicasOf(newSet) !== wanted && (await scaleSet(rollout, newSet, size))) return true;
  return shrinkOldSets(rollout, newSet);
}

async function shrinkOldSets(rollout: Rollout, newSet: ReplicaSet): Promise<boolean> {
  const { deployment } = rollout;
  const oldSets = () => rollout.sets.filter((set) => set.metadata.uid !== newSet.metadata.uid).sort(byCreation);
  if (sumOf(oldSets(), replicasOf) === 0) return false;
  const minAvailable = replicasOf(deployment) - limitsOf(deployment).maxUnavailable;
  const newUnavailable = replicasOf(newSet) - (newSet.status?.availableReplicas ?? 0);
  let removable = sumOf(rollout.sets, replicasOf) - minAvailable - newUnavailable;
  if (removable <= 0) return false;
  let removed = 0;
  // Unhealthy pods go first: they serve no traffic.
  for (const set of oldSets()) {
    const broken = Math.min(removable, replicasOf(set) - (set.status?.availableReplicas ?? 0));
    if (broken <= 0) continue;
    await scaleSet(rollout, set, replicasOf(set) - broken);
    removable -= broken;
    removed += broken;
  }
  let spare = sumOf(rollout.sets, (set) => set.status?.availableReplicas) - minAvailable;
  for (const set of oldSets()) {
    const count = Math.min(spare, replicasOf(set));
    if (count <= 0) continue;
    await scaleSet(rollout, set, replicasOf(set) - count);
    spare -= count;
    removed += count;
  }
  return removed > 0;
}

/**
 * After a change of replicas: a single live set gets all of it; during an update the sets share it in proportion to
 * their size, so that the update's risk stays the same.
 * https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#proportional-scaling
 */
export async function scaleProportionally(rollout: Rollout): Promise<void> {
  const { deployment, sets } = rollout;
  const newSet = newSetOf(rollout);
  const oldSets = sets.filter((set) => set !== newSet);
  const live = sets.filter((set) => replicasOf(set) > 0);
  const only =
    live.length === 1 ? live[0] : live.length === 0 ? (newSet ?? [...oldSets].sort(byCreation).at(-1)) : undefined;
  if (only) {
    if (replicasOf(only) !== replicasOf(deployment)) await scaleSet(rollout, only, replicasOf(deployment));
    return;
  }
  if (newSet && isSaturated(deployment, newSet)) {
    await scaleAll(rollout, oldSets, 0);
    return;
  }
  if (deployment.spec.strategy?.type === 'Recreate' || live.length === 0) return;
  for (const [set, size] of proportions(deployment, live)) await scaleSet(rollout, set, size);
}

const isSaturated = (deployment: Deployment, set: ReplicaSet): boolean =>
  replicasOf(set) === replicasOf(deployment) &&
  Number(set.metadata.annotations?.[desiredAnnotation]) === replicasOf(deployment) &&
  set.status?.availableReplicas === replicasOf(deployment);

function proportions(deployment: Deployment, live: readonly ReplicaSet[]): Map<ReplicaSet, number> {
  const wanted = replicasOf(deployment);
  const allowed = wanted > 0 ? wanted + limitsOf(deployment).maxSurge : 0;
  const toAdd = allowed - sumOf(live, replicasOf);
  // The largest first; of equals the newer grows first and the older shrinks first.
  const sorted = [...live].sort(
    (a, b) => replicasOf(b) - replicasOf(a) || (toAdd > 0 ? byCreation(b, a) : byCreation(a, b)),
  );
  const sizes = new Map<ReplicaSet, number>();
  let added = 0;
  for (const set of sorted) {
    const rest = toAdd - added;
    const share = shareOf(deployment, set, allowed);
    const change = rest === 0 ? 0 : rest > 0 ? Math.min(share, rest) : Math.max(share, rest);
    sizes.set(set, replicasOf(set) + change);
    added += change;
  }
  const first = sorted[0];
  sizes.set(first, Math.max(0, (sizes.get(first) ?? 0) + toAdd - added));
  return sizes;
}

/** The change of a set's size in proportion to the whole Deployment's. */
function shareOf(deployment: Deployment, set: ReplicaSet, allowed: number): number {
  if (replicasOf(deployment) === 0) return -replicasOf(set);
  const before = Number(set.metadata.annotations?.[maxAnnotation]) || (deployment.status?.replicas ?? 0);
  if (before === 0) return 0;
  return Math.round((replicasOf(set) * allowed) / before) - replicasOf(set);
}

/** Scales all sets whose size differs from `size`; true if there were any. */
export async function scaleAll(rollout: Rollout, sets: readonly ReplicaSet[], size: number): Promise<boolean> {
  let changed = false;
  for (const set of sets) if (replicasOf(set) !== size && (await scaleSet(rollout, set, size))) changed = true;
  return changed;
}

/** True if the size changed. The annotations store the Deployment's size at this time for the next reconcile. */
async function scaleSet(rollout: Rollout, set: ReplicaSet, size: number): Promise<boolean> {
  const { deployment, tools } = rollout;
  const was = replicasOf(set);
  const annotations = { ...set.metadata.annotations, ...sizeAnnotations(deployment) };
  const annotated =
    set.metadata.annotations?.[desiredAnnotation] === annotations[desiredAnnotation] &&
    set.metadata.annotations?.[maxAnnotation] === annotations[maxAnnotation];
  if (was === size && annotated) return false;
  const scaled = await tools.client.update('replicasets', {
    ...set,
    metadata: { ...set.metadata, annotations },
    spec: { ...set.spec, replicas: size },
  });
  rollout.sets = rollout.sets.map((other) => (other.metadata.uid === set.metadata.uid ? scaled : other));
  if (was === size) return false;
  const message = `Scaled ${size > was ? 'up' : 'down'} replica set ${set.metadata.name} from ${was} to ${size}`;
  tools.events.event(deployment, 'Normal', 'ScalingReplicaSet', message);
  return true;
}
