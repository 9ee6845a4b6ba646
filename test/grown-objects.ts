// Objects with one long list or map, generated from the schema, so that every field of every kind is covered.

import type { Kind, Schema } from '../src/api/api.ts';

const deepest = 7;

export type Step = string | 0;

/** Paths of all lists and maps below a schema; a list on the path means its first item. */
export function* growing(
  schema: Schema,
  path: readonly Step[] = [],
  seen: readonly Schema[] = [],
): Generator<readonly Step[]> {
  if (path.length > deepest || seen.includes(schema)) return;
  const within = [...seen, schema];
  if (schema.type === 'array') {
    yield path;
    if (schema.items) yield* growing(schema.items, [...path, 0], within);
  } else if (typeof schema.additionalProperties === 'object') yield path;
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    yield* growing(property, [...path, name], within);
}

export const schemaAt = (schema: Schema, path: readonly Step[]): Schema =>
  path.reduce<Schema>((at, step) => (step === 0 ? at.items! : at.properties![step]), schema);

/** A value of the schema's type with all fields but lists, distinct for each `i`. */
export function sample(schema: Schema, i: number, depth = 0): any {
  if (schema.enum) return schema.enum[0];
  if (schema.intOrString) return 1 + (i % 60_000);
  if (schema.type === 'integer' || schema.type === 'number') return 1 + (i % 60_000);
  if (schema.type === 'boolean') return false;
  if (schema.format === 'quantity') return `${i + 1}`;
  if (schema.type === 'string') return `x${i}`;
  if (schema.type === 'array') return depth < 2 ? [sample(schema.items ?? {}, i, depth + 1)] : [];
  if (!schema.properties) return {};
  const scalars = Object.entries(schema.properties).filter(
    ([name, { type }]) => type !== 'object' || schema.required?.includes(name),
  );
  return Object.fromEntries(scalars.map(([name, property]) => [name, sample(property, i, depth + 1)]));
}

/** As little of an item as the schema allows: the most items for a number of bytes. */
export function least(schema: Schema, i: number): any {
  if (!schema.properties) return sample(schema, i, 2);
  const properties = schema.properties;
  const names = schema.required?.length ? schema.required : 'name' in properties ? ['name'] : [];
  return Object.fromEntries(names.map((name) => [name, least(properties[name] ?? {}, i)]));
}

/** An object of the kind with `size` entries in the list or map at `path`. */
export function objectWith(kind: Kind, path: readonly Step[], size: number, make: typeof sample = sample): object {
  const schema = schemaAt(kind.schema, path);
  const indexes = Array.from({ length: size }, (_, i) => i);
  const grown: any =
    schema.type === 'array'
      ? indexes.map((i) => make(schema.items ?? {}, i))
      : Object.fromEntries(indexes.map((i) => [`x${i}`, make(schema.additionalProperties as Schema, i)]));
  let value = grown;
  for (let at = path.length - 1; at >= 0; at--) {
    const step = path[at];
    if (step === 0) value = [{ name: 'x', ...value }];
    else value = { [step]: value };
  }
  const metadata = { name: 'x', ...value.metadata };
  return {
    apiVersion: kind.group ? `${kind.group}/${kind.version}` : kind.version,
    kind: kind.kind,
    ...value,
    metadata,
  };
}

/** Where objects of the kind are created. */
export function collectionOf({ group, version, namespaced, resource }: Kind): string {
  const root = group ? `/apis/${group}/${version}` : `/api/${version}`;
  return `${root}${namespaced ? '/namespaces/default' : ''}/${resource}`;
}
