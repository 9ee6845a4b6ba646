// How Kubernetes prints the versions of a definition in a message: as its internal type, with Go's names of fields.

import type { JSONSchemaProps, CustomResourceDefinitionVersion as Version } from '../../generated/types.ts';

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

/** A structure by Go's names of its fields, each with its published name and its value when it is missing. */
const goStruct =
  (...fields: readonly (readonly [goName: string, name: string, zero: unknown])[]) =>
  (value: object): unknown =>
    Object.fromEntries(
      fields.map(([goName, name, zero]) => [goName, (value as Record<string, unknown>)[name] ?? zero]),
    );

const rule = goStruct(
  ['Rule', 'rule', ''],
  ['Message', 'message', ''],
  ['MessageExpression', 'messageExpression', ''],
  ['Reason', 'reason', null],
  ['FieldPath', 'fieldPath', ''],
  ['OptionalOldSelf', 'optionalOldSelf', null],
);
const documentation = goStruct(['Description', 'description', ''], ['URL', 'url', '']);
const column = goStruct(
  ['Name', 'name', ''],
  ['Type', 'type', ''],
  ['Format', 'format', ''],
  ['Description', 'description', ''],
  ['Priority', 'priority', 0],
  ['JSONPath', 'jsonPath', ''],
);
const selectable = goStruct(['JSONPath', 'jsonPath', '']);
const scale = goStruct(
  ['SpecReplicasPath', 'specReplicasPath', ''],
  ['StatusReplicasPath', 'statusReplicasPath', ''],
  ['LabelSelectorPath', 'labelSelectorPath', null],
);

const internalList = (list: readonly JSONSchemaProps[]) => list.map(internalSchema);
const internalMap = <T>(map: Readonly<Record<string, T>>, convert: (value: T) => unknown) =>
  Object.fromEntries(
    Object.keys(map)
      .sort()
      .map((key) => [key, convert(map[key])]),
  );
const schemaOrBool = (value: boolean | JSONSchemaProps) =>
  typeof value === 'boolean' ? { Allows: value, Schema: null } : { Allows: true, Schema: internalSchema(value) };

const internalParts: { readonly [K in keyof JSONSchemaProps]?: (value: NonNullable<JSONSchemaProps[K]>) => unknown } = {
  items: (items) =>
    Array.isArray(items)
      ? { Schema: null, JSONSchemas: internalList(items) }
      : { Schema: internalSchema(items as JSONSchemaProps), JSONSchemas: null },
  not: internalSchema,
  allOf: internalList,
  oneOf: internalList,
  anyOf: internalList,
  properties: (map) => internalMap(map, internalSchema),
  patternProperties: (map) => internalMap(map, internalSchema),
  definitions: (map) => internalMap(map, internalSchema),
  dependencies: (map) =>
    internalMap(map as Record<string, JSONSchemaProps | string[] | null>, (value) => ({
      Schema: value === null || Array.isArray(value) ? null : internalSchema(value),
      Property: Array.isArray(value) ? value : null,
    })),
  additionalProperties: (value) => schemaOrBool(value as boolean | JSONSchemaProps),
  additionalItems: (value) => schemaOrBool(value as boolean | JSONSchemaProps),
  externalDocs: documentation,
  'x-kubernetes-validations': (rules) => rules.map(rule),
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

const internalValidation = (validation: Version['schema']) => {
  const schema = validation?.openAPIV3Schema;
  return validation ? { OpenAPIV3Schema: schema ? internalSchema(schema) : null } : null;
};

/** Fields shared by all versions are at the top of the spec, and null here. */
export function internalVersions(versions: readonly Version[]): unknown {
  const sharedFields = new Set<keyof Version>(
    (['schema', 'subresources', 'additionalPrinterColumns', 'selectableFields'] as const).filter((field) => {
      const first = JSON.stringify(versions[0]?.[field]);
      return versions.every((version) => JSON.stringify(version[field]) === first);
    }),
  );
  const shared = (field: keyof Version) => sharedFields.has(field);
  const own = <K extends keyof Version>(
    version: Version,
    field: K,
    convert: (value: NonNullable<Version[K]>) => unknown,
  ) => {
    const value = shared(field) ? null : version[field];
    return value === null || value === undefined ? null : convert(value as NonNullable<Version[K]>);
  };
  return versions.map((version) => ({
    Name: version.name,
    Served: version.served,
    Storage: version.storage,
    Deprecated: version.deprecated ?? false,
    DeprecationWarning: version.deprecationWarning ?? null,
    Schema: shared('schema') ? null : internalValidation(version.schema),
    Subresources: own(version, 'subresources', ({ status, scale: ofScale }) => ({
      Status: status ? {} : null,
      Scale: ofScale ? scale(ofScale) : null,
    })),
    AdditionalPrinterColumns: own(version, 'additionalPrinterColumns', (columns) => columns.map(column)),
    SelectableFields: own(version, 'selectableFields', (fields) => fields.map(selectable)),
  }));
}
