// The names of CSI volumes and attachments, which kubelet and attach/detach controller share.
// https://kubernetes.io/docs/concepts/storage/volumes/#csi

import type { CSIDriver, PersistentVolume, PersistentVolumeClaim } from '../generated/types.ts';

interface CsiVolume {
  readonly driver: string;
  readonly volumeHandle: string;
}

/** In node.status.volumesInUse and volumesAttached. */
export const csiVolumeName = ({ driver, volumeHandle }: CsiVolume): string =>
  `kubernetes.io/csi/${driver}^${volumeHandle}`;

/** The text whose SHA-256 in hexadecimal is the name of a VolumeAttachment, after `csi-`. */
export const csiAttachmentText = ({ driver, volumeHandle }: CsiVolume, nodeName: string): string =>
  `${volumeHandle}${driver}${nodeName}`;

/** Volumes of a driver without an object are attached. */
export const attaches = (driver: CSIDriver | undefined): boolean => driver?.spec.attachRequired !== false;

/** Nodes attach the key to a node that is to have its volumes attached by the controller. */
export const controllerAttachesAnnotation = 'volumes.kubernetes.io/controller-managed-attach-detach';

/** Several nodes may have the volume attached. */
export function allowsMultiAttach({ spec }: PersistentVolume): boolean {
  const modes = spec?.accessModes ?? [];
  return modes.length === 0 || modes.includes('ReadWriteMany') || modes.includes('ReadOnlyMany');
}

type ClaimResizeStatus =
  | 'ControllerResizeInProgress'
  | 'ControllerResizeInfeasible'
  | 'NodeResizePending'
  | 'NodeResizeInProgress'
  | 'NodeResizeInfeasible';

/** How far the expansion of a claim is; undefined: none is in progress. */
export const resizeStatusOf = ({ status }: PersistentVolumeClaim): ClaimResizeStatus | undefined =>
  (status?.allocatedResourceStatuses?.['storage'] as ClaimResizeStatus | '' | undefined) || undefined;
