// The schema of every kind, as compact JSON text: shapes from facts/openapi.json, order and presence of fields from
// facts/fields.json. src/api/schemas.ts parses and links it.
import { readFileSync, writeFileSync } from 'node:fs';

interface OpenApi {
  type?: string;
  format?: string;
  $ref?: string;
  allOf?: OpenApi[];
  oneOf?: OpenApi[];
  items?: OpenApi;
  properties?: Record<string, OpenApi>;
  additionalProperties?: OpenApi | boolean;
  required?: string[];
  enum?: unknown[];
  default?: unknown;
  [extension: `x-kubernetes-${string}`]: any;
}

/** JSON name, pointer/omitempty/omitzero flags, Go type, path of protobuf numbers: a row of facts/fields.json. */
type Field = [name: string, flags: string, goType: string, protobuf?: string];

/** Path of protobuf numbers -> the embedded struct. */
type Embedded = Record<string, string>;

interface Facts {
  types: Record<string, Field[]>;
  embedded: Record<string, Embedded>;
}

const special: Record<string, object> = {
  'io.k8s.apimachinery.pkg.api.resource.Quantity': { type: 'string', format: 'quantity' },
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': { intOrString: true },
  'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime': { type: 'string', format: 'micro-time' },
  'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1': { type: 'object', preserveUnknownFields: true },
  'io.k8s.apimachinery.pkg.runtime.RawExtension': { type: 'object', preserveUnknownFields: true },
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON': { preserveUnknownFields: true },
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray': { union: 'schema-or-array' },
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool': { union: 'schema-or-bool' },
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray': { union: 'schema-or-array' },
};

export function generateSchema(root: string): void {
  const schemas: Record<string, OpenApi> = JSON.parse(readFileSync(`${root}facts/openapi.json`, 'utf8')).schemas;
  const { types: fields, embedded }: Facts = JSON.parse(readFileSync(`${root}facts/fields.json`, 'utf8'));
  const out: Record<string, object> = {};
  const kinds: Record<string, string> = {};
  for (const [name, schema] of Object.entries(schemas)) {
    out[name] = special[name] ?? named(schema, fields[name], embedded[name]);
    for (const gvk of schema['x-kubernetes-group-version-kind'] ?? [])
      kinds[`${gvk.group}/${gvk.version}/${gvk.kind}`] = name;
  }
  writeFileSync(
    `${root}src/api/generated/schema.ts`,
    [
      '// Generated from facts/ by scripts/generate-schema.ts. Do not edit.',
      `export const schemaText: string = ${JSON.stringify(JSON.stringify({ schemas: out, kinds }))};`,
      '',
    ].join('\n'),
  );
}

function named(schema: OpenApi, rows: Field[] = [], embedded: Embedded = {}): object {
  const { properties = {}, ...rest } = schema;
  if (!schema.properties) return convert(schema);
  const order = new Map(rows.map((row, index) => [row[0], index]));
  // A top-level type embeds kind and apiVersion, which come first.
  const rank = (key: string) => order.get(key) ?? (key === 'kind' ? -2 : key === 'apiVersion' ? -1 : rows.length);
  const sorted = Object.keys(properties).sort((a, b) => rank(a) - rank(b));
  return {
    ...convert(rest),
    properties: Object.fromEntries(
      sorted.map((key) => [key, field(properties[key], rows[order.get(key) ?? -1], embedded, key)]),
    ),
  };
}

/** The encoding of an empty field by Go's encoder. */
function field(schema: OpenApi, row: Field | undefined, embedded: Embedded, key: string): object {
  const typeMeta = (key === 'kind' || key === 'apiVersion') && { goType: 'string', via: 'TypeMeta' };
  if (!row) return { ...convert(schema), presence: 'nonzero', ...typeMeta };
  const [, flags, goType, protobuf] = row;
  const pointer = flags.includes('*');
  const presence = !/[oz]/.test(flags)
    ? pointer
      ? 'nullable'
      : 'always'
    : pointer
      ? 'set'
      : flags.includes('z')
        ? 'nonzero'
        : isStruct(schema)
          ? 'always'
          : 'nonzero';
  const via = embeddingOf(protobuf, embedded);
  return { ...convert(schema), presence, goType, ...(protobuf && { protobuf }), ...(via && { via }) };
}

/** The structs between a type and a field that it has by embedding. */
function embeddingOf(protobuf: string | undefined, embedded: Embedded): string {
  const numbers = protobuf?.split('.').slice(0, -1) ?? [];
  return numbers.map((_, index) => embedded[numbers.slice(0, index + 1).join('.')]).join('.');
}

/** Go's omitempty never leaves a struct out. */
const isStruct = (schema: OpenApi) => {
  const ref = schema.$ref ?? schema.allOf?.[0]?.$ref;
  return ref !== undefined && !/JSONSchemaPropsOr|\.JSON$/.test(ref);
};

function convert(schema: OpenApi): object {
  const ref = (schema.$ref ?? schema.allOf?.[0]?.$ref)?.split('/').at(-1);
  const x = (name: string) => schema[`x-kubernetes-${name}`];
  const out = {
    ...(ref && { $ref: ref }),
    type: schema.type,
    format: schema.format,
    items: schema.items && convert(schema.items),
    additionalProperties:
      typeof schema.additionalProperties === 'object'
        ? convert(schema.additionalProperties)
        : schema.additionalProperties,
    required: schema.required,
    enum: schema.enum,
    default: schema.default,
    listType: x('list-type'),
    listMapKeys: x('list-map-keys'),
    mapType: x('map-type'),
    patchStrategy: x('patch-strategy'),
    patchMergeKey: x('patch-merge-key'),
    unions: x('unions'),
  };
  return Object.fromEntries(Object.entries(out).filter(([, value]) => value !== undefined));
}
