import { unifiedDiff } from '../../../machinery/text/unified-diff.ts';
import { defaultBlockVolumes } from '../../defaults/pod-spec.ts';
import type { FieldError } from '../../errors.ts';
import { forbiddenField, invalidValue, unchanged } from '../../fields.ts';
import type { PersistentVolume } from '../../generated/types.ts';
import { internal, sameInternal } from '../../internal.ts';
import type { KindBehaviour } from '../../kind.ts';
import { formatTime } from '../../time.ts';
import { nodeTermWarnings } from '../../validation/node-labels.ts';
import { validateVolumeSpec } from '../../validation/persistent-volume.ts';
import { accessModesText, unset } from '../cells.ts';

type Spec = NonNullable<PersistentVolume['spec']>;

export const persistentVolume: KindBehaviour<PersistentVolume> = {
  answersDeleted: true,
  emptyFields: 'validated',
  cells: {
    Capacity: (v) => v.spec?.capacity?.storage ?? '0',
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
      if (spec.hostPath) spec.hostPath.type ??= '';
      defaultBlockVolumes(spec);
      v.status ??= {};
      v.status.phase ||= 'Pending';
    },
    prepareForCreate(v, { now }) {
      v.status = { phase: 'Pending', lastPhaseTransitionTime: formatTime(now) };
    },
    validate: (v) => [...validateSpec(v), ...validateMountOptions(v)],
    metadataOnUpdate: ['whole', 'whole'],
    validateUpdate: (next, old) => [
      ...validateSpec(next),
      ...validateMountOptions(next),
      // Kubernetes checks the spec twice, and lists its faults twice.
      ...validateSpec(next),
      ...validateChange(next, old),
    ],
    warnings,
    subresources: {
      status: {
        prepareForUpdate(next, old, { now }) {
          if (!next.status) return;
          const [time, was] = [next.status.lastPhaseTransitionTime, old.status?.lastPhaseTransitionTime];
          if (next.status.phase === old.status?.phase) next.status.lastPhaseTransitionTime ??= was;
          else if (time === undefined || time === was) next.status.lastPhaseTransitionTime = formatTime(now);
        },
      },
    },
  },
};

const validateSpec = ({ metadata, spec = {} }: PersistentVolume) => validateVolumeSpec(spec, 'spec', metadata.name);

const mountOptions = 'volume.beta.kubernetes.io/mount-options';
/** Sources that read mount options from an annotation. */
const withOptions = [
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'glusterfs',
  'nfs',
  'rbd',
  'quobyte',
  'iscsi',
  'cinder',
  'cephfs',
  'azureFile',
  'vsphereVolume',
  'azureDisk',
  'photonPersistentDisk',
] as const;

const validateMountOptions = ({ metadata, spec }: PersistentVolume): FieldError[] =>
  mountOptions in (metadata.annotations ?? {}) && !withOptions.some((source) => spec?.[source])
    ? [forbiddenField(`metadata.annotations.${mountOptions}`, 'may not specify mount options for this volume type')]
    : [];

const sourceText = (spec: Spec): string => JSON.stringify(internal('core.PersistentVolumeSource', spec), null, 1);

