import { dns1123LabelFaults } from '../../../machinery/text/names.ts';
import type { FieldError } from '../../errors.ts';
import { duplicate, unchanged } from '../../fields.ts';
import type { RuntimeClass, Toleration } from '../../generated/types.ts';
import { internal } from '../../internal.ts';
import type { KindBehaviour } from '../../kind.ts';
import { validateLabels } from '../../validation/metadata.ts';
import { nodeLabelWarning } from '../../validation/node-labels.ts';
import { validateContainerResources } from '../../validation/pod/resources.ts';
import { validateTolerations } from '../../validation/pod/tolerations.ts';
import { needed, text } from '../../validation/rules.ts';

export const runtimeClass: KindBehaviour<RuntimeClass> = {
  cells: { Handler: (c) => c.handler },
  strategy: {
    allowCreateOnUpdate: true,
    allowUnconditionalUpdate: false,
    plainFinalizers: true,
    metadataOnUpdate: ['whole', 'change'],
    validate,
    validateUpdate: (next, old) => [...validate(next), ...unchanged('handler', next.handler ?? '', old.handler ?? '')],
    warnings: (c) =>
      Object.keys(c.scheduling?.nodeSelector ?? {}).flatMap((key) => {
        const warning = nodeLabelWarning(key);
        return warning ? [`scheduling.nodeSelector: ${warning}`] : [];
      }),
  },
};

const handler = needed(text(dns1123LabelFaults));
const noClaims: ReadonlySet<string> = new Set();

function validate(c: RuntimeClass): FieldError[] {
  const { overhead, scheduling } = c;
  return [
    ...handler(c.handler, 'handler'),
    ...(overhead ? validateContainerResources({ limits: overhead.podFixed }, 'overhead', noClaims) : []),
    ...validateLabels(scheduling?.nodeSelector, 'scheduling.nodeSelector'),
    ...validateTolerationSet(scheduling?.tolerations ?? [], 'scheduling.tolerations'),
  ];
}

/** Distinct tolerations. */
function validateTolerationSet(tolerations: readonly Toleration[], path: string): FieldError[] {
  const seen = new Set<string>();
  return [
    ...validateTolerations(tolerations, path),
    ...tolerations.flatMap((toleration, index) => {
      const { key = '', operator = '', value = '', effect = '' } = toleration;
      const identity = JSON.stringify([key, operator, value, effect]);
      if (seen.has(identity)) return [duplicate(`${path}[${index}]`, internal('core.Toleration', toleration))];
      seen.add(identity);
      return [];
    }),
  ];
}
