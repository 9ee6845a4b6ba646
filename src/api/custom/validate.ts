// Values of custom resources against their schema, in the words of Kubernetes' OpenAPI validation.

import { parseDuration } from '../../machinery/duration.ts';
import { parseCidr, parseIp } from '../../machinery/ip.ts';
import { compilePattern, patternFault } from '../../machinery/pattern.ts';
import type { Constraints, Schema } from '../../machinery/schema.ts';
import type { FieldError } from '../errors.ts';
import {
  duplicate,
  invalidValue,
  notSupported,
  required,
  sameValue,
  tooLong,
  tooMany,
  typeInvalid,
} from '../fields.ts';
import { parseTime } from '../time.ts';

/** The whole object; metadata is checked elsewhere. */
export function validateCustom(schema: Schema, object: any): FieldError[] {
  const { properties: { metadata: _, ...properties } = {}, ...rest } = schema;
  const { metadata: __, ...value } = object;
  return validate({ ...rest, properties, preserveUnknownFields: true }, value, '');
}

const typeOf = (value: unknown): string =>
  value === null
    ? 'null'
    : Array.isArray(value)
      ? 'array'
      : typeof value === 'number'
        ? Number.isInteger(value)
          ? 'integer'
          : 'number'
        : typeof value;

function fitsType(schema: Schema, actual: string): boolean {
  if (schema.intOrString) return actual === 'integer' || actual === 'string';
  return !schema.type || schema.type === actual || (schema.type === 'number' && actual === 'integer');
}

function validate(schema: Schema, value: any, path: string): FieldError[] {
  if (value === null && schema.nullable) return [];
  const actual = typeOf(value);
  if (!fitsType(schema, actual)) {
    const wanted = schema.intOrString ? 'integer,string' : schema.type;
    return [typeInvalid(path, actual, `${path} in body must be of type ${wanted}: ${JSON.stringify(actual)}`)];
  }
  const errors: FieldError[] = [];
  const limits = schema.constraints ?? {};
  if (schema.enum && !schema.enum.some((item) => sameValue(item, value)))
    errors.push(notSupported(path, value, schema.enum.map(String)));
  if (typeof value === 'string') errors.push(...validateString(schema, limits, value, path));
  if (typeof value === 'number') errors.push(...validateNumber(limits, value, path));
  if (Array.isArray(value)) errors.push(...validateList(schema, limits, value, path));
  else if (actual === 'object') errors.push(...validateObject(schema, limits, value, path));
  return [...errors, ...validateJunctions(limits, value, path)];
}

/** Undefined when the text matches; a definition from before patterns were checked may have one that is none. */
function patternMismatch(pattern: string, text: string): string | undefined {
  const fault = patternFault(pattern);
  if (fault) return `${pattern}, but pattern is invalid: ${fault}`;
  return compilePattern(pattern).test(text) ? undefined : pattern;
}

/** Formats that are checked; others say nothing. */
const formats: Readonly<Record<string, (text: string) => boolean>> = {
  'date-time': (text) => parseTime(text) !== undefined,
  date: (text) => /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text)),
  duration: (text) => parseDuration(text) !== undefined,
  ipv4: (text) => parseIp(text)?.family === 4,
  ipv6: (text) => parseIp(text)?.family === 6,
  cidr: (text) => parseCidr(text) !== undefined,
  uuid: (text) => /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i.test(text),
  email: (text) => /^[^@\s]+@[^@\s]+$/.test(text),
  uri: (text) => /^[a-z][a-z0-9+.-]*:/i.test(text) || text.startsWith('/'),
  hostname: (text) =>
    text.length <= 255 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/i.test(text),
  byte: (text) => /^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0,
};

function validateString({ format }: Schema, limits: Constraints, value: string, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const length = [...value].length;
  // Only the first of these three is told.
  if (limits.minLength !== undefined && length < limits.minLength)
    errors.push(invalidValue(path, value, `${path} in body should be at least ${limits.minLength} chars long`));
  else if (limits.maxLength !== undefined && length > limits.maxLength) errors.push(tooLong(path, limits.maxLength));
  else if (limits.pattern) {
    const mismatch = patternMismatch(limits.pattern, value);
    if (mismatch !== undefined) errors.push(invalidValue(path, value, `${path} in body should match '${mismatch}'`));
  }
  if (format && formats[format] && !formats[format](value))
    errors.push(typeInvalid(path, value, `${path} in body must be of type ${format}: ${JSON.stringify(value)}`));
  return errors;
}

