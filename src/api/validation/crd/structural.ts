// Structural schemas: each field has one type, and what is said below allOf, anyOf, oneOf and not only narrows values.
// https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema

import { patternFault } from '../../../machinery/pattern.ts';
import type { FieldError } from '../../errors.ts';
import { forbiddenField, invalidValue, notSupported, required, typeInvalid } from '../../fields.ts';

import { validateCelRule } from './cel-rules.ts';

const types = ['array', 'boolean', 'integer', 'number', 'object', 'string'];
const reasons = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired'];

export function validateStructural(schema: any, path: string): FieldError[] {
  return validate(schema, path, 'root');
}

type Place = 'root' | 'field' | 'item' | 'value';

const placeText: Readonly<Record<Place, string>> = {
  root: 'at the root',
  field: 'for specified object fields',
  item: 'for specified array items',
  value: 'for specified object fields',
};

/** `uncorrelatable` is the list, if any, above this schema whose elements cannot be matched with older ones. */
function validate(schema: any, path: string, place: Place, uncorrelatable?: string): FieldError[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const errors: FieldError[] = [];
  if (schema.$ref !== undefined) return [forbiddenField(`${path}.$ref`, '$ref is not supported')];
  errors.push(...validateType(schema, path, place));
  errors.push(...validateExtensions(schema, path));
  errors.push(...validateForbidden(schema, path));
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    errors.push(...validate(property, `${path}.properties[${name}]`, 'field', uncorrelatable));
  if (schema.items && !Array.isArray(schema.items)) {
    const own = schema['x-kubernetes-list-type'] === 'map' ? undefined : path;
    errors.push(...validate(schema.items, `${path}.items`, 'item', uncorrelatable ?? own));
  }
  if (typeof schema.additionalProperties === 'object')
    errors.push(...validate(schema.additionalProperties, `${path}.additionalProperties`, 'value', uncorrelatable));
  for (const junction of ['allOf', 'anyOf', 'oneOf'])
    for (const [index, part] of (schema[junction] ?? []).entries())
      errors.push(...validatePart(part, `${path}.${junction}[${index}]`));
  if (schema.not) errors.push(...validatePart(schema.not, `${path}.not`));
  errors.push(...validatePattern(schema, path));
  if (schema.default !== undefined) errors.push(...validateDefault(schema.default, schema, `${path}.default`));
  for (const [index, rule] of (schema['x-kubernetes-validations'] ?? []).entries())
    errors.push(
      ...validateRule(rule, `${path}.x-kubernetes-validations[${index}]`),
      ...validateCelRule(rule, schema, `${path}.x-kubernetes-validations[${index}]`, uncorrelatable),
    );
  return errors;
}

function validateType(schema: any, path: string, place: Place): FieldError[] {
  const { type } = schema;
  const untyped =
    schema['x-kubernetes-int-or-string'] || (schema['x-kubernetes-preserve-unknown-fields'] && place !== 'root');
  if (!type) return untyped ? [] : [required(`${path}.type`, `must not be empty ${placeText[place]}`)];
  if (!types.includes(type)) return [notSupported(`${path}.type`, type, types)];
  if (place === 'root' && type !== 'object') return [invalidValue(`${path}.type`, type, 'must be object at the root')];
  return type === 'array' && !schema.items ? [required(`${path}.items`, 'must be specified')] : [];
}

function validateForbidden(schema: any, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (schema.properties && schema.additionalProperties !== undefined && schema.additionalProperties !== null)
    errors.push(
      forbiddenField(`${path}.additionalProperties`, 'additionalProperties and properties are mutual exclusive'),
    );
  if (schema.additionalProperties === false)
    errors.push(forbiddenField(`${path}.additionalProperties`, 'additionalProperties cannot be set to false'));
  if (schema.uniqueItems)
    errors.push(
      forbiddenField(
        `${path}.uniqueItems`,
        'uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
      ),
    );
  for (const field of ['definitions', 'dependencies', 'patternProperties', 'id'])
    if (schema[field] !== undefined) errors.push(forbiddenField(`${path}.${field}`, `${field} is not supported`));
  return errors;
}

const x = (name: string) => `x-kubernetes-${name}`;

function validateExtensions(schema: any, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (schema[x('preserve-unknown-fields')] === false)
    errors.push(invalidValue(`${path}.${x('preserve-unknown-fields')}`, false, 'must be true or undefined'));
  if (schema[x('embedded-resource')]) {
    if (schema.type !== 'object')
      errors.push(
        invalidValue(`${path}.type`, schema.type ?? '', 'must be object if x-kubernetes-embedded-resource is true'),
      );
    if (!schema.properties && !schema[x('preserve-unknown-fields')])
      errors.push(
        required(
          `${path}.properties`,
          'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields',
        ),
      );
  }
  return [...errors, ...validateList(schema, path)];
}

