import { nonNegative, required, unchanged } from '../../fields.ts';
import type { ControllerRevision } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { none } from '../cells.ts';

export const controllerRevision: KindBehaviour<ControllerRevision> = {
  cells: {
    Controller: (r) => {
      const owner = r.metadata.ownerReferences?.find(({ controller }) => controller);
      if (!owner) return none;
      const group = owner.apiVersion.includes('/') ? `.${owner.apiVersion.split('/')[0]}` : '';
      return `${owner.kind.toLowerCase()}${group}/${owner.name}`;
    },
    Revision: (r) => r.revision,
  },
  strategy: {
    validate: (r) => [
      ...(r.data === undefined || r.data === null ? [required('data')] : []),
      ...nonNegative('revision', r.revision),
    ],
    validateUpdate: (next, old) => unchanged('data', next.data, old.data),
  },
};
