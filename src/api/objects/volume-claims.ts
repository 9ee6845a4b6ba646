// How claims and volumes find each other: the rules that the volume binder, the scheduler and the kubelet share.
// https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding

import { compareQuantities } from '../../machinery/quantity.ts';
import { labelSelector } from '../../machinery/selectors/label-selector.ts';
import type {
  Node,
  ObjectReference,
  PersistentVolume,
  PersistentVolumeClaim,
  PersistentVolumeClaimSpec,
  Pod,
  StorageClass,
} from '../generated/types.ts';
import { matchesNodeSelector } from './node-selector.ts';
import { controllerOf } from './owners.ts';

export const volumeAnnotations = {
  /** Of claims: the claim was bound once. */
  bindCompleted: 'pv.kubernetes.io/bind-completed',
  /** Of both: the controller made the binding, and not a user. */
  boundByController: 'pv.kubernetes.io/bound-by-controller',
  /** Of claims: the scheduler's node, for which a volume is to be provisioned. */
  selectedNode: 'volume.kubernetes.io/selected-node',
  /** Of claims: the provisioner that is to make a volume. */
  storageProvisioner: 'volume.kubernetes.io/storage-provisioner',
  betaStorageProvisioner: 'volume.beta.kubernetes.io/storage-provisioner',
  /** Of volumes: the provisioner that made it. */
  provisionedBy: 'pv.kubernetes.io/provisioned-by',
} as const;

/** The provisioner of classes whose volumes an administrator makes. */
export const noProvisioner = 'kubernetes.io/no-provisioner';

const betaClass = 'volume.beta.kubernetes.io/storage-class';
const defaultClassMarks = [
  'storageclass.kubernetes.io/is-default-class',
  'storageclass.beta.kubernetes.io/is-default-class',
];

interface Classed {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec?: { readonly storageClassName?: string };
}

/** The class of a claim or volume; empty: none. */
export const storageClassOf = ({ metadata, spec }: Classed): string =>
  metadata.annotations?.[betaClass] ?? spec?.storageClassName ?? '';

/** A claim that names a class, even the empty one, never gets the default class. */
export const namesStorageClass = ({ metadata, spec }: Classed): boolean =>
  metadata.annotations?.[betaClass] !== undefined || spec?.storageClassName !== undefined;

/** The newest of the classes that are marked as default, by name among equally old ones. */
export function defaultStorageClassAmong(classes: readonly StorageClass[]): StorageClass | undefined {
  const marked = classes.filter(({ metadata }) =>
    defaultClassMarks.some((mark) => metadata.annotations?.[mark] === 'true'),
  );
  const created = ({ metadata }: StorageClass) => String(metadata.creationTimestamp ?? '');
  return marked.sort((a, b) =>
    created(a) === created(b) ? (a.metadata.name < b.metadata.name ? -1 : 1) : created(a) < created(b) ? 1 : -1,
  )[0];
}

/** The claim of one volume of a pod. */
export interface ClaimOfPod {
  /** Name of the pod's volume. */
  readonly volume: string;
  /** Name of the claim; that of an ephemeral volume is made of the pod's and the volume's name. */
  readonly claim: string;
  readonly isEphemeral: boolean;
  readonly readOnly: boolean;
}

export function claimsOfPod({ metadata, spec }: Pod): ClaimOfPod[] {
  return (spec.volumes ?? []).flatMap(({ name, persistentVolumeClaim, ephemeral }): ClaimOfPod[] => {
    if (persistentVolumeClaim) {
      const { claimName, readOnly = false } = persistentVolumeClaim;
      return [{ volume: name, claim: claimName, isEphemeral: false, readOnly }];
    }
    return ephemeral ? [{ volume: name, claim: `${metadata.name}-${name}`, isEphemeral: true, readOnly: false }] : [];
  });
}

/** Keys (namespace/name) of a pod's claims. */
export const claimKeysOfPod = (pod: Pod): string[] =>
  claimsOfPod(pod).map(({ claim }) => `${pod.metadata.namespace}/${claim}`);

/** The claim of an ephemeral volume must be made for its pod; the message when it is not. */
export function foreignClaim(pod: Pod, { metadata }: PersistentVolumeClaim): string | undefined {
  const owner = controllerOf({ metadata });
  if (owner?.uid === pod.metadata.uid) return undefined;
  const { namespace } = pod.metadata;
  return `PVC ${namespace}/${metadata.name} was not created for pod ${namespace}/${pod.metadata.name} (pod is not owner)`;
}

export const claimRequest = ({ spec }: { readonly spec: PersistentVolumeClaimSpec }): string =>
  String(spec.resources?.requests?.['storage'] ?? '0');
export const volumeCapacity = ({ spec }: PersistentVolume): string => String(spec?.capacity?.['storage'] ?? '0');

/** Whether the binding of a claim is complete, as the scheduler needs it. */
export const isClaimBound = ({ metadata, spec }: PersistentVolumeClaim): boolean =>
  Boolean(spec.volumeName) && metadata.annotations?.[volumeAnnotations.bindCompleted] !== undefined;

/** The key of the claim that a volume names. */
export const claimRefKey = ({ namespace, name }: ObjectReference): string => `${namespace}/${name}`;

