import { dns1123LabelFaults } from '../../../machinery/names.ts';
import { defaultClaimSpec, defaultPodTemplate } from '../../defaults/pod-spec.ts';
import type { FieldError } from '../../errors.ts';
import { forbiddenField, invalidValue, invalidValues, nonNegative, oneOf, required, sameValue } from '../../fields.ts';
import type { StatefulSet } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { validateWorkloadTemplate } from '../../validation/pod/template.ts';
import { validateOwnSelector } from '../../validation/selector.ts';
import { templateCells } from '../cells.ts';

type Spec = NonNullable<StatefulSet['spec']>;

export const statefulSet: KindBehaviour<StatefulSet> = {
  hasGeneration: true,
  cells: { Ready: (s) => `${s.status?.readyReplicas ?? 0}/${s.spec?.replicas ?? 0}`, ...templateCells },
  strategy: {
    setDefaults(s) {
      const spec = (s.spec ??= {} as Spec);
      spec.podManagementPolicy ??= 'OrderedReady';
      spec.updateStrategy ??= {};
      if (!spec.updateStrategy.type) {
        spec.updateStrategy.type = 'RollingUpdate';
        spec.updateStrategy.rollingUpdate ??= {};
      }
      if (spec.updateStrategy.type === 'RollingUpdate' && spec.updateStrategy.rollingUpdate)
        spec.updateStrategy.rollingUpdate.partition ??= 0;
      spec.persistentVolumeClaimRetentionPolicy ??= {};
      spec.persistentVolumeClaimRetentionPolicy.whenDeleted ??= 'Retain';
      spec.persistentVolumeClaimRetentionPolicy.whenScaled ??= 'Retain';
      spec.replicas ??= 1;
      spec.revisionHistoryLimit ??= 10;
      defaultPodTemplate(spec.template);
      for (const claim of (spec.volumeClaimTemplates ?? []) as any[]) {
        claim.kind ||= 'PersistentVolumeClaim';
        claim.apiVersion ||= 'v1';
        defaultClaimSpec((claim.spec ??= {}));
        (claim.status ??= {}).phase ??= 'Pending';
      }
    },
    validate,
    validateUpdate,
  },
};

function validate(s: StatefulSet): FieldError[] {
  const spec = s.spec!;
  const retention = spec.persistentVolumeClaimRetentionPolicy;
  const path = 'spec.persistentVolumeClaimRetentionPolicy';
  return [
    ...oneOf('spec.podManagementPolicy', spec.podManagementPolicy, ['OrderedReady', 'Parallel']).map(({ field }) =>
      invalidValue(field, spec.podManagementPolicy, "must be 'OrderedReady' or 'Parallel'"),
    ),
    ...validateStrategy(spec),
    ...oneOf(`${path}.whenDeleted`, retention?.whenDeleted, ['Retain', 'Delete']),
    ...oneOf(`${path}.whenScaled`, retention?.whenScaled, ['Retain', 'Delete']),
    ...nonNegative('spec.replicas', spec.replicas),
    ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...nonNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
    ...nonNegative('spec.ordinals.start', spec.ordinals?.start),
    ...(spec.serviceName
      ? invalidValues('spec.serviceName', spec.serviceName, dns1123LabelFaults(spec.serviceName))
      : []),
    ...validateOwnSelector(spec.selector, spec.template?.metadata?.labels, 'statefulset'),
    ...validateWorkloadTemplate(spec.template, 'spec.template', 'StatefulSet'),
  ];
}

function validateStrategy({ updateStrategy }: Spec): FieldError[] {
  const path = 'spec.updateStrategy';
  const { type, rollingUpdate } = updateStrategy ?? {};
  if (!type) return [required(path)];
  if (type === 'RollingUpdate') return nonNegative(`${path}.rollingUpdate.partition`, rollingUpdate?.partition);
  const shown = {
    Type: type,
    RollingUpdate: rollingUpdate
      ? { Partition: rollingUpdate.partition ?? 0, MaxUnavailable: rollingUpdate.maxUnavailable ?? null }
      : null,
  };
  if (type !== 'OnDelete') return [invalidValue(path, shown, "must be 'RollingUpdate' or 'OnDelete'")];
  return rollingUpdate
    ? [invalidValue(`${path}.rollingUpdate`, shown.RollingUpdate, "only allowed for updateStrategy 'RollingUpdate'")]
    : [];
}

const mutable = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
] as const;

function validateUpdate(next: StatefulSet, old: StatefulSet): FieldError[] {
  const rest = (spec: any) =>
    Object.fromEntries(Object.entries(spec ?? {}).filter(([key]) => !mutable.includes(key as any)));
  if (sameValue(rest(next.spec), rest(old.spec))) return [];
  return [
    forbiddenField(
      'spec',
      `updates to statefulset spec for fields other than ${mutable
        .slice(0, -1)
        .map((field) => `'${field}'`)
        .join(', ')} and 'minReadySeconds' are forbidden`,
    ),
  ];
}
