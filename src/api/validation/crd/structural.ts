// Structural schemas: each field has one type, and allOf, anyOf, oneOf and not only restrict values.
// https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema

import { patternFault } from '../../../machinery/text/pattern.ts';
import type { FieldError } from '../../errors.ts';
import { forbiddenField, invalidValue, required, sameValue } from '../../fields.ts';
import type { JSONSchemaProps } from '../../generated/types.ts';

type Level = 'root' | 'item' | 'field';

const levelText: Readonly<Record<Level, string>> = {
  root: 'at the root',
  item: 'for specified array items',
  field: 'for specified object fields',
};

const x = <T extends string>(name: T) => `x-kubernetes-${name}` as const;

/** Fields that make a schema non-structural. */
const unsupported = [
  'id',
  '$schema',
  '$ref',
  'patternProperties',
  'dependencies',
  'additionalItems',
  'definitions',
] as const;

/** False for schemas that other rules refuse as a whole: these are not also called unstructural. */
export function canBeStructural(schema: Part): boolean {
  if (!isSchema(schema)) return true;
  if (unsupported.some((field) => !isEmptyValue(schema[field] ?? {}))) return false;
  if (schema[x('preserve-unknown-fields')] === false || Array.isArray(schema.items)) return false;
  return partsOf(schema).every(canBeStructural);
}

const isEmptyValue = (value: unknown) =>
  value === '' || (typeof value === 'object' && Object.keys(value ?? {}).length === 0);

/** A place for a schema, which may be empty. */
export type Part = JSONSchemaProps | JSONSchemaProps[] | boolean | null | undefined;

export const isSchema = (part: Part): part is JSONSchemaProps => typeof part === 'object' && part !== null;

/** The places for schemas directly below. */
export const partsOf = (schema: JSONSchemaProps): Part[] => [
  ...Object.values(schema.properties ?? {}),
  schema.items,
  schema.additionalProperties,
  schema.not,
  ...(schema.allOf ?? []),
  ...(schema.anyOf ?? []),
  ...(schema.oneOf ?? []),
];

export function validateStructural(schema: JSONSchemaProps, path: string): FieldError[] {
  const errors = [...invariants(schema, path, 'root'), ...junctionCompleteness(schema, schema, path, path)];
  const text = ({ field, message }: FieldError) => `${field}: ${message}`;
  return errors.sort((a, b) => (text(a) < text(b) ? -1 : 1));
}

function invariants(schema: Part, path: string, level: Level): FieldError[] {
  if (!isSchema(schema)) return [];
  const errors: FieldError[] = [];
  if (schema.type === 'array' && !schema.items) errors.push(required(`${path}.items`, 'must be specified'));
  errors.push(...invariants(schema.items, `${path}.items`, 'item'));
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    errors.push(...invariants(property, `${path}.properties[${name}]`, 'field'));
  if (schema.additionalProperties !== undefined) {
    if (level === 'root') errors.push(forbiddenField(`${path}.additionalProperties`, 'must not be used at the root'));
    errors.push(...invariants(schema.additionalProperties, `${path}.additionalProperties`, 'field'));
  }
  errors.push(...validateIntOrString(schema, path), ...validateJunctions(schema, path));
  errors.push(...validateType(schema, path, level), ...validateObjectMeta(schema, path, level));
  return errors;
}

function validateIntOrString(schema: JSONSchemaProps, path: string): FieldError[] {
  if (!schema[x('int-or-string')]) return [];
  return (['preserve-unknown-fields', 'embedded-resource'] as const)
    .filter((name) => schema[x(name)])
    .map((name) => invalidValue(`${path}.${x(name)}`, true, `must be false if ${x('int-or-string')} is true`));
}

function validateType(schema: JSONSchemaProps, path: string, level: Level): FieldError[] {
  const { type = '' } = schema;
  const errors: FieldError[] = [];
  const embedded = schema[x('embedded-resource')];
  if (embedded && type !== 'object') {
    const why = `must be object if ${x('embedded-resource')} is true`;
    errors.push(type ? invalidValue(`${path}.type`, type, why) : required(`${path}.type`, why));
  } else if (!type && !schema[x('int-or-string')] && !schema[x('preserve-unknown-fields')])
    errors.push(required(`${path}.type`, `must not be empty ${levelText[level]}`));
  if (embedded && schema.additionalProperties !== undefined)
    errors.push(forbiddenField(`${path}.additionalProperties`, `must not be used if ${x('embedded-resource')} is set`));
  if (level === 'root' && type && type !== 'object')
    errors.push(invalidValue(`${path}.type`, type, 'must be object at the root'));
  if (embedded && !schema[x('preserve-unknown-fields')] && !Object.keys(schema.properties ?? {}).length)
    errors.push(
      required(
        `${path}.properties`,
        `must not be empty if ${x('embedded-resource')} is true without ${x('preserve-unknown-fields')}`,
      ),
    );
  return errors;
}