/** Kubernetes gives two of these paths without the spec. */
function validateChange(next: PersistentVolume, old: PersistentVolume): FieldError[] {
  const errors: FieldError[] = [];
  const [spec, before] = [next.spec ?? {}, old.spec ?? {}];
  // The secret for expanding may be added.
  const mayAdd = before.csi && !before.csi.controllerExpandSecretRef && spec.csi?.controllerExpandSecretRef;
  const { controllerExpandSecretRef: _, ...csi } = spec.csi ?? ({} as NonNullable<Spec['csi']>);
  const compared: Spec = mayAdd ? { ...spec, csi } : spec;
  if (!sameInternal('core.PersistentVolumeSource', compared, before))
    errors.push(
      forbiddenField(
        'spec.persistentvolumesource',
        `spec.persistentvolumesource is immutable after creation\n${unifiedDiff(sourceText(before), sourceText(compared))}`,
      ),
    );
  errors.push(...unchanged('volumeMode', spec.volumeMode, before.volumeMode));
  if (before.nodeAffinity && !sameAffinity(spec, before))
    errors.push(
      invalidValue(
        'nodeAffinity',
        internal('*core.VolumeNodeAffinity', spec.nodeAffinity),
        'field is immutable, except for updating from beta label to GA',
      ),
    );
  if (before.volumeAttributesClassName !== undefined && spec.volumeAttributesClassName === undefined)
    errors.push(forbiddenField('spec.volumeAttributesClassName', 'update from non-nil value to nil is forbidden'));
  return errors;
}

/** Old labels and their replacements. */
const newLabels: Readonly<Record<string, string>> = {
  'failure-domain.beta.kubernetes.io/zone': 'topology.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region': 'topology.kubernetes.io/region',
  'beta.kubernetes.io/os': 'kubernetes.io/os',
  'beta.kubernetes.io/arch': 'kubernetes.io/arch',
  'beta.kubernetes.io/instance-type': 'node.kubernetes.io/instance-type',
};

function sameAffinity(spec: Spec, before: Spec): boolean {
  const terms = ({ nodeAffinity }: Spec) => nodeAffinity?.required?.nodeSelectorTerms ?? [];
  const now = terms(spec);
  if (!spec.nodeAffinity || now.length !== terms(before).length) return false;
  return terms(before).every((term, index) =>
    (['matchExpressions', 'matchFields'] as const).every((list) => {
      const [is, was] = [now[index][list] ?? [], term[list] ?? []];
      return (
        is.length === was.length &&
        was.every((requirement, i) => {
          // Kubernetes also takes an empty key for the replacement of a label that has none.
          const isRenamed = (newLabels[requirement.key] ?? '') === (is[i].key ?? '');
          return sameInternal(
            'core.NodeSelectorRequirement',
            isRenamed ? { ...requirement, key: is[i].key } : requirement,
            is[i],
          );
        })
      );
    }),
  );
}

const oldAnnotations: Readonly<Record<string, string>> = {
  'volume.beta.kubernetes.io/storage-class': 'deprecated since v1.8; use "storageClassName" attribute instead',
  [mountOptions]: 'deprecated since v1.31; use "mountOptions" attribute instead',
};
/** Removed in-tree drivers. */
const oldSources: Readonly<Record<string, string>> = {
  cephfs: 'deprecated in v1.28, non-functional in v1.31+',
  photonPersistentDisk: 'deprecated in v1.11, non-functional in v1.16+',
  scaleIO: 'deprecated in v1.16, non-functional in v1.22+',
  storageos: 'deprecated in v1.22, non-functional in v1.25+',
  glusterfs: 'deprecated in v1.25, non-functional in v1.26+',
  rbd: 'deprecated in v1.28, non-functional in v1.31+',
};

function warnings({ metadata, spec = {} }: PersistentVolume): string[] {
  return [
    ...Object.entries(oldAnnotations)
      .filter(([key]) => key in (metadata.annotations ?? {}))
      .map(([key, text]) => `metadata.annotations[${key}]: ${text}`),
    ...(spec.persistentVolumeReclaimPolicy === 'Recycle'
      ? [
          'spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.',
        ]
      : []),
    ...(spec.nodeAffinity?.required?.nodeSelectorTerms ?? []).flatMap((term, index) =>
      nodeTermWarnings(term, false, `spec.nodeAffinity.required.nodeSelectorTerms[${index}]`),
    ),
    ...Object.entries(oldSources)
      .filter(([source]) => spec[source as keyof Spec])
      .map(([source, text]) => `spec.${source === 'storageos' ? 'storageOS' : source}: ${text}`),
  ];
}
