// Schemas as OpenAPI writes them. https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-interface-definition

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
    ...(schema.default !== undefined && { default: schema.default }),
    ...extensions(schema),
  };
  const target = reference(schema.name, version);
  if (version === 2) return { ...own, ...target };
  return Object.keys(own).length ? { ...own, allOf: [target] } : target;
}

function whole(
  schema: Schema,
  version: OpenApiVersion,
  used: Set<string>,
  texts: Readonly<Record<string, string>> = {},
): object {
  if (schema.intOrString)
    return {
      ...(schema.description && { description: schema.description }),
      ...(version === 3 && !schema.format
        ? { 'x-kubernetes-int-or-string': true }
        : { type: 'string', format: 'int-or-string' }),
    };
  const { properties, items, additionalProperties } = schema;
  return {
    ...(schema.description && { description: schema.description }),
    ...(schema.type && { type: schema.type }),
    ...(schema.format && publicFormat(schema.format)),
    ...(schema.default !== undefined && { default: schema.default }),
    ...(schema.enum && { enum: schema.enum }),
    ...(schema.nullable && version === 3 && { nullable: true }),
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
    ...(schema.preserveUnknownFields && { 'x-kubernetes-preserve-unknown-fields': true }),
    ...(schema.embeddedResource && { 'x-kubernetes-embedded-resource': true }),
    ...extensions(schema),
  };
}

/** Some formats are told apart here and are one to clients. */
function publicFormat(format: string): { format?: string } {
  if (format === 'quantity' || format === 'duration') return {};
  return { format: format === 'micro-time' ? 'date-time' : format };
}

function extensions(schema: Schema): object {
  return {
    ...(schema.patchStrategy && { 'x-kubernetes-patch-strategy': schema.patchStrategy }),
    ...(schema.patchMergeKey && { 'x-kubernetes-patch-merge-key': schema.patchMergeKey }),
    ...(schema.listType && { 'x-kubernetes-list-type': schema.listType }),
    ...(schema.listMapKeys && { 'x-kubernetes-list-map-keys': schema.listMapKeys }),
    ...(schema.mapType && { 'x-kubernetes-map-type': schema.mapType }),
  };
}
