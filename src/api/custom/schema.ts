// Converts the schema of a CustomResourceDefinition to the internal schema.

import type { Constraints, Schema } from '../../machinery/schema.ts';
import type { JSONSchemaProps } from '../generated/types.ts';
import { schemaNamed } from '../schemas.ts';

const limits = [
  'minimum',
  'exclusiveMinimum',
  'maximum',
  'exclusiveMaximum',
  'multipleOf',
  'minLength',
  'maxLength',
  'pattern',
  'minItems',
  'maxItems',
  'minProperties',
  'maxProperties',
] as const;

/** Without a prototype: a field may be called `constructor`. */
const sorted = <T>(map: Readonly<Record<string, T>>): Record<string, T> => {
  const out: Record<string, T> = Object.create(null);
  for (const key of Object.keys(map).sort()) out[key] = map[key];
  return out;
};

/** The schema of the whole object: the definition's, and the fields of every object. */
export function rootSchema(openApi: JSONSchemaProps | undefined): Schema {
  const schema = customSchema(openApi);
  return { ...schema, custom: true, properties: sorted({ ...schema.properties, ...typeMeta() }) };
}

/** The definition's schema alone, which may also restrict names. */
export const customSchema = (openApi: JSONSchemaProps | undefined): Schema =>
  convert(openApi ?? { type: 'object', 'x-kubernetes-preserve-unknown-fields': true });

let metadata: Schema | undefined;

/** Fields of custom resources are written in the order of their names, including metadata. */
export function metadataSchema(): Schema {
  if (!metadata) {
    const schema = schemaNamed('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta');
    metadata = { ...schema, properties: sorted(schema.properties ?? {}) };
  }
  return metadata;
}

const typeMeta = (): Record<string, Schema> => ({
  apiVersion: { type: 'string', description: descriptions.apiVersion },
  kind: { type: 'string', description: descriptions.kind },
  metadata: metadataSchema(),
});

const descriptions = {
  apiVersion:
    'APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources',
  kind: 'Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds',
};

function convert(source: JSONSchemaProps): Schema {
  const schema: Record<string, unknown> = {};
  const set = (name: keyof Schema, value: unknown) => {
    if (value !== undefined && value !== null) schema[name] = value;
  };
  const { properties, items, additionalProperties: others } = source;
  for (const name of ['type', 'format', 'description', 'required', 'enum', 'nullable'] as const)
    set(name, source[name]);
  if (source.default !== undefined) schema.default = source.default;
  if (properties) schema.properties = sorted(mapValues(properties, convert));
  set('items', items && convert(items as JSONSchemaProps));
  set('additionalProperties', typeof others === 'object' && others ? convert(others) : others);
  set('intOrString', source['x-kubernetes-int-or-string']);
  set('preserveUnknownFields', source['x-kubernetes-preserve-unknown-fields']);
  set('embeddedResource', source['x-kubernetes-embedded-resource']);
  set('listType', source['x-kubernetes-list-type']);
  set('listMapKeys', source['x-kubernetes-list-map-keys']);
  set('mapType', source['x-kubernetes-map-type']);
  set('rules', source['x-kubernetes-validations']);
  set('constraints', constraintsOf(source));
  if (!hasDefaultsBelow(schema as Schema)) schema.hasDefaults = false;
  return schema as Schema;
}

function constraintsOf(source: JSONSchemaProps): Constraints | undefined {
  const constraints: Record<string, unknown> = {};
  for (const name of limits) if (source[name] !== undefined) constraints[name] = source[name];
  for (const name of ['allOf', 'anyOf', 'oneOf'] as const)
    if (source[name]?.length) constraints[name] = source[name].map(convert);
  if (source.not) constraints.not = convert(source.not);
  return Object.keys(constraints).length ? constraints : undefined;
}

const mapValues = <A, B>(map: Readonly<Record<string, A>>, convertOne: (value: A) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(map).map(([name, value]) => [name, convertOne(value)]));

/** Most parts of most schemas have no defaults: these are not walked through. */
function hasDefaultsBelow({ properties = {}, items, additionalProperties }: Schema): boolean {
  const parts = [...Object.values(properties), items, additionalProperties];
  return parts.some((part) => typeof part === 'object' && (part.default !== undefined || part.hasDefaults !== false));
}
