import { defaultPodTemplate } from '../../defaults/pod-spec.ts';
import type { FieldError } from '../../errors.ts';
import { forbiddenField, invalidValue, nonNegative, notSupported, required, sameValue } from '../../fields.ts';
import type { Deployment } from '../../generated/types.ts';
import { internal } from '../../internal.ts';
import type { KindBehaviour } from '../../kind.ts';
import { specOf } from '../../spec-of.ts';
import { intOrPercentIsZero, notOver100Percent, validateIntOrPercent } from '../../validation/int-or-percent.ts';
import { unchangedSelector, validateOwnSelector } from '../../validation/selector.ts';
import {
  atMost,
  counters,
  dropDisabledTemplateFields,
  nameWarnings,
  templateWarnings,
  validateCollisions,
  validateOwnTemplate,
} from '../../validation/workload.ts';
import { templateCells } from '../cells.ts';

const progressSeconds = 600;

export const deployment: KindBehaviour<Deployment> = {
  podTemplate: 'spec.template',
  hasGeneration: true,
  emptyFields: 'validated',
  cells: {
    Ready: (d) => `${d.status?.readyReplicas ?? 0}/${d.spec?.replicas ?? 0}`,
    'Up-to-date': (d) => d.status?.updatedReplicas ?? 0,
    Available: (d) => d.status?.availableReplicas ?? 0,
    ...templateCells,
  },
  strategy: {
    setDefaults(d) {
      const spec = (d.spec ??= {} as NonNullable<Deployment['spec']>);
      spec.replicas ??= 1;
      spec.strategy ??= {};
      spec.strategy.type ??= 'RollingUpdate';
      if (spec.strategy.type === 'RollingUpdate') {
        spec.strategy.rollingUpdate ??= {};
        spec.strategy.rollingUpdate.maxUnavailable ??= '25%';
        spec.strategy.rollingUpdate.maxSurge ??= '25%';
      }
      spec.revisionHistoryLimit ??= 10;
      spec.progressDeadlineSeconds ??= progressSeconds;
      defaultPodTemplate(spec.template);
    },
    prepareForCreate: (d) => dropDisabledTemplateFields(d.spec?.template),
    prepareForUpdate(next, old) {
      dropDisabledTemplateFields(next.spec?.template, old.spec?.template);
      // Annotations count, because controllers of deployments act on them.
      if (!sameValue(next.metadata.annotations ?? {}, old.metadata.annotations ?? {}))
        next.metadata.generation = (old.metadata.generation ?? 0) + 1;
    },
    validate,
    validateUpdate: (next, old) => [...validate(next), ...unchangedSelector(next.spec?.selector, old.spec?.selector)],
    warnings: (d, old) => [...nameWarnings(d.metadata, Boolean(old)), ...templateWarnings(d, old, d.spec?.template)],
    subresources: {
      status: {
        resetFields: [['metadata', 'labels']],
        prepareForUpdate(next, old) {
          next.metadata = { ...next.metadata, labels: old.metadata.labels };
        },
        validateUpdate: ({ status }, old) => [
          ...statusCounters(status, 'status'),
          ...atMost(status, ['updatedReplicas', 'readyReplicas', 'availableReplicas'], 'replicas', 'status.replicas'),
          ...atMost(status, ['availableReplicas'], 'readyReplicas', 'readyReplicas'),
          ...validateCollisions(status, old.status),
        ],
      },
    },
  },
};

const statusCounters = counters(
  'observedGeneration',
  'replicas',
  'updatedReplicas',
  'readyReplicas',
  'availableReplicas',
  'unavailableReplicas',
  'terminatingReplicas',
  'collisionCount',
);

function validate(d: Deployment): FieldError[] {
  const spec = specOf(d);
  const errors: FieldError[] = [
    ...nonNegative('spec.replicas', spec.replicas),
    ...validateOwnSelector(spec.selector, 'spec.selector', 'deployment'),
    ...validateOwnTemplate(spec.template, spec.selector, 'spec.template', 'ReplicaSet'),
    ...validateStrategy(spec),
    ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...nonNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
    ...nonNegative('spec.progressDeadlineSeconds', spec.progressDeadlineSeconds),
  ];
  const deadline = spec.progressDeadlineSeconds;
  if (deadline !== undefined && deadline <= (spec.minReadySeconds ?? 0))
    errors.push(invalidValue('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds'));
  return errors;
}

function validateStrategy(spec: NonNullable<Deployment['spec']>): FieldError[] {
  const path = 'spec.strategy';
  const { type, rollingUpdate } = spec.strategy ?? {};
  if (type === 'Recreate')
    return rollingUpdate
      ? [forbiddenField(`${path}.rollingUpdate`, "may not be specified when strategy `type` is 'Recreate'")]
      : [];
  if (type !== 'RollingUpdate')
    return [notSupported(path, internal('apps.DeploymentStrategy', spec.strategy), ['Recreate', 'RollingUpdate'])];
  if (!rollingUpdate) return [required(`${path}.rollingUpdate`, 'this should be defaulted and never be nil')];
  const { maxUnavailable, maxSurge } = rollingUpdate;
  const at = `${path}.rollingUpdate`;
  return [
    ...validateIntOrPercent(maxUnavailable, `${at}.maxUnavailable`),
    ...validateIntOrPercent(maxSurge, `${at}.maxSurge`),
    ...(intOrPercentIsZero(maxUnavailable) && intOrPercentIsZero(maxSurge)
      ? [invalidValue(`${at}.maxUnavailable`, maxUnavailable, 'may not be 0 when `maxSurge` is 0')]
      : []),
    ...notOver100Percent(maxUnavailable, `${at}.maxUnavailable`),
  ];
}
