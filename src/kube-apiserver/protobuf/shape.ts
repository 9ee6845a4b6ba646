// The protobuf form of a type's fields, from its schema: numbers, and the form of each value.

import type { Schema } from '../../api/api.ts';

export type Form =
  | { readonly of: 'string' | 'boolean' | 'integer' | 'double' | 'bytes' }
  /** Messages of one or two fields that are text or number in JSON. */
  | { readonly of: 'time' | 'micro-time' | 'quantity' | 'int-or-string' }
  /** JSON text in field 1: RawExtension, FieldsV1, JSON. */
  | { readonly of: 'json' }
  /** A schema, or a list of schemas or strings, or a boolean (CustomResourceDefinitions). */
  | { readonly of: 'schema-or-array' | 'schema-or-bool' }
  | { readonly of: 'message'; readonly schema: Schema }
  | { readonly of: 'list'; readonly items: Form }
  /** A list that is a message with the list in field 1, where Go has a named type of a list. */
  | { readonly of: 'wrapped-list'; readonly items: Form }
  | { readonly of: 'map'; readonly values: Form };

export interface Field {
  readonly number: number;
  readonly name: string;
  readonly form: Form;
}

/** An embedded message in Go: JSON has its fields in the outer object. */
export interface Embedded {
  readonly number: number;
  readonly fields: readonly (Field | Embedded)[];
}

const shapes = new WeakMap<Schema, readonly (Field | Embedded)[]>();

/** The fields of an object type that have a number, ascending. */
export function fieldsOf(schema: Schema): readonly (Field | Embedded)[] {
  const cached = shapes.get(schema);
  if (cached) return cached;
  const entries = Object.entries(schema.properties ?? {}).flatMap(([name, property]) =>
    property.protobuf ? [{ path: property.protobuf.split('.').map(Number), name, form: formOf(property) }] : [],
  );
  const fields = level(entries);
  shapes.set(schema, fields);
  return fields;
}

function level(
  entries: readonly { readonly path: readonly number[]; readonly name: string; readonly form: Form }[],
): (Field | Embedded)[] {
  const embedded = new Map<number, { path: readonly number[]; name: string; form: Form }[]>();
  const fields: (Field | Embedded)[] = [];
  for (const { path, name, form } of entries) {
    const [number, ...rest] = path;
    if (rest.length === 0) fields.push({ number, name, form });
    else embedded.set(number, [...(embedded.get(number) ?? []), { path: rest, name, form }]);
  }
  for (const [number, inner] of embedded) fields.push({ number, fields: level(inner) });
  return fields.sort((a, b) => a.number - b.number);
}

function formOf(schema: Schema): Form {
  if (schema.intOrString) return { of: 'int-or-string' };
  if (schema.union) return { of: schema.union };
  if (schema.type === 'array')
    return { of: schema.goType === 'v1.Verbs' ? 'wrapped-list' : 'list', items: formOf(schema.items ?? {}) };
  if (typeof schema.additionalProperties === 'object')
    return { of: 'map', values: wrapped(formOf(schema.additionalProperties)) };
  if (schema.properties) return { of: 'message', schema };
  switch (schema.format) {
    case 'date-time':
      return { of: 'time' };
    case 'micro-time':
    case 'quantity':
      return { of: schema.format };
    case 'byte':
      return { of: 'bytes' };
  }
  if (schema.type === 'string' || schema.type === 'boolean' || schema.type === 'integer') return { of: schema.type };
  if (schema.type === 'number') return { of: 'double' };
  // A type without fields is an empty message; an arbitrary value is JSON.
  return schema.type === 'object' && !schema.preserveUnknownFields ? { of: 'message', schema } : { of: 'json' };
}

/** A map cannot have lists as values, but messages with a list. */
const wrapped = (form: Form): Form => (form.of === 'list' ? { of: 'wrapped-list', items: form.items } : form);