/** Whether the volume is bound to the claim, or reserved for a claim of this name. */
export function isReservedFor({ spec }: PersistentVolume, { metadata }: PersistentVolumeClaim): boolean {
  const reference = spec?.claimRef;
  if (!reference || reference.name !== metadata.name || reference.namespace !== metadata.namespace) return false;
  return !reference.uid || reference.uid === metadata.uid;
}

/** The volume with a reference to the claim; the same object when nothing changes. */
export function reserveFor(volume: PersistentVolume, claim: PersistentVolumeClaim): PersistentVolume {
  const { boundByController } = volumeAnnotations;
  const reference = volume.spec?.claimRef;
  const isComplete = isReservedFor(volume, claim) && reference?.uid === claim.metadata.uid;
  if (isComplete) return volume;
  const byController = !isReservedFor(volume, claim);
  const { annotations } = volume.metadata;
  const { name, namespace, uid, resourceVersion } = claim.metadata;
  return {
    ...volume,
    metadata: {
      ...volume.metadata,
      ...(byController && { annotations: { ...annotations, [boundByController]: 'yes' } }),
    },
    spec: {
      ...volume.spec,
      claimRef: {
        kind: 'PersistentVolumeClaim',
        apiVersion: 'v1',
        name,
        ...(namespace !== undefined && { namespace }),
        ...(uid !== undefined && { uid }),
        ...(resourceVersion !== undefined && { resourceVersion }),
      },
    },
  };
}

export const sameVolumeMode = (claim: PersistentVolumeClaim, { spec }: PersistentVolume): boolean =>
  (claim.spec.volumeMode ?? 'Filesystem') === (spec?.volumeMode ?? 'Filesystem');

const hasAccessModes = ({ spec }: PersistentVolumeClaim, volume: PersistentVolume): boolean =>
  (spec.accessModes ?? []).every((mode) => volume.spec?.accessModes?.includes(mode));

/** Whether pods of the node reach the volume. */
export function reachesVolume({ spec }: PersistentVolume, node: Node): boolean {
  const required = spec?.nodeAffinity?.required;
  return !required || matchesNodeSelector(required, node);
}

/** The reason why a claim cannot be bound to the volume that it names. */
export function mismatchOf(volume: PersistentVolume, claim: PersistentVolumeClaim): string | undefined {
  if (volume.metadata.deletionTimestamp) return `the volume is marked for deletion "${volume.metadata.name}"`;
  if (compareQuantities(volumeCapacity(volume), claimRequest(claim)) < 0) return 'requested PV is too small';
  if (storageClassOf(volume) !== storageClassOf(claim)) return 'storageClassName does not match';
  if (attributesClassOf(volume) !== attributesClassOf(claim)) return 'volumeAttributesClassName does not match';
  if (!sameVolumeMode(claim, volume)) return 'incompatible volumeMode';
  return hasAccessModes(claim, volume) ? undefined : 'incompatible accessMode';
}

const attributesClassOf = ({ spec }: { spec?: { volumeAttributesClassName?: string } }): string =>
  spec?.volumeAttributesClassName ?? '';

/** `claimed`: it satisfies the claim, but only a claim for which it is reserved may have it. */
type Suitability = 'no' | 'claimed' | 'free';

interface VolumeSuitability {
  /** Of the claim's selector: the effort of one comparison. */
  readonly requirements: number;
  of(volume: PersistentVolume): Suitability;
}

/** Whether a volume satisfies the claim, wherever it is reached from. */
export function volumeSuitability(claim: PersistentVolumeClaim): VolumeSuitability {
  const selector = claim.spec.selector && labelSelector(claim.spec.selector);
  const requested = claimRequest(claim);
  return {
    requirements: selector?.requirements.length ?? 0,
    of(volume) {
      const { metadata, spec, status } = volume;
      const isReserved = isReservedFor(volume, claim);
      if (spec?.claimRef && !isReserved) return 'no';
      if (compareQuantities(volumeCapacity(volume), requested) < 0 || !sameVolumeMode(claim, volume)) return 'no';
      if (attributesClassOf(claim) !== attributesClassOf(volume) || metadata.deletionTimestamp) return 'no';
      if (isReserved) return 'claimed';
      if (status?.phase !== 'Available') return 'no';
      if (selector && !selector.matches(metadata.labels ?? {})) return 'no';
      return storageClassOf(volume) === storageClassOf(claim) && hasAccessModes(claim, volume) ? 'free' : 'no';
    },
  };
}

interface MatchOptions {
  /** Only a volume that is reserved for the claim: the scheduler chooses among the others. */
  readonly onlyReserved?: boolean;
}

/** The volume that is reserved for the claim, or else the smallest one that satisfies it. */
export function matchingVolume(
  claim: PersistentVolumeClaim,
  volumes: Iterable<PersistentVolume>,
  { onlyReserved = false }: MatchOptions = {},
): PersistentVolume | undefined {
  const suitability = volumeSuitability(claim);
  let smallest: PersistentVolume | undefined;
  for (const volume of volumes) {
    if (onlyReserved && !isReservedFor(volume, claim)) continue;
    const suits = suitability.of(volume);
    if (suits === 'claimed') return volume;
    if (suits === 'no') continue;
    if (!smallest || compareQuantities(volumeCapacity(smallest), volumeCapacity(volume)) > 0) smallest = volume;
  }
  return smallest;
}
