import type { Lease } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { atLeast, notNegative, set, struct } from '../../validation/rules.ts';

const validateSpec = struct({
  leaseDurationSeconds: set(atLeast(1, 'must be greater than 0')),
  leaseTransitions: set(notNegative),
});

export const lease: KindBehaviour<Lease> = {
  cells: { Holder: (l) => l.spec?.holderIdentity ?? '' },
  strategy: {
    allowCreateOnUpdate: true,
    allowUnconditionalUpdate: false,
    plainFinalizers: true,
    prepareForCreate: dropCoordination,
    prepareForUpdate: dropCoordination,
    validate: (l) => validateSpec(l.spec, 'spec'),
  },
};

/** Drops the fields of coordinated leader election, whose feature gate is off. */
function dropCoordination(l: Lease): void {
  delete l.spec?.strategy;
  delete l.spec?.preferredHolder;
}
