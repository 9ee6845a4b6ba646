import type { Fields } from '../parsed.ts';
import type { Schema } from '../schema.ts';

const zeroValues = new WeakMap<Schema, Fields>();

/** An empty object of the type: only the fields that are always written. A custom resource has none. */
export function zeroValue(schema: Schema): Fields {
  let zero = zeroValues.get(schema);
  if (zero) return zero;
  const { apiVersion: _, kind: __, metadata: ___, ...fields } = zeroFields(schema);
  zero = { metadata: {}, ...fields };
  zeroValues.set(schema, zero);
  return zero;
}

function zeroFields({ properties = {} }: Schema): Fields {
  const zero: Fields = {};
  for (const [name, property] of Object.entries(properties))
    if (property.presence === 'always') zero[name] = zeroOf(property);
    else if (property.presence === 'nullable') zero[name] = null;
  return zero;
}

/** The zero value that Go writes for an absent field. */
export function zeroOf(schema: Schema): unknown {
  if (schema.intOrString) return 0;
  if (schema.preserveUnknownFields || schema.union) return null;
  switch (schema.type) {
    case 'object':
      return schema.properties ? zeroFields(schema) : null;
    case 'string':
      if (schema.format === 'quantity') return '0';
      return schema.format === 'date-time' || schema.format === 'micro-time' || schema.format === 'byte' ? null : '';
    case 'integer':
    case 'number':
      return 0;
    case 'boolean':
      return false;
    default:
      return null;
  }
}
