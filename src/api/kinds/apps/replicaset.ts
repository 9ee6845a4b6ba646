import { defaultPodTemplate } from '../../defaults/pod-spec.ts';
import type { FieldError } from '../../errors.ts';
import { nonNegative } from '../../fields.ts';
import type { ReplicaSet } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { specOf } from '../../spec-of.ts';
import { unchangedSelector, validateOwnSelector } from '../../validation/selector.ts';
import {
  dropDisabledTemplateFields,
  nameWarnings,
  templateWarnings,
  validateOwnTemplate,
  validateReplicas,
} from '../../validation/workload.ts';
import { templateCells } from '../cells.ts';

export const replicaSet: KindBehaviour<ReplicaSet> = {
  podTemplate: 'spec.template',
  emptyFields: 'validated',
  hasGeneration: true,
  cells: {
    Desired: (s) => s.spec?.replicas ?? 0,
    Current: (s) => s.status?.replicas ?? 0,
    Ready: (s) => s.status?.readyReplicas ?? 0,
    ...templateCells,
  },
  selectableFields: { 'status.replicas': (s) => String(s.status?.replicas ?? 0) },
  strategy: {
    setDefaults(s) {
      const spec = (s.spec ??= {} as NonNullable<ReplicaSet['spec']>);
      spec.replicas ??= 1;
      defaultPodTemplate(spec.template);
    },
    prepareForCreate: (s) => dropDisabledTemplateFields(s.spec?.template),
    prepareForUpdate: (next, old) => dropDisabledTemplateFields(next.spec?.template, old.spec?.template),
    validate,
    validateUpdate: (next, old) => [...validate(next), ...unchangedSelector(next.spec?.selector, old.spec?.selector)],
    warnings: (s, old) => [...nameWarnings(s.metadata, Boolean(old)), ...templateWarnings(s, old, s.spec?.template)],
    subresources: {
      status: {
        validateUpdate: ({ status }) => validateReplicas(status),
      },
    },
  },
};

function validate(set: ReplicaSet): FieldError[] {
  const spec = specOf(set);
  return [
    ...nonNegative('spec.replicas', spec.replicas),
    ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
    // Kubernetes uses this wrong name.
    ...validateOwnSelector(spec.selector, 'spec.selector', 'deployment'),
    ...validateOwnTemplate(spec.template, spec.selector, 'spec.template', 'ReplicaSet'),
  ];
}
