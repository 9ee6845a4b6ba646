import { dns1123LabelFaults } from '../../../machinery/names.ts';
import { invalidValues, required, unchanged } from '../../fields.ts';
import type { RuntimeClass } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { validateLabels } from '../../validation/metadata.ts';
import { validateTolerations } from '../../validation/pod/tolerations.ts';

export const runtimeClass: KindBehaviour<RuntimeClass> = {
  cells: { Handler: (c) => c.handler },
  strategy: {
    allowUnconditionalUpdate: false,
    validate: (c) => [
      ...(c.handler ? invalidValues('handler', c.handler, dns1123LabelFaults(c.handler)) : [required('handler')]),
      ...validateLabels(c.scheduling?.nodeSelector, 'scheduling.nodeSelector'),
      ...validateTolerations(c.scheduling?.tolerations ?? [], 'scheduling.tolerations'),
    ],
    validateUpdate: (next, old) => unchanged('handler', next.handler, old.handler),
  },
};
