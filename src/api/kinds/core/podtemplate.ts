import { defaultPodTemplate } from '../../defaults/pod-spec.ts';
import type { PodTemplate } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { validatePodTemplate } from '../../validation/pod/template.ts';
import { containerImages, containerNames, labelsText } from '../cells.ts';

export const podTemplate: KindBehaviour<PodTemplate> = {
  hasGeneration: true,
  cells: {
    Containers: (t) => containerNames(t.template?.spec),
    Images: (t) => containerImages(t.template?.spec),
    'Pod Labels': (t) => labelsText(t.template?.metadata?.labels),
  },
  strategy: {
    setDefaults: (t) => defaultPodTemplate(t.template),
    validate: (t) => validatePodTemplate(t.template, 'template'),
  },
};
