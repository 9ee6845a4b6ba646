// The volumes behind a pod's claims.
// https://kubernetes.io/docs/concepts/storage/persistent-volumes/#claims-as-volumes

import {
  type ClaimOfPod,
  claimsOfPod,
  foreignClaim,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Pod,
} from '../../api/api.ts';

interface ClaimReader {
  claim(namespace: string, name: string): Promise<PersistentVolumeClaim>;
  volume(name: string): Promise<PersistentVolume>;
}

export interface BoundVolume {
  readonly claim: PersistentVolumeClaim;
  readonly volume: PersistentVolume;
  /** The pod mounts it read-only. */
  readonly readOnly: boolean;
}

const protectionFinalizer = 'kubernetes.io/pvc-protection';

/** By the name of the pod's volume. Rejects, in Kubernetes' words, while a claim is not usable. */
export async function boundVolumes(pod: Pod, reader: ClaimReader): Promise<ReadonlyMap<string, BoundVolume>> {
  const found = new Map<string, BoundVolume>();
  const uses = usesOf(pod);
  for (const wanted of claimsOfPod(pod)) {
    try {
      const { claim, volume } = await volumeOf(pod, wanted, reader);
      const mode = volume.spec?.volumeMode ?? 'Filesystem';
      const misuse = misuseOf(wanted.volume, mode, uses);
      if (misuse) throw new Error(misuse);
      found.set(wanted.volume, { claim, volume, readOnly: wanted.readOnly });
    } catch (error) {
      const names = `[${wanted.volume}]`;
      throw new Error(
        `Unable to attach or mount volumes: unmounted volumes=${names}, unattached volumes=[], failed to process volumes=${names}: ${(error as Error).message}`,
      );
    }
  }
  return found;
}

/** Names of the volumes that containers mount, and that they use as devices. */
function usesOf({ spec }: Pod) {
  const containers = [...spec.containers, ...(spec.initContainers ?? []), ...(spec.ephemeralContainers ?? [])];
  return {
    mounts: new Set(containers.flatMap(({ volumeMounts = [] }) => volumeMounts.map(({ name }) => name))),
    devices: new Set(containers.flatMap(({ volumeDevices = [] }) => volumeDevices.map(({ name }) => name))),
  };
}

function misuseOf(name: string, mode: string, { mounts, devices }: ReturnType<typeof usesOf>): string | undefined {
  const misused = (as: string) => `volume ${name} has volumeMode ${mode}, but is specified in ${as}`;
  if (mounts.has(name) && mode !== 'Filesystem') return misused('volumeMounts');
  return devices.has(name) && mode !== 'Block' ? misused('volumeDevices') : undefined;
}

async function volumeOf(pod: Pod, { claim: name, isEphemeral }: ClaimOfPod, reader: ClaimReader) {
  const { namespace = '' } = pod.metadata;
  const fail = (why: string): never => {
    throw new Error(`error processing PVC ${namespace}/${name}: ${why}`);
  };
  const claim = await reader
    .claim(namespace, name)
    .catch((error: Error) => fail(`failed to fetch PVC from API server: ${error.message}`));
  // A protected claim outlives its pods, also when it is deleted.
  const isLeaving = claim.metadata.deletionTimestamp && !claim.metadata.finalizers?.includes(protectionFinalizer);
  if (isLeaving) fail('PVC is being deleted');
  if (claim.status?.phase !== 'Bound') fail('PVC is not bound');
  const { volumeName } = claim.spec;
  if (!volumeName) return fail('PVC has empty pvc.Spec.VolumeName');
  const foreign = isEphemeral ? foreignClaim(pod, claim) : undefined;
  if (foreign) throw new Error(foreign);
  const volume = await reader
    .volume(volumeName)
    .catch((error: Error) => fail(`failed to fetch PV ${volumeName} from API server: ${error.message}`));
  const reference = volume.spec?.claimRef;
  if (!reference)
    fail(`found PV object ${volumeName} but it has a nil pv.Spec.ClaimRef indicating it is not yet bound to the claim`);
  const { uid } = claim.metadata;
  if (reference?.uid !== uid)
    fail(
      `found PV object ${volumeName} but its pv.Spec.ClaimRef.UID ${reference?.uid ?? ''} does not point to claim.UID ${uid}`,
    );
  return { claim, volume };
}
