// Validates values of custom resources against their schema, with the messages of Kubernetes' OpenAPI validation.
// Constraints on numbers, strings, lists and junctions: limits.ts.

import type { Fields } from '../../machinery/parsed.ts';
import type { Schema } from '../../machinery/schema.ts';
import { spendEffort } from '../../machinery/time/effort.ts';
import type { FieldError } from '../errors.ts';
import { invalidValue, notSupported, required, sameValue, tooMany, typeInvalid } from '../fields.ts';
import { type Correlated, correlate, fieldOf, isUnchanged, itemOf } from './correlate.ts';
import { isSupportedFormat } from './formats.ts';
import { checkNumber, checkString } from './limits.ts';
import { Result } from './result.ts';

/** `pair` has the old value; unchanged parts may be invalid. `base` is the field that contains the value. */
export function validateValue(schema: Schema, value: unknown, base = '', pair?: Correlated): FieldError[] {
  const result = new Result(base);
  check(schema, value, '', pair, result);
  return [...result.errors];
}

/** The whole object, or its changed parts. `structure` is the schema for correlation. */
export const validateCustom = (schema: Schema, object: unknown, structure = schema, old?: unknown): FieldError[] =>
  validateValue(schema, object, '', old === undefined ? undefined : correlate(structure, object, old));

const typeOf = (value: unknown): string => {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'bigint') return 'integer';
  if (typeof value !== 'number') return typeof value;
  return Number.isInteger(value) ? 'integer' : 'number';
};

/** Validates one value against its whole schema. */
function check(schema: Schema, value: unknown, path: string, pair: Correlated | undefined, result: Result): void {
  const before = result.errors.length;
  checkNode(schema, value, path, pair, result);
  if (result.errors.length > before && isUnchanged(pair)) result.keep(before);
}

/** Same, ignoring this value's old value: junctions belong to the enclosing value. */
function checkNode(schema: Schema, value: unknown, path: string, pair: Correlated | undefined, result: Result): void {
  spendEffort(1);
  const type = typeOf(value);
  checkType(schema, type, path, result);
  if (value !== null) {
    if (schema.constraints) checkJunctions(schema, value, path, pair, result);
    if (typeof value === 'string') checkString(schema, value, path, result);
    else if (type === 'integer' || type === 'number') checkNumber(schema, value as number | bigint, path, result);
    else if (Array.isArray(value)) checkItems(schema, value, path, pair, result);
    result.matches += 3;
  }
  if (schema.enum?.length && !isAmong(schema.enum, value)) {
    spendEffort(schema.enum.length);
    result.add(notSupported(result.at(path), value, schema.enum.map(enumText)));
  }
  if (type === 'object') checkFields(schema, value as Fields, path, pair, result);
}

/** Texts of long lists. */
const texts = new WeakMap<readonly unknown[], ReadonlySet<unknown>>();
const fewValues = 16;

function isAmong(list: readonly unknown[], value: unknown): boolean {
  if (typeof value === 'string' && list.length > fewValues) {
    let set = texts.get(list);
    if (!set) texts.set(list, (set = new Set(list.filter((item) => typeof item === 'string'))));
    return set.has(value);
  }
  if (list.length > fewValues) spendEffort(list.length / fewValues);
  return list.some((item) => item !== null && (sameValue(item, value) || isConverted(value, item)));
}

/** Kubernetes converts a value to the Go type of the listed one: 2.5 is among whole numbers as 2, 65 among texts as "A". */
function isConverted(value: unknown, item: unknown): boolean {
  if (typeof value !== 'number') return false;
  if (typeof item === 'number') return Number.isInteger(item) && Math.trunc(value) === item;
  return Number.isInteger(value) && value >= 0 && value <= 0x10_ff_ff && item === String.fromCodePoint(value);
}

const enumText = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));

function checkType(schema: Schema, type: string, path: string, result: Result): void {
  const wanted = schema.intOrString ? ['integer', 'string'] : schema.type ? [schema.type] : [];
  const format = schema.format && isSupportedFormat(schema.type, schema.format) ? schema.format : undefined;
  if (!wanted.length && !format) return;
  const fail = (expected: string, shown: string) =>
    result.add(
      typeInvalid(result.at(path), shown, `${path} in body must be of type ${expected}: ${JSON.stringify(shown)}`),
    );
  if (type === 'null') {
    if (wanted.length && !schema.nullable) return fail(wanted.join(','), 'null');
  } else if (!wanted.includes(type) && !(type === 'integer' && wanted.includes('number'))) {
    const isNumeric = wanted.includes('number') || wanted.includes('integer');
    // A format takes the place of the type in messages, and of the check where the value is a text.
    if (format && type !== 'string' && type !== 'array')
      return fail(format, type === 'integer' ? 'int64' : type === 'number' ? 'float64' : '');
    if (!format || isNumeric) return fail(wanted.join(','), type);
  }
  result.matches++;
}

