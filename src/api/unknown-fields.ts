import { getOwn } from '../machinery/collections/own.ts';
import { fieldsIn } from '../machinery/parsed.ts';
import type { Schema } from '../machinery/schema.ts';

/** Kubernetes reports at most a hundred distinct unknown fields. */
const mostUnknown = 100;

/** Paths of the fields outside the schema, in order. */
export function unknownFields(schema: Schema, value: unknown, path = '', found = new Set<string>()): string[] {
  collectUnknown(schema, value, path, found);
  return [...found];
}

function collectUnknown(schema: Schema, value: unknown, path: string, found: Set<string>): void {
  if (typeof value !== 'object' || value === null || schema.preserveUnknownFields || found.size >= mostUnknown) return;
  // Kubernetes decodes unions separately, and ignores their unknown fields.
  if (schema.union) return;
  if (Array.isArray(value)) {
    if (schema.items)
      for (const [i, item] of value.entries()) collectUnknown(schema.items, item, `${path}[${i}]`, found);
    return;
  }
  // Pairs of all keys take longer than the first hundred.
  const fields = fieldsIn(value);
  for (const key of Object.keys(fields)) {
    if (found.size >= mostUnknown) return;
    const inner = fields[key];
    const at = path ? `${path}.${key}` : key;
    if (schema.properties) {
      const field = getOwn(schema.properties, key);
      if (field) collectUnknown(field, inner, at, found);
      else found.add(at);
    } else if (typeof schema.additionalProperties === 'object')
      collectUnknown(schema.additionalProperties, inner, at, found);
  }
}
