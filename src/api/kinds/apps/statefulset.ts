import { dns1123LabelFaults } from '../../../machinery/text/names.ts';
import { defaultClaimSpec, defaultPodTemplate } from '../../defaults/pod-spec.ts';
import type { FieldError } from '../../errors.ts';
import { forbiddenField, invalidValue, invalidValues, nonNegative, required } from '../../fields.ts';
import type { PersistentVolumeClaimSpec, StatefulSet, Volume } from '../../generated/types.ts';
import { internal } from '../../internal.ts';
import type { KindBehaviour } from '../../kind.ts';
import { specOf } from '../../spec-of.ts';
import { sameStored } from '../../strategy.ts';
import { claimWarnings, validateClaimSpec } from '../../validation/claim.ts';
import { intOrPercentIsZero, notOver100Percent, validateIntOrPercent } from '../../validation/int-or-percent.ts';
import { nameRule, validateTemplateMeta } from '../../validation/metadata.ts';
import { validatePodAnnotations } from '../../validation/pod/annotations.ts';
import { oneOfThese, struct } from '../../validation/rules.ts';
import { validateOwnSelector } from '../../validation/selector.ts';
import {
  atMost,
  counters,
  dropDisabledTemplateFields,
  templateWarnings,
  validateCollisions,
  validateOwnTemplate,
} from '../../validation/workload.ts';
import { templateCells } from '../cells.ts';

type Spec = NonNullable<StatefulSet['spec']>;

export const statefulSet: KindBehaviour<StatefulSet> = {
  podTemplate: 'spec.template',
  hasGeneration: true,
  emptyFields: 'validated',
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
      const rolling = spec.updateStrategy.rollingUpdate;
      if (spec.updateStrategy.type === 'RollingUpdate' && rolling) rolling.partition ??= 0;
      spec.persistentVolumeClaimRetentionPolicy ??= {};
      spec.persistentVolumeClaimRetentionPolicy.whenDeleted ??= 'Retain';
      spec.persistentVolumeClaimRetentionPolicy.whenScaled ??= 'Retain';
      spec.replicas ??= 1;
      spec.revisionHistoryLimit ??= 10;
      defaultPodTemplate(spec.template);
      for (const claim of spec.volumeClaimTemplates ?? []) {
        claim.kind = 'PersistentVolumeClaim';
        claim.apiVersion = 'v1';
        defaultClaimSpec((claim.spec ??= {} as PersistentVolumeClaimSpec));
        (claim.status ??= {}).phase ??= 'Pending';
      }
    },
    prepareForCreate(s) {
      dropMaxUnavailable(s);
      dropDisabledTemplateFields(s.spec?.template);
    },
    prepareForUpdate(next, old) {
      dropMaxUnavailable(next, old);
      dropDisabledTemplateFields(next.spec?.template, old.spec?.template);
    },
    nameRule: nameRule(dns1123LabelFaults),
    validate: (s) => validateSpec(specOf(s)),
    validateUpdate,
    warnings,
    subresources: {
      status: {
        validateUpdate: ({ status }, old) => [
          ...statusCounters(status, 'status'),
          ...atMost(
            status,
            ['readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas'],
            'replicas',
            'status.replicas',
          ),
          ...atMost(status, ['availableReplicas'], 'readyReplicas', 'status.readyReplicas'),
          ...validateCollisions(status, old.status),
        ],
      },
    },
  },
};

const statusCounters = counters(
  'replicas',
  'readyReplicas',
  'currentReplicas',
  'updatedReplicas',
  'availableReplicas',
  'observedGeneration',
  'collisionCount',
);

/** Rolling several pods at a time is behind a feature gate that is off. */
function dropMaxUnavailable(s: StatefulSet, old?: StatefulSet): void {
  const rolling = s.spec?.updateStrategy?.rollingUpdate;
  if (rolling && old?.spec?.updateStrategy?.rollingUpdate?.maxUnavailable === undefined) delete rolling.maxUnavailable;
}

function warnings(s: StatefulSet, old?: StatefulSet): string[] {
  return [
    ...templateWarnings(s, old, s.spec?.template),
    // Kubernetes names the spec of a claim in updates only, and with a capital.
    ...(s.spec?.volumeClaimTemplates ?? []).flatMap((claim, index) =>
      claimWarnings(specOf(claim), `spec.volumeClaimTemplates[${index}]${old ? '.Spec' : ''}`),
    ),
    ...((s.spec?.revisionHistoryLimit ?? 0) < 0
      ? ['spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended']
      : []),
  ];
}