/** Valid keywords for kind, apiVersion and metadata, whose shape is fixed. */
function validateObjectMeta(schema: JSONSchemaProps, path: string, level: Level): FieldError[] {
  const isResource = level === 'root' || schema[x('embedded-resource')];
  const { metadata } = schema.properties ?? {};
  const errors: FieldError[] = [];
  for (const name of ['kind', 'apiVersion'])
    if (isResource && schema.properties?.[name] && schema.properties[name].type !== 'string')
      errors.push(
        invalidValue(`${path}.properties[${name}].type`, schema.properties[name].type ?? '', 'must be string'),
      );
  if (!metadata) return errors;
  const at = `${path}.properties[metadata]`;
  if (isResource && metadata.type !== 'object')
    errors.push(invalidValue(`${at}.type`, metadata.type ?? '', 'must be object'));
  if (level !== 'root') return errors;
  const { type: _, default: __, properties = {}, ...rest } = metadata;
  const others = Object.keys(properties).filter((name) => name !== 'name' && name !== 'generateName');
  if (others.length || Object.keys(rest).length)
    errors.push(
      forbiddenField(
        at,
        'must not specify anything other than name and generateName, but metadata is implicitly specified',
      ),
    );
  return errors;
}

const eitherType = [{ type: 'integer' }, { type: 'string' }];
const isIntOrString = (anyOf: unknown) => sameValue(anyOf, eitherType);

/** `anyOf` of integer and string, alone or in the first allOf, is the pattern of int-or-string: it may name types. */
function validateJunctions(schema: JSONSchemaProps, path: string): FieldError[] {
  return junctions(schema, path, isIntOrString(schema.anyOf), isIntOrString(schema.allOf?.[0]?.anyOf));
}

function junctions(schema: JSONSchemaProps, path: string, skipsAnyOf: boolean, skipsFirstAllOf: boolean): FieldError[] {
  const errors: FieldError[] = [];
  if (!skipsAnyOf)
    for (const [index, part] of (schema.anyOf ?? []).entries())
      errors.push(...validatePart(part, `${path}.anyOf[${index}]`));
  for (const [index, part] of (schema.allOf ?? []).entries())
    errors.push(...validatePart(part, `${path}.allOf[${index}]`, skipsFirstAllOf && index === 0));
  for (const [index, part] of (schema.oneOf ?? []).entries())
    errors.push(...validatePart(part, `${path}.oneOf[${index}]`));
  if (schema.not) errors.push(...validatePart(schema.not, `${path}.not`));
  return [...errors, ...validatePattern(schema, path)];
}

function validatePattern({ pattern }: JSONSchemaProps, path: string): FieldError[] {
  const fault = typeof pattern === 'string' && pattern ? patternFault(pattern) : undefined;
  return fault
    ? [invalidValue(`${path}.pattern`, pattern, `must be a valid regular expression, but isn't: ${fault}`)]
    : [];
}

const forbiddenTexts: readonly (readonly [field: keyof JSONSchemaProps, text: string])[] = [
  ['type', 'must be empty to be structural'],
  ['default', 'must be undefined to be structural'],
  ['title', 'must be empty to be structural'],
  ['description', 'must be empty to be structural'],
  ['nullable', 'must be false to be structural'],
  [x('preserve-unknown-fields'), 'must be false to be structural'],
  [x('embedded-resource'), 'must be false to be structural'],
  [x('int-or-string'), 'must be false to be structural'],
  [x('list-map-keys'), 'must be empty to be structural'],
  [x('list-type'), 'must be undefined to be structural'],
  [x('map-type'), 'must be undefined to be structural'],
  [x('validations'), 'must be empty to be structural'],
];

/** Below allOf and its like, keywords must not define fields. */
function validatePart(part: Part, path: string, skipsAnyOf = false): FieldError[] {
  if (!isSchema(part)) return [];
  const errors = junctions(part, path, skipsAnyOf, false);
  if (part.items) errors.push(...validatePart(part.items, `${path}.items`));
  for (const [name, property] of Object.entries(part.properties ?? {}))
    errors.push(...validatePart(property, `${path}.properties[${name}]`));
  for (const [field, text] of forbiddenTexts)
    if (part[field] && !isEmptyValue(part[field])) errors.push(forbiddenField(`${path}.${field}`, text));
    else if (field === 'default' && part.default !== undefined) errors.push(forbiddenField(`${path}.default`, text));
  if (part.additionalProperties !== undefined && part.additionalProperties !== false)
    errors.push(forbiddenField(`${path}.additionalProperties`, 'must be undefined to be structural'));
  if (part.properties?.metadata)
    errors.push(forbiddenField(`${path}.properties[metadata]`, 'must not be specified in a nested context'));
  return errors;
}

/** Every field in a junction must also be a field of the enclosing schema. */
function junctionCompleteness(
  part: JSONSchemaProps,
  schema: JSONSchemaProps,
  schemaPath: string,
  partPath: string,
): FieldError[] {
  const errors: FieldError[] = [];
  if (part.not) errors.push(...completeness(part.not, schema, schemaPath, `${partPath}.not`));
  for (const junction of ['allOf', 'anyOf', 'oneOf'] as const)
    for (const [index, inner] of (part[junction] ?? []).entries())
      errors.push(...completeness(inner, schema, schemaPath, `${partPath}.${junction}[${index}]`));
  return errors;
}

function completeness(part: Part, schema: Part, schemaPath: string, partPath: string): FieldError[] {
  if (!isSchema(part)) return [];
  if (!isSchema(schema)) return [required(schemaPath, `because it is defined in ${partPath}`)];
  const errors = junctionCompleteness(part, schema, schemaPath, partPath);
  if (part.items) errors.push(...completeness(part.items, schema.items, `${schemaPath}.items`, `${partPath}.items`));
  for (const [name, property] of Object.entries(part.properties ?? {})) {
    const at = `${schemaPath}.properties[${name}]`;
    const from = `${partPath}.properties[${name}]`;
    errors.push(...completeness(property, schema.properties?.[name], at, from));
  }
  return errors;
}
