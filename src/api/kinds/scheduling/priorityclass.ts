import type { FieldError } from '../../errors.ts';
import { forbiddenField, unchanged } from '../../fields.ts';
import type { PriorityClass } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { choice } from '../../validation/rules.ts';

/** Values above are the system's. */
const highest = 1_000_000_000;
const system: Readonly<Record<string, number>> = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
};

export const priorityClass: KindBehaviour<PriorityClass> = {
  cells: {
    Value: (c) => c.value,
    'Global-Default': (c) => c.globalDefault ?? false,
    PreemptionPolicy: (c) => c.preemptionPolicy ?? '',
  },
  strategy: {
    setDefaults(c) {
      c.preemptionPolicy ??= 'PreemptLowerPriority';
    },
    prepareForCreate(c) {
      c.metadata.generation = 1;
    },
    validate,
    validateUpdate: (next, old) => [
      ...(next.value === old.value ? [] : [forbiddenField('value', 'may not be changed in an update.')]),
      ...unchanged('preemptionPolicy', next.preemptionPolicy, old.preemptionPolicy),
    ],
  },
};

const policy = choice('PreemptLowerPriority', 'Never');
const prefix = 'system-';

function validate(c: PriorityClass): FieldError[] {
  const { name } = c.metadata;
  const errors: FieldError[] = [];
  if (name?.startsWith(prefix)) {
    const fault = systemFault(c);
    if (fault)
      errors.push(
        forbiddenField(
          'metadata.name',
          `priority class names with '${prefix}' prefix are reserved for system use only. error: ${fault}`,
        ),
      );
  } else if (c.value > highest)
    errors.push(forbiddenField('value', `maximum allowed value of a user defined priority is ${highest}`));
  return [...errors, ...policy(c.preemptionPolicy, 'preemptionPolicy')];
}

function systemFault({ metadata: { name }, value, globalDefault }: PriorityClass): string | undefined {
  if (!Object.hasOwn(system, name)) return `${name} is not a known system priority class`;
  if (system[name] !== value) return `value of ${name} PriorityClass must be ${system[name]}`;
  return globalDefault ? `globalDefault of ${name} PriorityClass must be false` : undefined;
}
