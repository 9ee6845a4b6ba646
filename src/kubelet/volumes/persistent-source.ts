// The sources of persistent volumes that this node mounts without a driver.

import type { PersistentVolume } from '../../api/api.ts';
import { VolumeError, type VolumeSource } from './volume.ts';

/** The source of a persistent volume, as if a pod had it inline under `name`. */
export function inline({ metadata, spec = {} }: PersistentVolume, name: string): VolumeSource {
  if (spec.volumeMode === 'Block' && !spec.local)
    throw new VolumeError(
      `volume ${metadata.name} has volumeMode Block, which this node supports for CSI and local volumes only`,
    );
  const { hostPath, local: directory, nfs: share } = spec;
  if (hostPath && spec.mountOptions?.length)
    throw new VolumeError(
      `Mount options are not supported for volume type kubernetes.io/host-path: ${spec.mountOptions.join(', ')}`,
    );
  if (hostPath) return { name, hostPath };
  if (directory) return { name, local: directory };
  if (share) return { name, nfs: share };
  const source = Object.keys(spec).find((key) => !common.has(key)) ?? 'none';
  throw new VolumeError(`no volume plugin matched: this node does not support ${source} volumes`);
}

/** Fields of a persistent volume that are not its source. */
const common = new Set([
  'accessModes',
  'capacity',
  'claimRef',
  'mountOptions',
  'nodeAffinity',
  'persistentVolumeReclaimPolicy',
  'storageClassName',
  'volumeAttributesClassName',
  'volumeMode',
]);
