import { defaultPodTemplate } from '../../defaults/pod-spec.ts';
import type { FieldError } from '../../errors.ts';
import {
  forbiddenField,
  invalidValue,
  nonNegative,
  notSupported,
  required,
  sameValue,
  unchanged,
} from '../../fields.ts';
import type { Deployment } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { intOrPercentIsZero, validateIntOrPercent, validateMaxUnavailable } from '../../validation/int-or-percent.ts';
import { validateWorkloadTemplate } from '../../validation/pod/template.ts';
import { validateOwnSelector } from '../../validation/selector.ts';
import { templateCells } from '../cells.ts';

const progressSeconds = 600;

export const deployment: KindBehaviour<Deployment> = {
  hasGeneration: true,
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
    prepareForUpdate(next, old) {
      // Annotations count, because controllers of deployments act on them.
      if (!sameValue(next.metadata.annotations ?? {}, old.metadata.annotations ?? {}))
        next.metadata.generation = (old.metadata.generation ?? 0) + 1;
    },
    validate,
    validateUpdate: (next, old) => unchanged('spec.selector', next.spec?.selector, old.spec?.selector),
  },
};

function validate(d: Deployment): FieldError[] {
  const spec = d.spec!;
  const errors: FieldError[] = [
    ...nonNegative('spec.replicas', spec.replicas),
    ...validateOwnSelector(spec.selector, spec.template?.metadata?.labels, 'deployment'),
    ...validateWorkloadTemplate(spec.template, 'spec.template', 'ReplicaSet'),
    ...validateStrategy(spec),
    ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...nonNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
    ...nonNegative('spec.progressDeadlineSeconds', spec.progressDeadlineSeconds),
  ];
  if (spec.progressDeadlineSeconds !== undefined && spec.progressDeadlineSeconds <= (spec.minReadySeconds ?? 0))
    errors.push(
      invalidValue(
        'spec.progressDeadlineSeconds',
        spec.progressDeadlineSeconds,
        'must be greater than minReadySeconds',
      ),
    );
  return errors;
}

function validateStrategy(spec: NonNullable<Deployment['spec']>): FieldError[] {
  const path = 'spec.strategy';
  const { type, rollingUpdate } = spec.strategy ?? {};
  if (type === 'Recreate')
    return rollingUpdate
      ? [forbiddenField(`${path}.rollingUpdate`, "may not be specified when strategy `type` is 'Recreate'")]
      : [];
  if (type !== 'RollingUpdate') return [notSupported(`${path}.type`, type, ['Recreate', 'RollingUpdate'])];
  if (!rollingUpdate) return [required(`${path}.rollingUpdate`, 'this should be defaulted and never be nil')];
  const at = `${path}.rollingUpdate`;
  const errors = [
    ...validateMaxUnavailable(rollingUpdate.maxUnavailable, `${at}.maxUnavailable`),
    ...validateIntOrPercent(rollingUpdate.maxSurge, `${at}.maxSurge`),
  ];
  if (intOrPercentIsZero(rollingUpdate.maxUnavailable) && intOrPercentIsZero(rollingUpdate.maxSurge))
    errors.push(
      invalidValue(`${at}.maxUnavailable`, rollingUpdate.maxUnavailable, 'may not be 0 when `maxSurge` is 0'),
    );
  return errors;
}
