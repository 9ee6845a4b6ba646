// https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/

import { labelValueFaults, qualifiedNameFaults } from '../../../machinery/text/names.ts';
import type { FieldError } from '../../errors.ts';
import { invalidValue, invalidValues, notSupported } from '../../fields.ts';
import type { Toleration } from '../../generated/types.ts';

const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

export function validateTolerations(tolerations: readonly Toleration[], path: string): FieldError[] {
  return tolerations.flatMap((toleration, index) => validateToleration(toleration, `${path}[${index}]`));
}

/** Here Kubernetes joins all faults of a value. */
const joined = (faults: readonly string[]): string[] => (faults.length ? [faults.join(';')] : []);

function validateToleration(toleration: Toleration, path: string): FieldError[] {
  const { key = '', operator = '' as string, value = '', effect = '' as string, tolerationSeconds } = toleration;
  const errors: FieldError[] = [];
  if (key) errors.push(...invalidValues(`${path}.key`, key, qualifiedNameFaults(key)));
  else if (operator !== 'Exists')
    errors.push(
      invalidValue(
        `${path}.operator`,
        operator,
        'operator must be Exists when `key` is empty, which means "match all values and all keys"',
      ),
    );
  if (tolerationSeconds !== undefined && effect !== 'NoExecute')
    errors.push(invalidValue(`${path}.effect`, effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"));
  if (operator === '' || operator === 'Equal')
    errors.push(...invalidValues(`${path}.operator`, value, joined(labelValueFaults(value))));
  else if (operator === 'Exists') {
    if (value) errors.push(invalidValue(`${path}.operator`, value, "value must be empty when `operator` is 'Exists'"));
  } else
    errors.push(
      notSupported(
        `${path}.operator`,
        operator,
        // The comparison operators are behind a feature gate that is off.
        operator === 'Lt' || operator === 'Gt' ? ['Equal', 'Exists', 'Lt', 'Gt'] : ['Equal', 'Exists'],
      ),
    );
  if (effect && !effects.includes(effect)) errors.push(notSupported(`${path}.effect`, effect, effects));
  return errors;
}
