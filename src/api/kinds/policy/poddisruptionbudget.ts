import { pathSegmentFaults } from '../../../machinery/text/names.ts';
import type { FieldError } from '../../errors.ts';
import { invalidValue } from '../../fields.ts';
import type { PodDisruptionBudget } from '../../generated/types.ts';
import { internal } from '../../internal.ts';
import type { KindBehaviour } from '../../kind.ts';
import { validateConditions } from '../../validation/conditions.ts';
import { validateMaxUnavailable } from '../../validation/int-or-percent.ts';
import { nameRule } from '../../validation/metadata.ts';
import { notNegative, oneOfThese, set, struct } from '../../validation/rules.ts';
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
    // Kubernetes has no more rules for its metadata.
    nameRule: nameRule(pathSegmentFaults),
    plainFinalizers: true,
    metadataLast: true,
    metadataOnUpdate: [],
    validate: (b) => validate(b.spec ?? {}),
    subresources: { status: { validateUpdate: (next) => status(next.status, 'status') } },
  },
};

const eviction = set(oneOfThese('AlwaysAllow', 'IfHealthyBudget'));

function validate(spec: NonNullable<PodDisruptionBudget['spec']>): FieldError[] {
  const { minAvailable, maxUnavailable, selector, unhealthyPodEvictionPolicy } = spec;
  const errors: FieldError[] = [];
  if (minAvailable !== undefined && maxUnavailable !== undefined)
    errors.push(
      invalidValue(
        'spec',
        internal('policy.PodDisruptionBudgetSpec', spec),
        'minAvailable and maxUnavailable cannot be both set',
      ),
    );
  return [
    ...errors,
    ...validateMaxUnavailable(minAvailable, 'spec.minAvailable'),
    ...validateMaxUnavailable(maxUnavailable, 'spec.maxUnavailable'),
    ...validateLabelSelector(selector, 'spec.selector'),
    ...eviction(unhealthyPodEvictionPolicy, 'spec.unhealthyPodEvictionPolicy'),
  ];
}

const status = struct({
  conditions: validateConditions,
  disruptionsAllowed: notNegative,
  currentHealthy: notNegative,
  desiredHealthy: notNegative,
  expectedPods: notNegative,
});