function validateList(schema: any, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const listType = schema[x('list-type')];
  const keys: string[] = schema[x('list-map-keys')] ?? [];
  const mapType = schema[x('map-type')];
  if (mapType !== undefined && mapType !== 'granular' && mapType !== 'atomic')
    errors.push(notSupported(`${path}.${x('map-type')}`, mapType, ['granular', 'atomic']));
  if (listType === undefined) {
    if (keys.length)
      errors.push(
        invalidValue(`${path}.${x('list-type')}`, null, 'must be map if x-kubernetes-list-map-keys is non-empty'),
      );
    return errors;
  }
  if (!['atomic', 'set', 'map'].includes(listType))
    errors.push(notSupported(`${path}.${x('list-type')}`, listType, ['atomic', 'set', 'map']));
  if (schema.type !== 'array')
    errors.push(
      invalidValue(`${path}.type`, schema.type ?? '', 'must be array if x-kubernetes-list-type is specified'),
    );
  const items = schema.items ?? {};
  if (listType === 'set' && items.type === 'object' && items[x('map-type')] !== 'atomic')
    errors.push(
      invalidValue(
        `${path}.items.${x('map-type')}`,
        items[x('map-type')] ?? null,
        'must be atomic as item of a list with x-kubernetes-list-type=set',
      ),
    );
  if (listType !== 'map') return errors;
  if (!keys.length)
    errors.push(required(`${path}.${x('list-map-keys')}`, 'must not be empty if x-kubernetes-list-type is map'));
  for (const [index, key] of keys.entries()) {
    const property = items.properties?.[key];
    if (!property)
      errors.push(
        invalidValue(`${path}.${x('list-map-keys')}[${index}]`, key, 'entries must all be names of item properties'),
      );
    else if (property.default === undefined && !items.required?.includes(key))
      errors.push(
        required(
          `${path}.items.properties[${key}].default`,
          'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property',
        ),
      );
  }
  return errors;
}

/** Below allOf and its like nothing may say what a field is. */
function validatePart(part: any, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const field of ['type', 'description', 'default', 'nullable', 'title'] as const)
    if (part?.[field]) errors.push(forbiddenField(`${path}.${field}`, 'must be empty to be structural'));
  if (part?.additionalProperties !== undefined)
    errors.push(forbiddenField(`${path}.additionalProperties`, 'must be undefined to be structural'));
  for (const [name, property] of Object.entries(part?.properties ?? {}))
    errors.push(...validatePart(property, `${path}.properties[${name}]`));
  if (part?.items) errors.push(...validatePart(part.items, `${path}.items`));
  return [...errors, ...validatePattern(part ?? {}, path)];
}

function validatePattern({ pattern }: any, path: string): FieldError[] {
  const fault = typeof pattern === 'string' && pattern ? patternFault(pattern) : undefined;
  return fault
    ? [invalidValue(`${path}.pattern`, pattern, `must be a valid regular expression, but isn't: ${fault}`)]
    : [];
}

function validateDefault(value: any, schema: any, path: string): FieldError[] {
  const actual = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
  const { type, minimum, maximum } = schema;
  const fits =
    !type ||
    type === actual ||
    (type === 'integer' && Number.isInteger(value)) ||
    (type === 'object' && actual === 'object') ||
    (value === null && schema.nullable);
  if (!fits) return [typeInvalid(path, actual, ` in body must be of type ${type}: ${JSON.stringify(actual)}`)];
  const errors: FieldError[] = [];
  if (typeof value === 'number' && minimum !== undefined && value < minimum)
    errors.push(invalidValue(path, value, ` in body should be greater than or equal to ${minimum}`));
  if (typeof value === 'number' && maximum !== undefined && value > maximum)
    errors.push(invalidValue(path, value, ` in body should be less than or equal to ${maximum}`));
  if (schema.enum && !schema.enum.some((item: unknown) => JSON.stringify(item) === JSON.stringify(value)))
    errors.push(notSupported(path, value, schema.enum));
  return errors;
}

function validateRule(rule: any, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!rule.rule?.trim()) errors.push(required(`${path}.rule`, 'rule is not specified'));
  if (rule.message !== undefined && /[\r\n]/.test(rule.message))
    errors.push(invalidValue(`${path}.message`, rule.message, 'must not contain line breaks'));
  if (rule.reason !== undefined && !reasons.includes(rule.reason))
    errors.push(notSupported(`${path}.reason`, rule.reason, reasons));
  return errors;
}
