// How Kubernetes prints the versions of a definition in a message: as its internal type, with Go's names of fields.

type Fields = readonly (readonly [goName: string, name: keyof JSONSchemaProps, zero: unknown])[];

/** Go's names, in Go's order; lists and maps are converted where they hold schemas. */
const schemaFields: Fields = [
  ['ID', 'id', ''],
  ['Schema', '$schema', ''],
  ['Ref', '$ref', null],
  ['Description', 'description', ''],
  ['Type', 'type', ''],
  ['Nullable', 'nullable', false],
  ['Format', 'format', ''],
  ['Title', 'title', ''],
  ['Default', 'default', null],
  ['Maximum', 'maximum', null],
  ['ExclusiveMaximum', 'exclusiveMaximum', false],
  ['Minimum', 'minimum', null],
  ['ExclusiveMinimum', 'exclusiveMinimum', false],
  ['MaxLength', 'maxLength', null],
  ['MinLength', 'minLength', null],
  ['Pattern', 'pattern', ''],
  ['MaxItems', 'maxItems', null],
  ['MinItems', 'minItems', null],
  ['UniqueItems', 'uniqueItems', false],
  ['MultipleOf', 'multipleOf', null],
  ['Enum', 'enum', null],
  ['MaxProperties', 'maxProperties', null],
  ['MinProperties', 'minProperties', null],
  ['Required', 'required', null],
  ['Items', 'items', null],
  ['AllOf', 'allOf', null],
  ['OneOf', 'oneOf', null],
  ['AnyOf', 'anyOf', null],
  ['Not', 'not', null],
  ['Properties', 'properties', null],
  ['AdditionalProperties', 'additionalProperties', null],
  ['PatternProperties', 'patternProperties', null],
  ['Dependencies', 'dependencies', null],
  ['AdditionalItems', 'additionalItems', null],
  ['Definitions', 'definitions', null],
  ['ExternalDocs', 'externalDocs', null],
  ['Example', 'example', null],
  ['XPreserveUnknownFields', 'x-kubernetes-preserve-unknown-fields', null],
  ['XEmbeddedResource', 'x-kubernetes-embedded-resource', false],
  ['XIntOrString', 'x-kubernetes-int-or-string', false],
  ['XListMapKeys', 'x-kubernetes-list-map-keys', null],
  ['XListType', 'x-kubernetes-list-type', null],
  ['XMapType', 'x-kubernetes-map-type', null],
  ['XValidations', 'x-kubernetes-validations', null],
];

/** The fields that a schema has, in Go's order. */
export const givenFields = (schema: JSONSchemaProps): string[] =>
  schemaFields.filter(([, name]) => schema[name] !== undefined).map(([goName]) => goName);

const internalList = (list: readonly JSONSchemaProps[]) => list.map(internalSchema);

const internalParts: { readonly [K in keyof JSONSchemaProps]?: (value: NonNullable<JSONSchemaProps[K]>) => unknown } = {
  items: (items) => ({ Schema: internalSchema(items as JSONSchemaProps), JSONSchemas: null }),
  not: internalSchema,
  allOf: internalList,
  oneOf: internalList,
  anyOf: internalList,
  properties: (map) => Object.fromEntries(Object.entries(map).map(([key, value]) => [key, internalSchema(value)])),
  additionalProperties: (value) =>
    typeof value === 'boolean' ? { Allows: value, Schema: null } : { Allows: true, Schema: internalSchema(value) },
};

export function internalSchema(schema: JSONSchemaProps): unknown {
  return Object.fromEntries(
    schemaFields.map(([goName, name, zero]) => {
      const value = schema[name];
      const convert = internalParts[name] as ((value: unknown) => unknown) | undefined;
      return [goName, value === undefined ? zero : (convert?.(value) ?? value)];
    }),
  );
}

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

const internalValidation = (validation: Version['schema']) => {
  const schema = validation?.openAPIV3Schema;
  return validation ? { OpenAPIV3Schema: schema ? internalSchema(schema) : null } : null;
};

/** Fields shared by all versions are at the top of the spec, and null here. */
export function internalVersions(versions: readonly Version[]): unknown {
  const shared = (field: keyof Version) => versions.every((version) => same(version[field], versions[0][field]));
  const own = (version: Version, field: keyof Version) => (shared(field) ? null : (version[field] ?? null));
  return versions.map((version) => ({
    Name: version.name,
    Served: version.served,
    Storage: version.storage,
    Deprecated: version.deprecated ?? false,
    DeprecationWarning: version.deprecationWarning ?? null,
    Schema: shared('schema') ? null : internalValidation(version.schema),
    Subresources: own(version, 'subresources'),
    AdditionalPrinterColumns: own(version, 'additionalPrinterColumns'),
    SelectableFields: own(version, 'selectableFields'),
  }));
}

import type { JSONSchemaProps, CustomResourceDefinitionVersion as Version } from '../../generated/types.ts';
