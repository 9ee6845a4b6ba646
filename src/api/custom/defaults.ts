// Defaults of custom resources.
// https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#defaulting

import type { Fields } from '../../machinery/parsed.ts';
import type { Schema } from '../../machinery/schema.ts';

/** Fills in defaults, in place. A null stays where it may be one, and gives way to the default elsewhere. */
export function applyDefaults(schema: Schema, value: unknown): void {
  if (schema.hasDefaults === false || typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) return defaultItems(schema, value);
  defaultFields(schema, value as Fields);
}

function defaultFields(schema: Schema, value: Fields): void {
  const { properties = {}, additionalProperties } = schema;
  for (const key in properties) {
    const part = properties[key];
    if (schema.custom && isTypeField(key)) continue;
    if (part.default !== undefined && (value[key] === undefined || isEmptyNull(part, value[key])))
      value[key] = structuredClone(part.default);
    if (value[key] !== undefined) applyDefaults(part, value[key]);
  }
  if (typeof additionalProperties !== 'object') return;
  for (const key of Object.keys(value)) {
    if (properties[key]) continue;
    if (isEmptyNull(additionalProperties, value[key])) value[key] = copyOf(additionalProperties.default);
    applyDefaults(additionalProperties, value[key]);
  }
}

function defaultItems({ items }: Schema, list: unknown[]): void {
  if (!items) return;
  for (const [index, item] of list.entries()) {
    if (isEmptyNull(items, item)) list[index] = copyOf(items.default);
    applyDefaults(items, list[index]);
  }
}

const isTypeField = (key: string) => key === 'apiVersion' || key === 'kind' || key === 'metadata';
const isEmptyNull = (schema: Schema, value: unknown) => value === null && !schema.nullable;
const copyOf = (value: unknown) => (value === undefined ? null : structuredClone(value));
