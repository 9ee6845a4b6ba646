import type { Fields } from '../parsed.ts';
import type { Schema } from '../schema.ts';

const zeroValues = new WeakMap<Schema, Fields>();

/** An empty object of the type: only the fields that are always written. */
export function zeroValue(schema: Schema): Fields {
  let zero = zeroValues.get(schema);
  if (zero) return zero;
  zero = { metadata: {} };
  zeroValues.set(schema, zero);
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (name === 'apiVersion' || name === 'kind' || name === 'metadata') continue;
    if (property.default !== undefined) fillZero(zero, name, property);
  }
  return zero;
}

function fillZero(into: Fields, name: string, schema: Schema): void {
  const value = schema.default;
  if (value === '' || value === 0 || value === false) into[name] = value;
  else if (value !== null && typeof value === 'object' && !Array.isArray(value) && Object.keys(value).length === 0) {
    const inner: Fields = {};
    into[name] = inner;
    for (const [key, property] of Object.entries(schema.properties ?? {}))
      if (property.default !== undefined) fillZero(inner, key, property);
      else if (property.presence === 'always' && property.type === 'array') inner[key] = [];
  }
}
