import { must } from '../../../machinery/must.ts';
import { mapSelector } from '../../../machinery/selectors/label-selector.ts';
import { defaultPodTemplate } from '../../defaults/pod-spec.ts';
import type { FieldError } from '../../errors.ts';
import { invalidValue, nonNegative, required } from '../../fields.ts';
import type { ReplicationController } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { countedByName } from '../../objects/resource-usage.ts';
import { specOf } from '../../spec-of.ts';
import { declaredNames } from '../../validation/metadata.ts';
import { validatePodTemplate } from '../../validation/pod/template.ts';
import { isEmpty } from '../../validation/rules.ts';
import {
  dropDisabledTemplateFields,
  nameWarnings,
  templateWarnings,
  validateReplicas,
  validateRestart,
} from '../../validation/workload.ts';
import { labelsText, templateCells } from '../cells.ts';

export const replicationController: KindBehaviour<ReplicationController> = {
  podTemplate: 'spec.template',
  storagePrefix: 'controllers',
  quota: countedByName('replicationcontrollers'),
  selectsByMap: true,
  hasGeneration: true,
  emptyFields: 'validated',
  cells: {
    Desired: (c) => c.spec?.replicas ?? 0,
    Current: (c) => c.status?.replicas ?? 0,
    Ready: (c) => c.status?.readyReplicas ?? 0,
    ...templateCells,
    Selector: (c) => labelsText(c.spec?.selector),
  },
  selectableFields: { 'status.replicas': (c) => String(c.status?.replicas ?? 0) },
  strategy: {
    nameRule: declaredNames,
    defaultPropagation: 'orphan',
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
    prepareForCreate: (c) => dropDisabledTemplateFields(c.spec?.template),
    prepareForUpdate: (next, old) => dropDisabledTemplateFields(next.spec?.template, old.spec?.template),
    validate,
    // Kubernetes warns of an update's old template.
    warnings: (c, old) => [
      ...nameWarnings(c.metadata, Boolean(old)),
      ...templateWarnings(c, old, (old ?? c).spec?.template),
    ],
    subresources: {
      status: {
        validateUpdate: ({ status }) => validateReplicas(status),
      },
    },
  },
};

function validate(c: ReplicationController): FieldError[] {
  const { selector, template, replicas, minReadySeconds } = specOf(c);
  const path = 'spec.template';
  const hasSelector = !isEmpty(selector);
  const errors = [
    ...nonNegative('spec.minReadySeconds', minReadySeconds),
    ...(hasSelector ? [] : [required('spec.selector')]),
    ...nonNegative('spec.replicas', replicas),
  ];
  if (!template) return [...errors, required(path)];
  const labels = template.metadata?.labels;
  if (hasSelector && !mapSelector(must(selector, 'selector')).matches(labels))
    errors.push(invalidValue(`${path}.metadata.labels`, labels, '`selector` does not match template `labels`'));
  return [
    ...errors,
    ...validatePodTemplate(template, path),
    ...validateRestart(template, path, 'ReplicationController'),
  ];
}
