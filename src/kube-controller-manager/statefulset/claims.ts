// The claims of a StatefulSet's pods: created before the pod. The retention policy sets their owners, so that the
// garbage collector deletes them with the set or with a pod that is scaled down.
// https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#persistentvolumeclaim-retention

import {
  isAlreadyExists,
  type OwnerReference,
  type PersistentVolumeClaim,
  type Pod,
  type StatefulSet,
} from '../../api/api.ts';
import { controllerReference, type Tools } from '../../client/client.ts';

export const claimNameOf = (template: PersistentVolumeClaim, pod: string): string => `${template.metadata.name}-${pod}`;

/** Of a pod by its name, which the claims survive. */
interface Member {
  readonly name: string;
  /** Undefined: the pod is not made yet. */
  readonly pod?: Pod;
  /** The set has fewer replicas now. */
  readonly isSurplus: boolean;
}

const isNamed = (reference: OwnerReference, kind: string, name: string): boolean =>
  reference.kind === kind && reference.name === name;

/** A reference to an earlier set or pod of the same name: the garbage collector is about to delete the claim. */
const isStale = (references: readonly OwnerReference[], kind: string, name: string, uid: string | undefined): boolean =>
  references.some((reference) => isNamed(reference, kind, name) && uid !== undefined && reference.uid !== uid);

/** The owners that a claim should have; undefined when it has them. */
export function ownersOf(
  claim: PersistentVolumeClaim,
  set: StatefulSet,
  { name, pod, isSurplus }: Member,
): { readonly owners: readonly OwnerReference[]; readonly isConflict: boolean } | undefined {
  const existing = claim.metadata.ownerReferences ?? [];
  const { whenScaled = 'Retain', whenDeleted = 'Retain' } = set.spec.persistentVolumeClaimRetentionPolicy ?? {};
  if (isStale(existing, 'StatefulSet', set.metadata.name, set.metadata.uid)) return undefined;
  if (isStale(existing, 'Pod', name, pod?.metadata.uid)) return undefined;
  const isOwn = (reference: OwnerReference) =>
    isNamed(reference, 'StatefulSet', set.metadata.name) || isNamed(reference, 'Pod', name);
  const others = existing.filter((reference) => !isOwn(reference));
  const retains = whenScaled === 'Retain' && whenDeleted === 'Retain';
  const isConflict = !retains && others.some(({ controller }) => controller);
  const wanted = isConflict
    ? []
    : [
        ...(whenDeleted === 'Delete' && !(whenScaled === 'Delete' && isSurplus)
          ? [controllerReference(set, 'statefulsets')]
          : []),
        ...(whenScaled === 'Delete' && isSurplus && pod ? [controllerReference(pod, 'pods')] : []),
      ];
  const own = existing.filter(isOwn);
  const isRight =
    own.length === wanted.length &&
    wanted.every(({ uid }) => own.some((reference) => reference.uid === uid && reference.controller));
  return isRight ? undefined : { owners: [...others, ...wanted], isConflict };
}

/** Makes the claims that are missing. Throws while one is being deleted: its pod must not use it. */
export async function createMissingClaims(set: StatefulSet, member: Member, tools: Tools): Promise<void> {
  const faults: string[] = [];
  for (const template of set.spec.volumeClaimTemplates ?? []) {
    const name = claimNameOf(template, member.name);
    const existing = tools.lister('persistentvolumeclaims').get(`${set.metadata.namespace}/${name}`);
    if (!existing) await createClaim(set, template, member, tools);
    else if (existing.metadata.deletionTimestamp) faults.push(`pvc ${name} is being deleted`);
    else if (!member.pod && ownedByEarlierPod(existing, set, member))
      faults.push(`pvc ${name} belongs to an earlier pod and is about to be deleted`);
  }
  if (faults.length > 0) throw new Error(faults.join(', '));
}

function ownedByEarlierPod({ metadata }: PersistentVolumeClaim, set: StatefulSet, { name }: Member): boolean {
  if (set.spec.persistentVolumeClaimRetentionPolicy?.whenScaled !== 'Delete') return false;
  return (metadata.ownerReferences ?? []).some((reference) => isNamed(reference, 'Pod', name));
}

async function createClaim(
  set: StatefulSet,
  template: PersistentVolumeClaim,
  member: Member,
  { client, events }: Tools,
): Promise<void> {
  const name = claimNameOf(template, member.name);
  const { annotations, labels } = template.metadata;
  const metadata = {
    name,
    namespace: set.metadata.namespace ?? '',
    labels: { ...labels, ...set.spec.selector.matchLabels },
    ...(annotations && { annotations }),
  };
  const owned = ownersOf({ metadata, spec: template.spec } as PersistentVolumeClaim, set, member);
  const draft = {
    metadata: { ...metadata, ...(owned && { ownerReferences: [...owned.owners] }) },
    spec: template.spec,
  };
  const of = `Pod ${member.name} in StatefulSet ${set.metadata.name}`;
  try {
    await client.create('persistentvolumeclaims', draft);
    events.event(set, 'Normal', 'SuccessfulCreate', `create Claim ${name} ${of} success`);
  } catch (error) {
    if (isAlreadyExists(error)) return;
    const { message } = error as Error;
    events.event(set, 'Warning', 'FailedCreate', `create Claim ${name} for ${of} failed error: ${message}`);
    throw new Error(`failed to create PVC ${name}: ${message}`, { cause: error });
  }
}

/** Sets the owners of existing claims by the policy. */
export async function updateOwners(set: StatefulSet, member: Member, { client, events, lister }: Tools): Promise<void> {
  for (const template of set.spec.volumeClaimTemplates ?? []) {
    const name = claimNameOf(template, member.name);
    const claim = lister('persistentvolumeclaims').get(`${set.metadata.namespace}/${name}`);
    const change = claim && ownersOf(claim, set, member);
    if (!change) continue;
    if (change.isConflict) {
      const message = `PersistentVolumeClaim ${name} has a conflicting OwnerReference that acts as a manging controller, the retention policy is ignored for this claim`;
      events.event(set, 'Warning', 'ConflictingController', message);
    }
    const metadata = { ...claim.metadata, ownerReferences: [...change.owners] };
    await client.update('persistentvolumeclaims', { ...claim, metadata });
  }
}