const retention = struct({
  whenDeleted: oneOfThese('Retain', 'Delete'),
  whenScaled: oneOfThese('Retain', 'Delete'),
});
const orders = ['OrderedReady', 'Parallel'];

/** An update checks only fields that can change: the others may predate the check. */
function validateSpec(spec: Spec, isUpdate = false): FieldError[] {
  const order = spec.podManagementPolicy;
  return [
    ...(!order
      ? [required('spec.podManagementPolicy')]
      : orders.includes(order)
        ? []
        : [invalidValue('spec.podManagementPolicy', order, "must be 'OrderedReady' or 'Parallel'")]),
    ...validateStrategy(spec),
    ...retention(spec.persistentVolumeClaimRetentionPolicy, 'spec.persistentVolumeClaimRetentionPolicy'),
    ...(isUpdate ? [] : (spec.volumeClaimTemplates ?? [])).flatMap((claim, index) =>
      validateClaimSpec(specOf(claim), `spec.volumeClaimTemplates[${index}].spec`),
    ),
    ...nonNegative('spec.replicas', spec.replicas),
    ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...nonNegative('spec.ordinals.start', spec.ordinals?.start),
    ...(spec.serviceName && !isUpdate
      ? invalidValues('spec.serviceName', spec.serviceName, dns1123LabelFaults(spec.serviceName))
      : []),
    ...validateOwnSelector(spec.selector, 'spec.selector', 'statefulset'),
    ...validateTemplate(spec),
  ];
}

/** Names and volumes of its pods are not in the template. */
function validateTemplate(spec: Spec): FieldError[] {
  const { template } = spec;
  const { subdomain: _, hostname: __, ...pod } = template?.spec ?? { containers: [] };
  const claims = new Set((spec.volumeClaimTemplates ?? []).map(({ metadata }) => metadata?.name ?? ''));
  const volumes: Volume[] = [
    ...[...claims].map((name) => ({ name, persistentVolumeClaim: { claimName: name } })),
    ...(pod.volumes ?? []).filter(({ name }) => !claims.has(name)),
  ];
  const filled = { ...template, spec: { ...pod, ...(claims.size && { volumes }) } };
  const errors = validateOwnTemplate(filled, spec.selector, 'spec.template', 'StatefulSet', '');
  // Kubernetes checks the template's metadata twice, and lists its faults twice.
  return [
    ...errors,
    ...validateTemplateMeta(template?.metadata, 'spec.template'),
    ...validatePodAnnotations(template?.metadata?.annotations, filled.spec, 'spec.template.annotations'),
  ];
}

function validateStrategy({ updateStrategy }: Spec): FieldError[] {
  const path = 'spec.updateStrategy';
  const { type, rollingUpdate } = updateStrategy ?? {};
  if (!type) return [required(path)];
  if (type === 'RollingUpdate') return validateRolling(rollingUpdate, `${path}.rollingUpdate`);
  if (type !== 'OnDelete')
    return [
      invalidValue(
        path,
        internal('apps.StatefulSetUpdateStrategy', updateStrategy),
        "must be 'RollingUpdate' or 'OnDelete'",
      ),
    ];
  return rollingUpdate
    ? [
        invalidValue(
          `${path}.rollingUpdate`,
          internal('apps.RollingUpdateStatefulSetStrategy', rollingUpdate),
          "only allowed for updateStrategy 'RollingUpdate'",
        ),
      ]
    : [];
}

type Rolling = NonNullable<Spec['updateStrategy']>['rollingUpdate'];

function validateRolling(rolling: Rolling, path: string): FieldError[] {
  if (!rolling) return [];
  const errors = nonNegative(`${path}.partition`, rolling.partition);
  const { maxUnavailable } = rolling;
  if (maxUnavailable === undefined) return errors;
  const at = `${path}.maxUnavailable`;
  return [
    ...errors,
    ...validateIntOrPercent(maxUnavailable, at),
    ...(intOrPercentIsZero(maxUnavailable) ? [invalidValue(at, maxUnavailable, 'cannot be 0')] : []),
    ...notOver100Percent(maxUnavailable, at),
  ];
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
  const rest = (spec: object | undefined) =>
    Object.fromEntries(Object.entries(spec ?? {}).filter(([key]) => !(mutable as readonly string[]).includes(key)));
  const errors = validateSpec(specOf(next), true);
  if (sameStored('apps', 'StatefulSet', { spec: rest(next.spec) }, { spec: rest(old.spec) })) return errors;
  return [
    ...errors,
    forbiddenField(
      'spec',
      `updates to statefulset spec for fields other than ${mutable
        .slice(0, -1)
        .map((field) => `'${field}'`)
        .join(', ')} and 'minReadySeconds' are forbidden`,
    ),
  ];
}
