// Lists with distinct items (x-kubernetes-list-type: set) or distinct keys (map).

import { fieldsIn } from '../../machinery/parsed.ts';
import type { Schema } from '../../machinery/schema.ts';
import type { FieldError } from '../errors.ts';
import { duplicate, invalidValue } from '../fields.ts';
import { sortKeys } from '../sort.ts';

export function validateListSets(schema: Schema, value: unknown, path = ''): FieldError[] {
  if (typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value)) return validateList(schema, value, path);
  const { properties, additionalProperties } = schema;
  const errors: FieldError[] = [];
  for (const [key, inner] of Object.entries(value)) {
    if (schema.custom && key === 'metadata') continue;
    const part = properties?.[key];
    if (part) errors.push(...validateListSets(part, inner, path ? `${path}.${key}` : key));
    else if (typeof additionalProperties === 'object')
      errors.push(...validateListSets(additionalProperties, inner, `${path}[${key}]`));
  }
  return errors;
}

function validateList(schema: Schema, list: readonly unknown[], path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (schema.listType === 'set') errors.push(...duplicates(list, list, path));
  if (schema.listType === 'map') errors.push(...validateKeyed(schema.listMapKeys ?? [], list, path));
  if (schema.items)
    for (const [index, item] of list.entries())
      errors.push(...validateListSets(schema.items, item, `${path}[${index}]`));
  return errors;
}

function validateKeyed(keys: readonly string[], list: readonly unknown[], path: string): FieldError[] {
  const odd = list.findIndex((item) => item !== null && (typeof item !== 'object' || Array.isArray(item)));
  if (odd >= 0) return [invalidValue(`${path}[${odd}]`, list[odd], 'must be an object for an array of list-type map')];
  const identity = (item: unknown) => {
    const fields = fieldsIn(item);
    return Object.fromEntries(keys.filter((key) => fields[key] !== undefined).map((key) => [key, fields[key]]));
  };
  return duplicates(list.map(identity), list, path);
}

/** A duplicate value is reported once, at its second occurrence. */
function duplicates(values: readonly unknown[], list: readonly unknown[], path: string): FieldError[] {
  if (list.length < 2) return [];
  const seen = new Map<string, number>();
  const errors: FieldError[] = [];
  for (const [index, value] of values.entries()) {
    const text = textOf(value);
    const times = seen.get(text) ?? 0;
    if (times === 1) errors.push(duplicate(`${path}[${index}]`, value));
    seen.set(text, times + 1);
  }
  return errors;
}

const textOf = (value: unknown) => (typeof value === 'bigint' ? String(value) : JSON.stringify(sortKeys(value)));
