import type { FieldError } from '../../errors.ts';
import { invalidValue, oneOf } from '../../fields.ts';
import type { PodDisruptionBudget } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { validateMaxUnavailable } from '../../validation/int-or-percent.ts';
import { validateLabelSelector } from '../../validation/selector.ts';

const text = (value: number | string | undefined) => (value === undefined ? 'N/A' : String(value));

export const podDisruptionBudget: KindBehaviour<PodDisruptionBudget> = {
  hasGeneration: true,
  cells: {
    'Min Available': (b) => text(b.spec?.minAvailable),
    'Max Unavailable': (b) => text(b.spec?.maxUnavailable),
    'Allowed Disruptions': (b) => b.status?.disruptionsAllowed ?? 0,
  },
  strategy: {
    allowUnconditionalUpdate: false,
    validate(b) {
      const { minAvailable, maxUnavailable, selector, unhealthyPodEvictionPolicy } = b.spec ?? {};
      const errors: FieldError[] = [];
      if (minAvailable !== undefined && maxUnavailable !== undefined)
        errors.push(invalidValue('spec', internal(b), 'minAvailable and maxUnavailable cannot be both set'));
      return [
        ...errors,
        ...validateMaxUnavailable(minAvailable, 'spec.minAvailable'),
        ...validateMaxUnavailable(maxUnavailable, 'spec.maxUnavailable'),
        ...validateLabelSelector(selector, 'spec.selector'),
        ...oneOf('spec.unhealthyPodEvictionPolicy', unhealthyPodEvictionPolicy, ['AlwaysAllow', 'IfHealthyBudget']),
      ];
    },
  },
};

const internal = ({ spec }: PodDisruptionBudget) => ({
  MinAvailable: spec?.minAvailable ?? null,
  Selector: spec?.selector ?? null,
  MaxUnavailable: spec?.maxUnavailable ?? null,
  UnhealthyPodEvictionPolicy: spec?.unhealthyPodEvictionPolicy ?? null,
});
