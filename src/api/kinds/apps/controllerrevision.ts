import type { FieldError } from '../../errors.ts';
import { nonNegative, required, unchanged } from '../../fields.ts';
import type { ControllerRevision } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { controllerOf } from '../../objects/owners.ts';
import { none } from '../cells.ts';

export const controllerRevision: KindBehaviour<ControllerRevision> = {
  emptyFields: 'validated',
  cells: {
    Controller: (r) => {
      const owner = controllerOf(r);
      if (!owner) return none;
      const group = owner.apiVersion.includes('/') ? `.${owner.apiVersion.split('/')[0]}` : '';
      return `${owner.kind.toLowerCase()}${group}/${owner.name}`;
    },
    Revision: (r) => r.revision,
  },
  strategy: {
    metadataOnUpdate: ['change', 'whole'],
    validate: (r) => [...nonNegative('revision', r.revision), ...validateData(r.data)],
    validateUpdate: (next, old) => [
      ...nonNegative('revision', next.revision),
      ...unchanged('data', next.data, old.data),
    ],
  },
};

function validateData(data: unknown): FieldError[] {
  if (data === undefined || data === null) return [required('data', 'data is mandatory')];
  return typeof data === 'object' && !Array.isArray(data) ? [] : [required('data', 'data must be a valid JSON object')];
}
