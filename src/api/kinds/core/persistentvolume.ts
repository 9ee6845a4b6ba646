import { defaultBlockVolumes } from '../../defaults/pod-spec.ts';
import type { FieldError } from '../../errors.ts';
import { forbiddenField, immutableField, notSupported, oneOf, required, sameValue } from '../../fields.ts';
import type { PersistentVolume } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { formatTime } from '../../time.ts';
import { validateHostPath } from '../../validation/pod/volumes.ts';
import { accessModesText, unset } from '../cells.ts';

type Spec = NonNullable<PersistentVolume['spec']>;

export const accessModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];

export const persistentVolume: KindBehaviour<PersistentVolume> = {
  cells: {
    Capacity: (v) => String((v.spec?.capacity as any)?.storage ?? '0'),
    'Access Modes': (v) => accessModesText(v.spec?.accessModes),
    'Reclaim Policy': (v) => v.spec?.persistentVolumeReclaimPolicy ?? '',
    Status: (v) => (v.metadata.deletionTimestamp ? 'Terminating' : (v.status?.phase ?? '')),
    Claim: (v) => (v.spec?.claimRef ? `${v.spec.claimRef.namespace ?? ''}/${v.spec.claimRef.name ?? ''}` : ''),
    StorageClass: (v) => v.spec?.storageClassName ?? '',
    VolumeAttributesClass: (v) => v.spec?.volumeAttributesClassName || unset,
    Reason: (v) => v.status?.reason ?? '',
    VolumeMode: (v) => v.spec?.volumeMode ?? unset,
  },
  strategy: {
    setDefaults(v) {
      const spec = (v.spec ??= {});
      spec.persistentVolumeReclaimPolicy ??= 'Retain';
      spec.volumeMode ??= 'Filesystem';
      if (spec.hostPath) (spec.hostPath as any).type ??= '';
      defaultBlockVolumes(spec as any);
    },
    prepareForCreate(v, { now }) {
      v.status = { phase: 'Pending', lastPhaseTransitionTime: formatTime(now) };
    },
    validate: (v) => validateSpec(v.spec!),
    warnings: (v) => [
      ...(v.spec?.persistentVolumeReclaimPolicy === 'Recycle'
        ? [
            'spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.',
          ]
        : []),
      ...removedDrivers
        .filter((name) => v.spec?.[name])
        .map((name) => `spec.${name}: deprecated in v1.28, non-functional in v1.31+`),
    ],
    validateUpdate(next, old) {
      const source = (spec: any) => Object.fromEntries(sources.map((name) => [name, spec?.[name] ?? null]));
      const errors: FieldError[] = [];
      if (!sameValue(source(next.spec), source(old.spec)))
        errors.push(
          forbiddenField('spec.persistentvolumesource', 'spec.persistentvolumesource is immutable after creation'),
        );
      if (next.spec?.volumeMode !== old.spec?.volumeMode)
        errors.push(immutableField('spec.volumeMode', next.spec?.volumeMode));
      return errors;
    },
    subresources: {
      status: {
        prepareForUpdate(next, old, { now }) {
          if (next.status && next.status.phase !== old.status?.phase)
            next.status.lastPhaseTransitionTime = formatTime(now);
        },
      },
    },
  },
};

const sources = [
  'hostPath',
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'glusterfs',
  'flocker',
  'nfs',
  'rbd',
  'quobyte',
  'cephfs',
  'iscsi',
  'cinder',
  'fc',
  'flexVolume',
  'azureFile',
  'vsphereVolume',
  'photonPersistentDisk',
  'portworxVolume',
  'azureDisk',
  'scaleIO',
  'local',
  'storageos',
  'csi',
] as const;

/** In-tree drivers whose code is gone. */
const removedDrivers = ['cephfs', 'rbd'] as const;

function validateSpec(spec: Spec): FieldError[] {
  const errors: FieldError[] = [];
  const modes = spec.accessModes ?? [];
  if (!modes.length) errors.push(required('spec.accessModes'));
  for (const mode of modes)
    if (!accessModes.includes(mode)) errors.push(notSupported('spec.accessModes', mode, accessModes));
  if (modes.includes('ReadWriteOncePod') && modes.length > 1)
    errors.push(forbiddenField('spec.accessModes', 'may not use ReadWriteOncePod with other access modes'));
  const capacity = (spec.capacity ?? {}) as Record<string, string>;
  if (!Object.keys(capacity).length) errors.push(required('spec.capacity'));
  else if (!('storage' in capacity) || Object.keys(capacity).length > 1)
    errors.push(notSupported('spec.capacity', capacity, ['storage']));
  errors.push(
    ...oneOf('spec.persistentVolumeReclaimPolicy', spec.persistentVolumeReclaimPolicy, ['Delete', 'Recycle', 'Retain']),
  );
  const given = sources.filter((source) => spec[source] !== undefined);
  if (!given.length) errors.push(required('spec', 'must specify a volume type'));
  for (const source of given.slice(1))
    errors.push(forbiddenField(`spec.${source}`, 'may not specify more than 1 volume type'));
  if (spec.hostPath) {
    errors.push(...validateHostPath(spec.hostPath, 'spec.hostPath'));
    if (spec.hostPath.path === '/' && spec.persistentVolumeReclaimPolicy === 'Recycle')
      errors.push(
        forbiddenField('spec.persistentVolumeReclaimPolicy', "may not be 'recycle' for a hostPath mount of '/'"),
      );
  }
  if (spec.nfs && !spec.nfs.server) errors.push(required('spec.nfs.server'));
  if (spec.csi && !spec.csi.driver) errors.push(required('spec.csi.driver'));
  if (spec.csi && !spec.csi.volumeHandle) errors.push(required('spec.csi.volumeHandle'));
  if (spec.local && !spec.nodeAffinity)
    errors.push(required('spec.nodeAffinity', 'Local volume requires node affinity'));
  errors.push(...oneOf('spec.volumeMode', spec.volumeMode, ['Block', 'Filesystem']));
  return errors;
}
