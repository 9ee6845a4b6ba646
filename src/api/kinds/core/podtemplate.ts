import { defaultPodTemplate } from '../../defaults/pod-spec.ts';
import type { PodTemplate } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { validatePodTemplate } from '../../validation/pod/template.ts';
import { dropDisabledTemplateFields, templateWarnings } from '../../validation/workload.ts';
import { containerImages, containerNames, labelsText } from '../cells.ts';

export const podTemplate: KindBehaviour<PodTemplate> = {
  podTemplate: 'template',
  answersDeleted: true,
  emptyFields: 'validated',
  hasGeneration: true,
  cells: {
    Containers: (t) => containerNames(t.template?.spec),
    Images: (t) => containerImages(t.template?.spec),
    'Pod Labels': (t) => labelsText(t.template?.metadata?.labels),
  },
  strategy: {
    setDefaults: (t) => defaultPodTemplate(t.template),
    prepareForCreate: (t) => dropDisabledTemplateFields(t.template),
    prepareForUpdate: (next, old) => dropDisabledTemplateFields(next.template, old.template),
    validate: (t) => validatePodTemplate(t.template, 'template'),
    warnings: (t, old) => templateWarnings(t, old, t.template, 'template'),
  },
};
