// How Kubernetes prints the versions of a definition in a message: as its internal type, with Go's names of fields.

type Fields = readonly (readonly [goName: string, name: string, zero: unknown])[];

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
export const givenFields = (schema: any): string[] =>
  schemaFields.filter(([, name]) => schema[name] !== undefined).map(([goName]) => goName);

const mapOf = (map: object | undefined, convert: (value: any) => unknown) =>
  map && Object.fromEntries(Object.entries(map).map(([key, value]) => [key, convert(value)]));

const internalParts: Readonly<Record<string, (value: any) => unknown>> = {
  items: (items) => ({ Schema: internalSchema(items), JSONSchemas: null }),
  not: (schema) => internalSchema(schema),
  allOf: (list: any[]) => list.map(internalSchema),
  oneOf: (list: any[]) => list.map(internalSchema),
  anyOf: (list: any[]) => list.map(internalSchema),
  properties: (map) => mapOf(map, internalSchema),
  additionalProperties: (value) =>
    typeof value === 'boolean' ? { Allows: value, Schema: null } : { Allows: true, Schema: internalSchema(value) },
};

export function internalSchema(schema: any): unknown {
  return Object.fromEntries(
    schemaFields.map(([goName, name, zero]) => {
      const value = schema[name];
      return [goName, value === undefined ? zero : (internalParts[name]?.(value) ?? value)];
    }),
  );
}

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

/** Fields shared by all versions are at the top of the spec, and null here. */
export function internalVersions(versions: readonly any[]): unknown {
  const shared = (field: string) => versions.every((version) => same(version[field], versions[0][field]));
  const own = (version: any, field: string, convert: (value: any) => unknown = (value) => value) =>
    version[field] === undefined || shared(field) ? null : convert(version[field]);
  return versions.map((version) => ({
    Name: version.name,
    Served: version.served,
    Storage: version.storage,
    Deprecated: version.deprecated ?? false,
    DeprecationWarning: version.deprecationWarning ?? null,
    Schema: own(version, 'schema', ({ openAPIV3Schema }) => ({
      OpenAPIV3Schema: openAPIV3Schema ? internalSchema(openAPIV3Schema) : null,
    })),
    Subresources: own(version, 'subresources'),
    AdditionalPrinterColumns: own(version, 'additionalPrinterColumns'),
    SelectableFields: own(version, 'selectableFields'),
  }));
}
