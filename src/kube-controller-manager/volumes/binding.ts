// Decides the next action of the volume binder on one claim or one volume. Pure: reads objects and returns a decision.
// https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding

import {
  defaultStorageClassAmong,
  isReservedFor,
  matchingVolume,
  mismatchOf,
  namesStorageClass,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type StorageClass,
  sameVolumeMode,
  storageClassOf,
  volumeAnnotations,
} from '../../api/api.ts';

export interface Note {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

export type ClaimDecision =
  | { readonly do: 'bind'; readonly volume: PersistentVolume }
  /** The claim stays Pending. `isWrong`: the state is one that the controller itself never makes. */
  | { readonly do: 'wait'; readonly note?: Note; readonly isWrong?: boolean }
  | { readonly do: 'lose'; readonly note: Note }
  | { readonly do: 'name-class'; readonly storageClass: string }
  | { readonly do: 'ask-provisioner'; readonly provisioner: string };

/** The objects that decide about a claim. */
export interface ClaimView {
  readonly volumes: readonly PersistentVolume[];
  readonly classes: readonly StorageClass[];
  /** Names of pods without a node that use the claim. */
  readonly waitingPods: readonly string[];
}

const has = ({ metadata }: PersistentVolume | PersistentVolumeClaim, annotation: string): boolean =>
  metadata.annotations?.[annotation] !== undefined;

export function decideClaim(claim: PersistentVolumeClaim, view: ClaimView): ClaimDecision {
  if (has(claim, volumeAnnotations.bindCompleted)) return decideBoundClaim(claim, view);
  return claim.spec.volumeName ? decideNamedVolume(claim, view) : decideFreeClaim(claim, view);
}

function decideBoundClaim(claim: PersistentVolumeClaim, { volumes }: ClaimView): ClaimDecision {
  const lose = (reason: string, message: string): ClaimDecision => ({
    do: 'lose',
    note: { type: 'Warning', reason, message },
  });
  const { volumeName } = claim.spec;
  if (!volumeName)
    return lose('ClaimLost', 'Bound claim has lost reference to PersistentVolume. Data on the volume is lost!');
  const volume = volumes.find(({ metadata }) => metadata.name === volumeName);
  if (!volume) return lose('ClaimLost', 'Bound claim has lost its PersistentVolume. Data on the volume is lost!');
  const reference = volume.spec?.claimRef;
  if (!reference || reference.uid === claim.metadata.uid) return { do: 'bind', volume };
  return lose('ClaimMisbound', 'Two claims are bound to the same volume, this one is bound incorrectly');
}

/** The user, or an earlier attempt, chose the volume. */
function decideNamedVolume(claim: PersistentVolumeClaim, { volumes }: ClaimView): ClaimDecision {
  const volume = volumes.find(({ metadata }) => metadata.name === claim.spec.volumeName);
  if (!volume) return { do: 'wait' };
  const { name } = volume.metadata;
  if (!volume.spec?.claimRef) {
    const mismatch = mismatchOf(volume, claim);
    if (mismatch === undefined) return { do: 'bind', volume };
    const message = `Cannot bind to requested volume "${name}": ${mismatch}`;
    return { do: 'wait', note: { type: 'Warning', reason: 'VolumeMismatch', message } };
  }
  if (isReservedFor(volume, claim)) return { do: 'bind', volume };
  const message = `volume "${name}" already bound to a different claim.`;
  const note: Note = { type: 'Warning', reason: 'FailedBinding', message };
  return { do: 'wait', note, ...(has(claim, volumeAnnotations.boundByController) && { isWrong: true }) };
}

function decideFreeClaim(claim: PersistentVolumeClaim, view: ClaimView): ClaimDecision {
  const { classes, volumes, waitingPods } = view;
  const className = storageClassOf(claim);
  const storageClass = classes.find(({ metadata }) => metadata.name === className);
  const isDelayed = storageClass?.volumeBindingMode === 'WaitForFirstConsumer';
  const volume = bestVolume(claim, volumes, isDelayed);
  if (volume) return { do: 'bind', volume };
  const byDefault = namesStorageClass(claim) ? undefined : defaultStorageClassAmong(classes);
  if (byDefault) return { do: 'name-class', storageClass: byDefault.metadata.name };
  if (isDelayed && !has(claim, volumeAnnotations.selectedNode))
    return { do: 'wait', note: { type: 'Normal', ...waitFor(waitingPods) } };
  if (className !== '') return askProvisioner(className, storageClass);
  const message = 'no persistent volumes available for this claim and no storage class is set';
  return { do: 'wait', note: { type: 'Normal', reason: 'FailedBinding', message } };
}

function waitFor(pods: readonly string[]): Pick<Note, 'reason' | 'message'> {
  if (pods.length === 0)
    return {
      reason: 'WaitForFirstConsumer',
      message: 'waiting for first consumer to be created before binding',
    };
  return {
    reason: 'WaitForPodScheduled',
    message: `waiting for pod${pods.length > 1 ? 's' : ''} ${pods.join(',')} to be scheduled`,
  };
}

function askProvisioner(className: string, storageClass: StorageClass | undefined): ClaimDecision {
  const fail = (message: string): ClaimDecision => ({
    do: 'wait',
    note: { type: 'Warning', reason: 'ProvisioningFailed', message },
  });
  if (!storageClass) return fail(`storageclass.storage.k8s.io "${className}" not found`);
  const provisioner = driverFor(storageClass.provisioner);
  return provisioner
    ? { do: 'ask-provisioner', provisioner }
    : fail(`no volume plugin matched name: ${storageClass.provisioner}`);
}

/** CSI drivers that replaced in-tree plugins. https://kubernetes.io/docs/concepts/storage/volumes/#csi-migration */
const migrated: ReadonlyMap<string, string> = new Map([
  ['kubernetes.io/aws-ebs', 'ebs.csi.aws.com'],
  ['kubernetes.io/azure-disk', 'disk.csi.azure.com'],
  ['kubernetes.io/azure-file', 'file.csi.azure.com'],
  ['kubernetes.io/cinder', 'cinder.csi.openstack.org'],
  ['kubernetes.io/gce-pd', 'pd.csi.storage.gke.io'],
  ['kubernetes.io/portworx-volume', 'pxd.portworx.com'],
  ['kubernetes.io/vsphere-volume', 'csi.vsphere.vmware.com'],
]);

/** The external provisioner; undefined for an in-tree plugin, because Kubernetes has none that provisions volumes. */
const driverFor = (provisioner: string): string | undefined =>
  migrated.get(provisioner) ?? (provisioner.startsWith('kubernetes.io/') ? undefined : provisioner);

/** Volumes with the fewest access modes come first, and among those the smallest. */
function bestVolume(
  claim: PersistentVolumeClaim,
  volumes: readonly PersistentVolume[],
  onlyReserved: boolean,
): PersistentVolume | undefined {
  const wanted = claim.spec.accessModes ?? [];
  const byModes = Map.groupBy(volumes, ({ spec }) => [...new Set(spec?.accessModes ?? [])].sort().join());
  const candidates = [...byModes]
    .filter(([modes]) => wanted.every((mode) => modes.split(',').includes(mode)))
    .sort(([a], [b]) => a.split(',').length - b.split(',').length);
  for (const [, group] of candidates) {
    const found = matchingVolume(claim, group, { onlyReserved });
    if (found) return found;
  }
  return undefined;
}

type VolumeDecision =
  | { readonly do: 'set-phase'; readonly phase: 'Available' | 'Bound' }
  /** The claim is gone, or does not need the volume: the reclaim policy applies. */
  | { readonly do: 'reclaim' }
  /** The volume serves another claim, or none. */
  | { readonly do: 'unbind' }
  /** The claim's turn completes the binding. */
  | { readonly do: 'wait-for-claim'; readonly onVolume?: Note; readonly onClaim?: Note };

/** `claim`: of the name in the volume's claimRef. */
export function decideVolume(volume: PersistentVolume, claim: PersistentVolumeClaim | undefined): VolumeDecision {
  const { claimRef, persistentVolumeReclaimPolicy: policy } = volume.spec ?? {};
  if (!claimRef?.uid) return { do: 'set-phase', phase: 'Available' };
  if (claim?.metadata.uid !== claimRef.uid) return { do: 'reclaim' };
  const { name } = volume.metadata;
  if (!claim.spec.volumeName)
    return sameVolumeMode(claim, volume) ? { do: 'wait-for-claim' } : modeMismatch(name, claim);
  if (claim.spec.volumeName === name) return { do: 'set-phase', phase: 'Bound' };
  const isSpare = has(volume, volumeAnnotations.provisionedBy) && policy === 'Delete';
  return { do: isSpare ? 'reclaim' : 'unbind' };
}

function modeMismatch(volume: string, { metadata }: PersistentVolumeClaim): VolumeDecision {
  const note = (subject: string): Note => ({
    type: 'Warning',
    reason: 'VolumeMismatch',
    message: `Cannot bind ${subject} due to incompatible volumeMode.`,
  });
  return {
    do: 'wait-for-claim',
    onVolume: note(`PersistentVolume to requested PersistentVolumeClaim "${metadata.name}"`),
    onClaim: note(`PersistentVolume "${volume}" to requested PersistentVolumeClaim`),
  };
}

/** The reason why a released volume cannot be reclaimed; undefined: retained, or left to its provisioner. */
export function reclaimFault({ metadata, spec }: PersistentVolume): Note | undefined {
  const fail = (reason: string, message: string): Note => ({ type: 'Warning', reason, message });
  switch (spec?.persistentVolumeReclaimPolicy) {
    case 'Retain':
      return undefined;
    case 'Recycle':
      return fail('VolumeFailedRecycle', 'No recycler plugin found for the volume!');
    case 'Delete': {
      const provisioner = metadata.annotations?.[volumeAnnotations.provisionedBy];
      if (spec.csi || (provisioner && driverFor(provisioner))) return undefined;
      const why = provisioner ? `no volume plugin matched name: ${provisioner}` : 'no deletable volume plugin matched';
      const of = provisioner ? '' : `error getting deleter volume plugin for volume "${metadata.name}": `;
      return fail('VolumeFailedDelete', `${of}${why}`);
    }
    default:
      return fail('VolumeUnknownReclaimPolicy', 'Volume has unrecognized PersistentVolumeReclaimPolicy');
  }
}