function checkItems(
  schema: Schema,
  list: readonly unknown[],
  path: string,
  pair: Correlated | undefined,
  result: Result,
): void {
  const { minItems, maxItems } = schema.constraints ?? {};
  if (schema.items)
    for (const [index, item] of list.entries())
      check(schema.items, item, `${path}[${index}]`, itemOf(pair, index), result);
  if (minItems !== undefined && list.length < minItems)
    result.add(invalidValue(result.at(path), list.length, `${path} in body should have at least ${minItems} items`));
  if (maxItems !== undefined && list.length > maxItems) result.add(tooMany(result.at(path), list.length, maxItems));
}

function checkFields(schema: Schema, value: Fields, path: string, pair: Correlated | undefined, result: Result): void {
  const { minProperties, maxProperties } = schema.constraints ?? {};
  const { properties, additionalProperties, required: needed } = schema;
  const names = Object.keys(value);
  if (minProperties !== undefined && names.length < minProperties)
    result.add(
      invalidValue(result.at(path), names.length, `${path} in body should have at least ${minProperties} properties`),
    );
  if (maxProperties !== undefined && names.length > maxProperties)
    result.add(tooMany(result.at(path), names.length, maxProperties));
  for (const name of names) {
    const own = properties?.[name];
    const part = own ?? (typeof additionalProperties === 'object' ? additionalProperties : undefined);
    if (!part) continue;
    const at = path || !own ? `${path}.${name}` : name;
    // An object's version is the requested one: it has no old value.
    const isTypeMeta = path === '' && (name === 'kind' || name === 'apiVersion');
    check(part, value[name], at, isTypeMeta ? undefined : fieldOf(pair, name), result);
  }
  for (const name of needed ?? []) if (!Object.hasOwn(value, name)) result.add(required(result.at(`${path}.${name}`)));
}

function checkJunctions(
  schema: Schema,
  value: unknown,
  path: string,
  pair: Correlated | undefined,
  result: Result,
): void {
  const { allOf, anyOf, oneOf, not } = schema.constraints ?? {};
  if (!allOf && !anyOf && !oneOf && !not) return;
  const trial = (part: Schema): Result => {
    const own = new Result(result.base);
    checkNode(part, value, path, pair, own);
    return own;
  };
  const whole = (text: string) =>
    result.add(invalidValue(result.base || '<nil>', '', `${JSON.stringify(path)} ${text}`));
  if (anyOf) checkAnyOf(anyOf, trial, whole, result);
  if (oneOf) checkOneOf(oneOf, trial, whole, result);
  if (allOf) {
    const trials = allOf.map(trial);
    const valid = trials.filter(({ errors }) => !errors.length).length;
    for (const one of trials) result.merge(one);
    if (valid < trials.length) whole(`must validate all the schemas (allOf)${valid ? '' : '. None validated'}`);
  }
  if (not && !trial(not).errors.length) whole('must not validate the schema (not)');
}

type Trial = (part: Schema) => Result;

/** The best of the trials so far: the first one of those with the most matches. */
const better = (best: Result | undefined, next: Result): Result => (best && next.matches <= best.matches ? best : next);

function checkAnyOf(parts: readonly Schema[], trial: Trial, whole: (text: string) => void, result: Result): void {
  let best: Result | undefined;
  for (const part of parts) {
    const found = trial(part);
    if (!found.errors.length) return result.merge(found);
    best = better(best, found);
  }
  whole('must validate at least one schema (anyOf)');
  if (best) result.merge(best);
}

function checkOneOf(parts: readonly Schema[], trial: Trial, whole: (text: string) => void, result: Result): void {
  let best: Result | undefined;
  let valid: Result | undefined;
  let count = 0;
  for (const part of parts) {
    const found = trial(part);
    if (found.errors.length) best = better(best, found);
    else {
      count++;
      valid ??= found;
    }
  }
  if (valid && count === 1) return result.merge(valid);
  whole(
    `must validate one and only one schema (oneOf). ${count ? `Found ${count} valid alternatives` : 'Found none valid'}`,
  );
  if (!count && best) result.merge(best);
}
