import { byteLength, configMapKeyFaults } from '../../../machinery/text/names.ts';
import type { FieldError } from '../../errors.ts';
import { forbiddenField, invalidValue, invalidValues, sameValue, tooLong } from '../../fields.ts';
import type { ConfigMap } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { countedByName } from '../../objects/resource-usage.ts';
import { byteCount } from './byte-count.ts';

const maxBytes = 1024 * 1024;

export const configMap: KindBehaviour<ConfigMap> = {
  quota: countedByName('configmaps'),
  cells: { Data: (map) => Object.keys(map.data ?? {}).length + Object.keys(map.binaryData ?? {}).length },
  strategy: { allowCreateOnUpdate: false, metadataOnUpdate: ['change', 'whole'], validate, validateUpdate },
};

function validate(map: ConfigMap): FieldError[] {
  const errors: FieldError[] = [];
  let size = 0;
  for (const [key, value] of Object.entries(map.data ?? {})) {
    const faults = configMapKeyFaults(key);
    if (faults.length) errors.push(...invalidValues(`data[${key}]`, key, faults));
    if (map.binaryData && Object.hasOwn(map.binaryData, key))
      errors.push(invalidValue(`data[${key}]`, key, 'duplicate of key present in binaryData'));
    size += byteLength(value);
  }
  for (const [key, value] of Object.entries(map.binaryData ?? {})) {
    errors.push(...invalidValues(`binaryData[${key}]`, key, configMapKeyFaults(key)));
    size += byteCount(value);
  }
  // Kubernetes names no field here.
  if (size > maxBytes) errors.push(tooLong('', maxBytes));
  return errors;
}

function validateUpdate(next: ConfigMap, old: ConfigMap): FieldError[] {
  if (!old.immutable) return validate(next);
  const errors: FieldError[] = [];
  const message = 'field is immutable when `immutable` is set';
  if (!next.immutable) errors.push(forbiddenField('immutable', message));
  if (!sameValue(next.data ?? {}, old.data ?? {})) errors.push(forbiddenField('data', message));
  if (!sameValue(next.binaryData ?? {}, old.binaryData ?? {})) errors.push(forbiddenField('binaryData', message));
  return [...errors, ...validate(next)];
}
