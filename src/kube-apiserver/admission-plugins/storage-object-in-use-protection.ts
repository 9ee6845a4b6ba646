import type { AdmissionPlugin } from '../admission.ts';

const finalizers: Readonly<Record<string, string>> = {
  PersistentVolumeClaim: 'kubernetes.io/pvc-protection',
  PersistentVolume: 'kubernetes.io/pv-protection',
};

/**
 * Claims and volumes that are used are not deleted under their users: a controller takes the finalizer off when nobody
 * uses them. https://kubernetes.io/docs/concepts/storage/persistent-volumes/#storage-object-in-use-protection
 */
export const storageObjectInUseProtection: AdmissionPlugin = {
  name: 'StorageObjectInUseProtection',
  admit({ operation, kind, subresource, object }) {
    const finalizer = kind.group === '' ? finalizers[kind.kind] : undefined;
    if (operation !== 'CREATE' || subresource || !finalizer || !object) return;
    const { metadata } = object;
    if (!metadata.finalizers?.includes(finalizer)) metadata.finalizers = [...(metadata.finalizers ?? []), finalizer];
  },
};
