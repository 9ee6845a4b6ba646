import type { FieldError } from '../../errors.ts';
import { invalidValue, nonNegative } from '../../fields.ts';
import type { Lease } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';

export const lease: KindBehaviour<Lease> = {
  cells: { Holder: (l) => l.spec?.holderIdentity ?? '' },
  strategy: {
    allowCreateOnUpdate: true,
    allowUnconditionalUpdate: false,
    validate(l) {
      const errors: FieldError[] = [];
      const seconds = l.spec?.leaseDurationSeconds;
      if (seconds !== undefined && seconds <= 0)
        errors.push(invalidValue('spec.leaseDurationSeconds', seconds, 'must be greater than 0'));
      errors.push(...nonNegative('spec.leaseTransitions', l.spec?.leaseTransitions));
      return errors;
    },
  },
};
