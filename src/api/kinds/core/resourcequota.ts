import { qualifiedNameFaults } from '../../../machinery/names.ts';
import { compareQuantities, parseQuantity } from '../../../machinery/quantity.ts';
import type { FieldError } from '../../errors.ts';
import { invalidValue, invalidValues, required, unchanged } from '../../fields.ts';
import type { ResourceQuota } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';

const text = (quota: ResourceQuota, limits: boolean) =>
  Object.entries((quota.status?.hard ?? {}) as Record<string, string>)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .filter(([name]) => name.startsWith('limits.') === limits)
    .map(([name, hard]) => `${name}: ${(quota.status?.used as any)?.[name] ?? '0'}/${hard}`)
    .join(', ');

const countable =
  /^(pods|services|replicationcontrollers|resourcequotas|secrets|configmaps|persistentvolumeclaims|services\.\w+|count\/.*)$/;
const scopes = [
  'Terminating',
  'NotTerminating',
  'BestEffort',
  'NotBestEffort',
  'PriorityClass',
  'CrossNamespacePodAffinity',
  'VolumeAttributesClass',
];

export const resourceQuota: KindBehaviour<ResourceQuota> = {
  cells: { Request: (q) => text(q, false), Limit: (q) => text(q, true) },
  strategy: {
    validate: (q) => [...validateHard(q), ...validateScopes(q)],
    validateUpdate: (next, old) => unchanged('spec.scopes', next.spec?.scopes, old.spec?.scopes),
  },
};

function validateHard(q: ResourceQuota): FieldError[] {
  return Object.entries((q.spec?.hard ?? {}) as Record<string, string>).flatMap(([name, quantity]) => {
    const path = `spec.hard[${name}]`;
    const errors = invalidValues(path, name, qualifiedNameFaults(name));
    if (compareQuantities(quantity, 0) < 0)
      errors.push(invalidValue(path, quantity, 'must be greater than or equal to 0'));
    if (countable.test(name) && parseQuantity(quantity).nanos % 1_000_000_000n !== 0n)
      errors.push(invalidValue(path, quantity, 'must be an integer'));
    return errors;
  });
}

function validateScopes(q: ResourceQuota): FieldError[] {
  const errors: FieldError[] = [];
  const own = q.spec?.scopes ?? [];
  for (const scope of own)
    if (!scopes.includes(scope)) errors.push(invalidValue('spec.scopes', own, 'unsupported scope'));
  for (const [a, b] of [
    ['Terminating', 'NotTerminating'],
    ['BestEffort', 'NotBestEffort'],
  ])
    if (own.includes(a as never) && own.includes(b as never))
      errors.push(invalidValue('spec.scopes', own, 'conflicting scopes'));
  const path = 'spec.scopeSelector.matchExpressions';
  for (const { scopeName, operator, values } of q.spec?.scopeSelector?.matchExpressions ?? []) {
    if (!scopes.includes(scopeName)) errors.push(invalidValue(`${path}.scopeName`, scopeName, 'unsupported scope'));
    if (operator === 'In' || operator === 'NotIn') {
      if (!values?.length)
        errors.push(
          required(
            `${path}.values`,
            "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
          ),
        );
    } else if (operator === 'Exists' || operator === 'DoesNotExist') {
      if (values?.length)
        errors.push(
          invalidValue(
            `${path}.values`,
            values,
            "must be no value when `operator` is 'Exists' or 'DoesNotExist' for scope selector",
          ),
        );
    } else errors.push(invalidValue(`${path}.operator`, operator, 'not a valid selector operator'));
  }
  return errors;
}
