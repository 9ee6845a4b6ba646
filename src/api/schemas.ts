// The schemas of all built-in types, parsed and linked once, on first use (a few milliseconds).

import type { Schema } from '../machinery/schema.ts';
import { schemaText } from './generated/schema.ts';

type Raw = { -readonly [K in keyof Schema]: Schema[K] } & {
  $ref?: string;
  properties?: Record<string, Raw>;
  items?: Raw;
  additionalProperties?: Raw | boolean;
};

interface Linked {
  readonly schemas: Readonly<Record<string, Schema>>;
  /** "group/version/Kind" -> name. */
  readonly kinds: Readonly<Record<string, string>>;
}

const emptyStruct = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceSubresourceStatus';

let linked: Linked | undefined;

function load(): Linked {
  if (linked) return linked;
  const { schemas, kinds } = JSON.parse(schemaText) as { schemas: Record<string, Raw>; kinds: Record<string, string> };
  for (const [name, schema] of Object.entries(schemas)) schema.name = name;
  // A struct without fields is published like a value of any form.
  schemas[emptyStruct].properties ??= {};
  for (const schema of Object.values(schemas)) link(schema, schemas);
  linked = { schemas, kinds };
  return linked;
}

/** Replaces references by the named types; keywords beside the reference (a default, presence) win. */
function link(schema: Raw, named: Record<string, Raw>): void {
  for (const key in schema.properties) schema.properties[key] = resolve(schema.properties[key], named);
  if (schema.items) schema.items = resolve(schema.items, named);
  if (typeof schema.additionalProperties === 'object')
    schema.additionalProperties = resolve(schema.additionalProperties, named);
}

function resolve(schema: Raw, named: Record<string, Raw>): Raw {
  if (!schema.$ref) {
    link(schema, named);
    return schema;
  }
  const { $ref, ...own } = schema;
  const target = named[$ref];
  return Object.keys(own).length === 0 ? target : { ...target, ...own };
}

/** The schema of a named type, such as io.k8s.api.core.v1.PodSpec. Throws when there is none. */
export function schemaNamed(name: string): Schema {
  const schema = load().schemas[name];
  if (!schema) throw new Error(`no schema is named ${name}`);
  return schema;
}

/** The schema of a built-in kind, undefined when there is none. */
export function schemaOfKind(group: string, version: string, kind: string): Schema | undefined {
  const { schemas, kinds } = load();
  const name = kinds[`${group}/${version}/${kind}`];
  return name === undefined ? undefined : schemas[name];
}

export const allSchemas = (): Readonly<Record<string, Schema>> => load().schemas;

/** "group/version/Kind" of every built-in kind (options and lists included) -> name of its schema. */
export const schemaKinds = (): Readonly<Record<string, string>> => load().kinds;
