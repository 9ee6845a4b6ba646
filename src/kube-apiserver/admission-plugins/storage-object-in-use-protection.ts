import type { AdmissionPlugin } from '../admission.ts';

const finalizers: Readonly<Record<string, string>> = {
  '/PersistentVolumeClaim': 'kubernetes.io/pvc-protection',
  '/PersistentVolume': 'kubernetes.io/pv-protection',
  'storage.k8s.io/VolumeAttributesClass': 'kubernetes.io/vac-protection',
};

/**
 * Protects claims, volumes and classes of attributes in use from deletion: a controller removes the finalizer after the last use.
 * https://kubernetes.io/docs/concepts/storage/persistent-volumes/#storage-object-in-use-protection
 */
export const storageObjectInUseProtection: AdmissionPlugin = {
  name: 'StorageObjectInUseProtection',
  admit({ operation, kind, subresource, object }) {
    const finalizer = finalizers[`${kind.group}/${kind.kind}`];
    if (operation !== 'CREATE' || subresource || !finalizer || !object) return;
    const { metadata } = object;
    if (!metadata.finalizers?.includes(finalizer)) metadata.finalizers = [...(metadata.finalizers ?? []), finalizer];
  },
};
