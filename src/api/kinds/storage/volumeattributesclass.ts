import { forbiddenField, sameValue } from '../../fields.ts';
import type { VolumeAttributesClass } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { provisioner, someParameters } from '../../validation/provisioner.ts';
import { struct } from '../../validation/rules.ts';

const rules = struct({ driverName: provisioner, parameters: someParameters });

export const volumeAttributesClass: KindBehaviour<VolumeAttributesClass> = {
  answersDeleted: true,
  cells: { DriverName: (c) => c.driverName },
  strategy: {
    metadataOnUpdate: ['change', 'whole'],
    validate: (c) => rules(c, ''),
    validateUpdate: (next, old) => [
      ...(['driverName', 'parameters'] as const)
        .filter((field) => !sameValue(next[field] ?? null, old[field] ?? null))
        .map((field) => forbiddenField(field, `updates to ${field} are forbidden.`)),
      ...rules(next, ''),
    ],
  },
};
