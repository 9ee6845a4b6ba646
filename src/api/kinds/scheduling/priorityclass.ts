import type { FieldError } from '../../errors.ts';
import { forbiddenField, oneOf } from '../../fields.ts';
import type { PriorityClass } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';

/** Values above are the system's. */
const highest = 1_000_000_000;
const system: Readonly<Record<string, number>> = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
};

export const priorityClass: KindBehaviour<PriorityClass> = {
  hasGeneration: true,
  cells: {
    Value: (c) => c.value,
    'Global-Default': (c) => c.globalDefault ?? false,
    PreemptionPolicy: (c) => c.preemptionPolicy ?? '',
  },
  strategy: {
    setDefaults(c) {
      c.preemptionPolicy ??= 'PreemptLowerPriority';
    },
    validate,
    validateUpdate(next, old) {
      const errors: FieldError[] = [];
      const message = 'may not be changed in an update.';
      if (next.value !== old.value) errors.push(forbiddenField('value', message));
      if (next.preemptionPolicy !== old.preemptionPolicy)
        errors.push({
          type: 'FieldValueInvalid',
          field: 'preemptionPolicy',
          message: `Invalid value: ${JSON.stringify(next.preemptionPolicy)}: field is immutable`,
        });
      return errors;
    },
  },
};

function validate(c: PriorityClass): FieldError[] {
  const errors: FieldError[] = [];
  const { name } = c.metadata;
  if (name.startsWith('system-')) {
    if (!(name in system))
      errors.push(
        forbiddenField(
          'metadata.name',
          `priority class names with 'system-' prefix are reserved for system use only. error: ${name} is not a known system priority class`,
        ),
      );
    else if (system[name] !== c.value)
      errors.push(
        forbiddenField(
          'metadata.name',
          `priority class names with 'system-' prefix are reserved for system use only. error: value of ${name} PriorityClass must be ${system[name]}`,
        ),
      );
  } else if (c.value > highest)
    errors.push(forbiddenField('value', `maximum allowed value of a user defined priority is ${highest}`));
  errors.push(...oneOf('preemptionPolicy', c.preemptionPolicy, ['Never', 'PreemptLowerPriority']));
  return errors;
}
