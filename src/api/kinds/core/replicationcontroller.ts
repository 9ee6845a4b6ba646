import { mapSelector } from '../../../machinery/label-selector.ts';
import { defaultPodTemplate } from '../../defaults/pod-spec.ts';
import type { FieldError } from '../../errors.ts';
import { invalidValue, nonNegative, required } from '../../fields.ts';
import type { ReplicationController } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { validateLabels } from '../../validation/metadata.ts';
import { validateWorkloadTemplate } from '../../validation/pod/template.ts';
import { labelsText, templateCells } from '../cells.ts';

export const replicationController: KindBehaviour<ReplicationController> = {
  hasGeneration: true,
  cells: {
    Desired: (c) => c.spec?.replicas ?? 0,
    Current: (c) => c.status?.replicas ?? 0,
    Ready: (c) => c.status?.readyReplicas ?? 0,
    ...templateCells,
    Selector: (c) => labelsText(c.spec?.selector),
  },
  selectableFields: { 'status.replicas': (c) => String(c.status?.replicas ?? 0) },
  strategy: {
    setDefaults(c) {
      const spec = (c.spec ??= {} as NonNullable<ReplicationController['spec']>);
      const labels = spec.template?.metadata?.labels;
      if (labels) {
        if (!Object.keys(spec.selector ?? {}).length) spec.selector = { ...labels };
        if (!Object.keys(c.metadata.labels ?? {}).length) c.metadata.labels = { ...labels };
      }
      spec.replicas ??= 1;
      defaultPodTemplate(spec.template);
    },
    validate,
  },
};

function validate(c: ReplicationController): FieldError[] {
  const { selector, template, replicas, minReadySeconds } = c.spec!;
  const errors = [...nonNegative('spec.replicas', replicas), ...nonNegative('spec.minReadySeconds', minReadySeconds)];
  if (!Object.keys(selector ?? {}).length) errors.push(required('spec.selector'));
  else errors.push(...validateLabels(selector, 'spec.selector'));
  if (!template) return [...errors, required('spec.template')];
  const labels = template.metadata?.labels;
  if (Object.keys(selector ?? {}).length && !mapSelector(selector).matches(labels))
    errors.push(invalidValue('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'));
  return [...errors, ...validateWorkloadTemplate(template, 'spec.template', 'ReplicationController')];
}
