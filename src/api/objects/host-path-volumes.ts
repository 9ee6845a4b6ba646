// The volumes of the default StorageClass: one directory of a node each.

/** The provisioner's name in storage classes. */
export const hostPathProvisioner = 'coracle.local/host-path';
/** Annotation of a node: the directory of these volumes. A node without it has none. */
export const volumeDirectoryAnnotation = 'coracle.local/volume-directory';
/** The directory that simulated nodes report: it does not exist. */
export const simulatedVolumeDirectory = '/simulated/volumes';
/** Path of the kubelet's API below which a volume is deleted by its name. */
export const hostPathVolumesPath = 'hostPathVolumes';
/** Names of these volumes; the rest is the uid of the claim. */
export const hostPathVolumeName = /^pvc-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
