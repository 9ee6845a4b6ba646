// Static types: one TypeScript interface for each schema of facts/openapi.json, and the table of resources.
import { readFileSync, writeFileSync } from 'node:fs';

interface Schema {
  type?: string;
  format?: string;
  $ref?: string;
  allOf?: Schema[];
  items?: Schema;
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  required?: string[];
  enum?: string[];
  default?: unknown;
  'x-kubernetes-int-or-string'?: boolean;
  'x-kubernetes-group-version-kind'?: { group: string; version: string; kind: string }[];
}

/** Schema names with an equal last part: the first one listed gets the short name. */
const preferred = [
  'io.k8s.api.core.v1.Event',
  'io.k8s.api.core.v1.EventSeries',
  'io.k8s.api.autoscaling.v2.',
  'io.k8s.api.core.v1.',
  'io.k8s.api.authentication.v1.TokenRequest',
];

export function generateTypes(root: string): void {
  const schemas: Record<string, Schema> = JSON.parse(readFileSync(`${root}facts/openapi.json`, 'utf8')).schemas;
  const names = shortNames(Object.keys(schemas));
  const out = ['// Generated from facts/openapi.json by scripts/generate-types.ts. Do not edit.', ''];
  for (const [full, schema] of Object.entries(schemas)) out.push(declaration(full, schema, names));
  out.push(resourceTable(root, schemas, names));
  writeFileSync(`${root}src/api/generated/types.ts`, out.join('\n'));
}

/** io.k8s.api.core.v1.Pod -> Pod; where two share a name, the others carry their group and version. */
function shortNames(all: string[]): Map<string, string> {
  const taken = new Map<string, string>();
  const rank = (name: string) => {
    const found = preferred.findIndex((p) => name.startsWith(p));
    return found < 0 ? preferred.length : found;
  };
  for (const full of [...all].sort((a, b) => rank(a) - rank(b))) {
    const parts = full.split('.');
    const short = parts.at(-1)!;
    const upper = (s: string) => s[0].toUpperCase() + s.slice(1);
    const name = [...taken.values()].includes(short) ? `${upper(parts.at(-3)!)}${upper(parts.at(-2)!)}${short}` : short;
    taken.set(full, name);
  }
  return taken;
}

/** Types without a schema, by their form in stored objects: decoding turns numbers into quantities. */
const shapeless: Readonly<Record<string, string>> = {
  Quantity: 'string',
  JSONSchemaPropsOrArray: 'JSONSchemaProps | JSONSchemaProps[]',
  JSONSchemaPropsOrBool: 'JSONSchemaProps | boolean',
  JSONSchemaPropsOrStringArray: 'JSONSchemaProps | string[]',
};

function declaration(full: string, schema: Schema, names: Map<string, string>): string {
  const name = names.get(full)!;
  if (name === 'ObjectMeta') return objectMeta(schema, names);
  if (!schema.properties) return `export type ${name} = ${shapeless[name] ?? typeOf(schema, names)};\n`;
  const topLevel = schema['x-kubernetes-group-version-kind'] && schema.properties['metadata'];
  const lines = Object.entries(schema.properties).map(([key, property]) => {
    // The server always writes fields with a default; a top-level object always has metadata.
    const always = schema.required?.includes(key) || property.default !== undefined || (topLevel && key === 'metadata');
    return `  ${quote(key)}${always ? '' : '?'}: ${typeOf(property, names)};`;
  });
  return `export interface ${name} {\n${lines.join('\n')}\n}\n`;
}

/** A stored object always has these four fields; `Draft` is the type of an object to write. */
function objectMeta(schema: Schema, names: Map<string, string>): string {
  const stored = ['name', 'uid', 'resourceVersion', 'creationTimestamp'];
  const lines = Object.entries(schema.properties!).map(
    ([key, property]) => `  ${key}${stored.includes(key) ? '' : '?'}: ${typeOf(property, names)};`,
  );
  return `export interface ObjectMeta {\n${lines.join('\n')}\n}\n`;
}

function typeOf(schema: Schema, names: Map<string, string>): string {
  const ref = schema.$ref ?? schema.allOf?.[0]?.$ref;
  if (ref) return names.get(ref.split('/').at(-1)!) ?? 'unknown';
  if (schema['x-kubernetes-int-or-string'] || schema.format === 'int-or-string') return 'number | string';
  if (schema.enum) return schema.enum.map((v) => JSON.stringify(v)).join(' | ');
  switch (schema.type) {
    case 'array':
      return `${wrap(typeOf(schema.items!, names))}[]`;
    case 'integer':
    case 'number':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'string':
      return 'string';
    case 'object':
      if (typeof schema.additionalProperties === 'object')
        return `{ [key: string]: ${typeOf(schema.additionalProperties, names)} }`;
      return '{ [key: string]: unknown }';
    default:
      return 'unknown';
  }
}

const wrap = (type: string) => (type.includes('|') ? `(${type})` : type);
const quote = (key: string) => (/^[A-Za-z_$][\w$]*$/.test(key) ? key : JSON.stringify(key));

/** `Resources` maps a resource's name to its type: a bare plural in its main group, `plural.group` otherwise. */
function resourceTable(root: string, schemas: Record<string, Schema>, names: Map<string, string>): string {
  const byKind = new Map<string, string>();
  for (const [full, schema] of Object.entries(schemas))
    for (const gvk of schema['x-kubernetes-group-version-kind'] ?? [])
      byKind.set(`${gvk.group}/${gvk.version}/${gvk.kind}`, names.get(full)!);
  const discovery = JSON.parse(readFileSync(`${root}facts/discovery.json`, 'utf8'));
  const types: string[] = [];
  const table: string[] = [];
  const seen = new Set<string>();
  for (const list of Object.values<any>(discovery)) {
    for (const group of list.items ?? []) {
      for (const version of group.versions) {
        for (const resource of version.resources) {
          const groupName = group.metadata.name ?? '';
          const kind = resource.responseKind.kind;
          const type = byKind.get(`${groupName}/${version.version}/${kind}`);
          if (!type) continue;
          let name = resource.resource;
          if (seen.has(name)) name = `${resource.resource}.${groupName}`;
          if (seen.has(name)) name = `${resource.resource}.${version.version}.${groupName}`;
          seen.add(name);
          types.push(`  ${quote(name)}: ${type};`);
          table.push(
            `  ${quote(name)}: ${JSON.stringify({ group: groupName, version: version.version, resource: resource.resource, kind, namespaced: resource.scope === 'Namespaced' })},`,
          );
        }
      }
    }
  }
  return [
    `export interface Resources {\n${types.join('\n')}\n}\n`,
    'export const resources: { readonly [name in keyof Resources]: { readonly group: string; readonly version: string; readonly resource: string; readonly kind: string; readonly namespaced: boolean } } = {',
    ...table,
    '};',
    '',
  ].join('\n');
}