function validateNumber(limits: Constraints, value: number, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const { minimum, maximum, multipleOf, exclusiveMinimum, exclusiveMaximum } = limits;
  if (minimum !== undefined && (exclusiveMinimum ? value <= minimum : value < minimum))
    errors.push(
      invalidValue(
        path,
        value,
        `${path} in body should be greater than ${exclusiveMinimum ? '' : 'or equal to '}${minimum}`,
      ),
    );
  if (maximum !== undefined && (exclusiveMaximum ? value >= maximum : value > maximum))
    errors.push(
      invalidValue(
        path,
        value,
        `${path} in body should be less than ${exclusiveMaximum ? '' : 'or equal to '}${maximum}`,
      ),
    );
  if (multipleOf !== undefined && !Number.isInteger(value / multipleOf))
    errors.push(invalidValue(path, value, `${path} in body should be a multiple of ${multipleOf}`));
  return errors;
}

function validateList(schema: Schema, limits: Constraints, list: readonly any[], path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (limits.minItems !== undefined && list.length < limits.minItems)
    errors.push(invalidValue(path, list.length, `${path} in body should have at least ${limits.minItems} items`));
  if (limits.maxItems !== undefined && list.length > limits.maxItems)
    errors.push(tooMany(path, list.length, limits.maxItems));
  for (const [index, item] of list.entries())
    if (schema.items) errors.push(...validate(schema.items, item, `${path}[${index}]`));
  const keys = schema.listMapKeys ?? [];
  const identity = (item: any) =>
    schema.listType === 'map'
      ? Object.fromEntries(keys.map((key) => [key, item?.[key] ?? schema.items?.properties?.[key]?.default]))
      : item;
  if (schema.listType === 'set' || schema.listType === 'map')
    for (const [index, item] of list.entries()) {
      const own = identity(item);
      if (list.slice(0, index).some((other) => sameValue(identity(other), own)))
        errors.push(duplicate(`${path}[${index}]`, own));
    }
  return errors;
}

function validateObject(schema: Schema, limits: Constraints, value: any, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const at = (key: string) => (path ? `${path}.${key}` : key);
  const count = Object.keys(value).length;
  if (limits.minProperties !== undefined && count < limits.minProperties)
    errors.push(invalidValue(path, count, `${path} in body should have at least ${limits.minProperties} properties`));
  if (limits.maxProperties !== undefined && count > limits.maxProperties)
    errors.push(tooMany(path, count, limits.maxProperties));
  const needed = schema.embeddedResource ? ['apiVersion', 'kind', ...(schema.required ?? [])] : (schema.required ?? []);
  for (const key of new Set(needed)) if (value[key] === undefined) errors.push(required(at(key)));
  for (const [key, inner] of Object.entries(value)) {
    const part = schema.properties?.[key];
    if (part) errors.push(...validate(part, inner, at(key)));
    else if (typeof schema.additionalProperties === 'object')
      errors.push(...validate(schema.additionalProperties, inner, at(key)));
  }
  return errors;
}

function validateJunctions({ allOf, anyOf, oneOf, not }: Constraints, value: any, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const holds = (schema: Schema) => validate(schema, value, path).length === 0;
  const whole = (message: string): FieldError => invalidValue('<nil>', '', `${JSON.stringify(path)} ${message}`);
  for (const part of allOf ?? []) errors.push(...validate(part, value, path));
  if (anyOf && !anyOf.some(holds)) errors.push(whole('must validate at least one schema (anyOf)'));
  if (oneOf) {
    const found = oneOf.filter(holds).length;
    if (found !== 1)
      errors.push(
        whole(
          `must validate one and only one schema (oneOf). ${found ? `Found ${found} valid alternatives` : 'Found none valid'}`,
        ),
      );
  }
  if (not && holds(not)) errors.push(whole('must not validate the schema (not)'));
  return errors;
}
