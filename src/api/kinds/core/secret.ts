import { toBase64 } from '../../../machinery/text/base64.ts';
import { JsonSyntaxError, parseJson } from '../../../machinery/text/json.ts';
import { configMapKeyFaults } from '../../../machinery/text/names.ts';
import type { FieldError } from '../../errors.ts';
import { forbiddenField, immutableField, invalidValues, required, sameValue, tooLong } from '../../fields.ts';
import type { Secret } from '../../generated/types.ts';
import { goTypeOf } from '../../go-values.ts';
import type { KindBehaviour } from '../../kind.ts';
import { countedByName } from '../../objects/resource-usage.ts';
import { byteCount } from './byte-count.ts';

const maxBytes = 1024 * 1024;

/** Keys that a secret of a type must have. https://kubernetes.io/docs/concepts/configuration/secret/#secret-types */
const requiredKeys: Readonly<Record<string, readonly string[]>> = {
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
};

export const secret: KindBehaviour<Secret> = {
  quota: countedByName('secrets'),
  cells: { Type: (s) => s.type ?? '', Data: (s) => Object.keys(s.data ?? {}).length },
  selectableFields: { type: (s) => s.type ?? '' },
  strategy: {
    setDefaults(s) {
      s.type ||= 'Opaque';
      // Write-only: it is merged into data and never read back.
      for (const [key, text] of Object.entries(s.stringData ?? {}))
        (s.data ??= {})[key] = toBase64(new TextEncoder().encode(text));
      delete s.stringData;
    },
    prepareForUpdate(next, old) {
      next.type ||= old.type;
    },
    metadataOnUpdate: ['change', 'whole'],
    validate,
    validateUpdate,
  },
};

function validate(s: Secret): FieldError[] {
  const errors: FieldError[] = [];
  const data = s.data ?? {};
  let size = 0;
  for (const [key, value] of Object.entries(data)) {
    errors.push(...invalidValues(`data[${key}]`, key, configMapKeyFaults(key)));
    size += byteCount(value);
  }
  if (size > maxBytes) errors.push(tooLong('data', maxBytes));
  for (const key of requiredKeys[s.type ?? ''] ?? []) {
    if (key === 'ssh-privatekey' ? !data[key] : !(key in data)) errors.push(required(`data[${key}]`));
    else if (key.startsWith('.docker'))
      errors.push(...invalidValues(`data[${key}]`, '<secret contents redacted>', objectFaults(atob(data[key]))));
  }
  if (s.type === 'kubernetes.io/basic-auth' && !('username' in data) && !('password' in data))
    errors.push(required('data[username]'), required('data[password]'));
  const account = 'kubernetes.io/service-account.name';
  if (s.type === 'kubernetes.io/service-account-token' && !s.metadata.annotations?.[account])
    errors.push(required(`metadata.annotations[${account}]`));
  return errors;
}

/** The error of Go's decoder for a text that is no JSON object. */
function objectFaults(text: string): string[] {
  try {
    const { value } = parseJson(text);
    const isObject = typeof value === 'object' && !Array.isArray(value);
    return isObject ? [] : [`json: cannot unmarshal ${goTypeOf(value)} into Go value of type map[string]interface {}`];
  } catch (error) {
    if (error instanceof JsonSyntaxError) return [error.message];
    throw error;
  }
}

function validateUpdate(next: Secret, old: Secret): FieldError[] {
  const errors: FieldError[] = [];
  if (next.type !== old.type) errors.push(immutableField('type', next.type));
  if (!old.immutable) return [...errors, ...validate(next)];
  const message = 'field is immutable when `immutable` is set';
  if (!next.immutable) errors.push(forbiddenField('immutable', message));
  if (!sameValue(next.data ?? {}, old.data ?? {})) errors.push(forbiddenField('data', message));
  return [...errors, ...validate(next)];
}
