// OpenAPI schemas of the built-in types; version 2 has no defaults.
// https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-interface-definition

import type { Schema } from '../../api/api.ts';

/** Version 2 refers to `#/definitions/`, version 3 to `#/components/schemas/`. */
export type OpenApiVersion = 2 | 3;

const prefix = { 2: '#/definitions/', 3: '#/components/schemas/' } as const;

export const reference = (name: string, version: OpenApiVersion) => ({ $ref: `${prefix[version]}${name}` });

/** The schema of a named type; types that it names are collected in `used`. */
export function namedSchema(
  schema: Schema,
  version: OpenApiVersion,
  used: Set<string>,
  texts: Readonly<Record<string, string>> = {},
): object {
  const shape = whole(schema, version, used, texts);
  return texts[''] ? { description: texts[''], ...shape } : shape;
}

function part(schema: Schema, version: OpenApiVersion, used: Set<string>, text?: string): object {
  const description = text ?? schema.description;
  if (!schema.name) {
    const shape = whole(schema, version, used);
    return text ? { description, ...shape } : shape;
  }
  used.add(schema.name);
  const own = {
    ...(description && { description }),
    ...(schema.default !== undefined && version === 3 && { default: schema.default }),
    ...patchExtensions(schema),
    // A field can have its atomic type in parts.
    ...(schema.mapType === 'granular' && { 'x-kubernetes-map-type': schema.mapType }),
  };
  const target = reference(schema.name, version);
  if (version === 2) return { ...own, ...target };
  return Object.keys(own).length ? { ...own, allOf: [target] } : target;
}

/** Types that are written as one of several. */
const alternatives: Readonly<Record<string, readonly string[]>> = {
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': ['integer', 'string'],
  'io.k8s.apimachinery.pkg.api.resource.Quantity': ['string', 'number'],
};

function whole(
  schema: Schema,
  version: OpenApiVersion,
  used: Set<string>,
  texts: Readonly<Record<string, string>> = {},
): object {
  const oneOf = alternatives[schema.name ?? ''];
  const format = schema.intOrString ? { format: 'int-or-string' } : publicFormat(schema.format);
  if (oneOf && version === 3) return { ...format, oneOf: oneOf.map((type) => ({ type })) };
  if (schema.intOrString) return { type: 'string', ...format };
  const { properties, items, additionalProperties } = schema;
  return {
    ...(schema.description && { description: schema.description }),
    ...(schema.type && { type: schema.type }),
    ...format,
    ...(version === 3 && schema.default !== undefined && { default: schema.default }),
    ...(schema.enum && { enum: schema.enum }),
    ...(schema.required?.length && { required: schema.required }),
    ...(properties && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, property]) => [name, part(property, version, used, texts[name])]),
      ),
    }),
    ...(items && { items: part(items, version, used) }),
    ...(additionalProperties !== undefined && {
      additionalProperties:
        typeof additionalProperties === 'object' ? part(additionalProperties, version, used) : additionalProperties,
    }),
    ...patchExtensions(schema),
    ...(schema.mapType && { 'x-kubernetes-map-type': schema.mapType }),
    ...(schema.unions && { 'x-kubernetes-unions': schema.unions }),
  };
}

/** Some internal formats are the same for clients. */
function publicFormat(format: string | undefined): { format?: string } {
  if (!format || format === 'quantity' || format === 'duration') return {};
  return { format: format === 'micro-time' ? 'date-time' : format };
}

function patchExtensions(schema: Schema): object {
  return {
    ...(schema.patchStrategy && { 'x-kubernetes-patch-strategy': schema.patchStrategy }),
    ...(schema.patchMergeKey && { 'x-kubernetes-patch-merge-key': schema.patchMergeKey }),
    ...(schema.listType && { 'x-kubernetes-list-type': schema.listType }),
    ...(schema.listMapKeys && { 'x-kubernetes-list-map-keys': schema.listMapKeys }),
  };
}
