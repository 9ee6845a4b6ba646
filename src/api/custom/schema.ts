// Converts the schema of a CustomResourceDefinition to the internal schema.

import type { Constraints, Schema } from '../../machinery/schema.ts';
import type { Steps } from '../../machinery/time/steps.ts';
import type { CustomResourceDefinition, JSONSchemaProps } from '../generated/types.ts';
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
function sorted<T, R>(map: Readonly<Record<string, T>>, make: (value: T) => R): Record<string, R> {
  const out: Record<string, R> = Object.create(null);
  for (const key of Object.keys(map).sort()) out[key] = make(map[key]);
  return out;
}

const same = (schema: Schema): Schema => schema;

/** The schema of the whole object: the definition's, and the fields of every object. */
export function rootSchema(openApi: JSONSchemaProps | undefined): Schema {
  const schema = customSchema(openApi);
  return { ...schema, custom: true, properties: sorted({ ...schema.properties, ...typeMeta() }, same) };
}

/** The definition's schema alone, which may also restrict names. */
export const customSchema = (openApi: JSONSchemaProps | undefined): Schema =>
  convert(openApi ?? { type: 'object', 'x-kubernetes-preserve-unknown-fields': true });

let metadata: Schema | undefined;

/** Fields of custom resources are written in the order of their names, including metadata. */
export function metadataSchema(): Schema {
  if (!metadata) {
    const schema = schemaNamed('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta');
    metadata = { ...schema, properties: sorted(schema.properties ?? {}, same) };
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

/** Parts of definitions that were converted before they are needed. */
const converted = new WeakMap<JSONSchemaProps, Schema>();
const partsInStep = 1_000;

/** Prepares the schemas of a definition in steps: customSchema and rootSchema take little time afterwards. */
export function* convertingSchemas({ spec }: CustomResourceDefinition): Steps<void> {
  const parts = spec.versions.flatMap(({ schema }) => schema?.openAPIV3Schema ?? []);
  for (let next = 0; next < parts.length; next++) for (const part of partsOf(parts[next])) parts.push(part);
  // Each comes after the parts below it.
  for (const [index, part] of parts.reverse().entries()) {
    if (index % partsInStep === partsInStep - 1) yield;
    converted.set(part, convert(part));
  }
}

function* partsOf(source: JSONSchemaProps): Generator<JSONSchemaProps> {
  const { properties, items, additionalProperties, not } = source;
  if (properties) yield* Object.values(properties);
  for (const part of [items, additionalProperties, not])
    if (part && typeof part === 'object') yield part as JSONSchemaProps;
  for (const name of alternatives) yield* source[name] ?? [];
}

const alternatives = ['allOf', 'anyOf', 'oneOf'] as const;

function convert(source: JSONSchemaProps): Schema {
  return converted.get(source) ?? convertPart(source);
}

function convertPart(source: JSONSchemaProps): Schema {
  const schema: Record<string, unknown> = {};
  const set = (name: keyof Schema, value: unknown) => {
    if (value !== undefined && value !== null) schema[name] = value;
  };
  const { properties, items, additionalProperties: others } = source;
  for (const name of ['type', 'format', 'description', 'required', 'enum', 'nullable'] as const)
    set(name, source[name]);
  if (source.default !== undefined) schema.default = source.default;
  if (properties) schema.properties = sorted(properties, convert);
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
  for (const name of alternatives) if (source[name]?.length) constraints[name] = source[name].map(convert);
  if (source.not) constraints.not = convert(source.not);
  return Object.keys(constraints).length ? constraints : undefined;
}

/** Most parts of most schemas have no defaults: these are not walked through. */
function hasDefaultsBelow({ properties = {}, items, additionalProperties }: Schema): boolean {
  const has = (part: Schema | boolean | undefined) =>
    typeof part === 'object' && (part.default !== undefined || part.hasDefaults !== false);
  for (const name in properties) if (has(properties[name])) return true;
  return has(items) || has(additionalProperties);
}
