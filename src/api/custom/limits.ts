// Constraints on strings and numbers of custom resources beside their type.

import type { Schema } from '../../machinery/schema.ts';
import { compilePattern, patternFault } from '../../machinery/text/pattern.ts';
import { spendEffort } from '../../machinery/time/effort.ts';
import { invalidValue, tooLong, typeInvalid } from '../fields.ts';
import { hasFormat, isSupportedFormat } from './formats.ts';
import type { Result } from './result.ts';

export function checkString({ format, constraints = {} }: Schema, value: string, path: string, result: Result): void {
  const { minLength, maxLength, pattern } = constraints;
  const field = result.at(path);
  const length = minLength === undefined && maxLength === undefined ? 0 : lengthOf(value);
  // Only the first of these three is reported.
  if (maxLength !== undefined && length > maxLength) result.add(tooLong(field, maxLength));
  else if (minLength !== undefined && length < minLength)
    result.add(invalidValue(field, value, `${path} in body should be at least ${minLength} chars long`));
  else if (pattern) {
    const mismatch = patternMismatch(pattern, value);
    if (mismatch !== undefined) result.add(invalidValue(field, value, `${path} in body should match '${mismatch}'`));
  }
  if (format && isSupportedFormat('string', format) && !hasFormat(format, value))
    result.add(typeInvalid(field, value, `${path} in body must be of type ${format}: ${JSON.stringify(value)}`));
}

/** Undefined when the text matches; a definition from before patterns were checked may have one that is none. */
function patternMismatch(pattern: string, text: string): string | undefined {
  spendEffort(effortOf(pattern, text));
  const fault = patternFault(pattern);
  if (fault) return `${pattern}, but pattern is invalid: ${fault}`;
  return compilePattern(pattern).test(text) ? undefined : pattern;
}

/** Nodes of a pattern that repeats a part by number, at most; of others one a character. */
const repeatedNodes = 1_000;
/** Nodes that one step passes a character through. */
const nodesOfStep = 200;

/** Time is linear in the text, and in the nodes of the pattern. */
function effortOf(pattern: string, text: string): number {
  const nodes = /\{\d/.test(pattern) ? Math.max(pattern.length, repeatedNodes) : pattern.length;
  return (nodes * text.length) / nodesOfStep;
}

/** Characters, a surrogate pair being one. */
function lengthOf(text: string): number {
  let length = text.length;
  for (let i = 0; i < text.length; i++) if ((text.charCodeAt(i) & 0xfc00) === 0xd800) length--;
  return length;
}

const ranges: Readonly<Record<string, readonly [lowest: bigint, highest: bigint]>> = {
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
};
const largestFloat = 3.4028235677973366e38;

/** Whether the type and format can represent the number; constraints are checked too. */
function fitsRange(type: string | undefined, format: string | undefined, value: number | bigint): boolean {
  if (type === 'integer') {
    if (typeof value === 'number' && !Number.isInteger(value)) return false;
    const [lowest, highest] = ranges[format ?? ''] ?? ranges.int64;
    return value >= lowest && value <= highest;
  }
  return type !== 'number' || format !== 'float' || Math.abs(Number(value)) < largestFloat;
}

export function checkNumber(schema: Schema, value: number | bigint, path: string, result: Result): void {
  const { minimum, maximum, multipleOf, exclusiveMinimum, exclusiveMaximum } = schema.constraints ?? {};
  const type = schema.intOrString ? undefined : schema.type;
  const format = schema.format && type && isSupportedFormat(type, schema.format) ? schema.format : undefined;
  const inRange = (number: number | bigint, label: string): boolean => {
    if (fitsRange(type, format, number)) return true;
    const kind = format ? `${type} with format ${format}` : `${type} (default format)`;
    result.add(invalidValue(result.base || '<nil>', '', `${label} value must be of type ${kind} in ${path}`));
    return false;
  };
  const fail = (text: string) => result.add(invalidValue(result.at(path), shown(value), `${path} in body ${text}`));
  inRange(value, 'Checked');
  if (multipleOf !== undefined) checkMultiple(value, multipleOf, inRange(multipleOf, 'MultipleOf'), path, result);
  if (minimum !== undefined) {
    const limit = isWhole(value) && inRange(minimum, 'Minimum boundary') ? Math.trunc(minimum) : minimum;
    if (exclusiveMinimum ? value <= limit : value < limit)
      fail(`should be greater than ${exclusiveMinimum ? '' : 'or equal to '}${limit}`);
  }
  if (maximum !== undefined) {
    const limit = isWhole(value) && inRange(maximum, 'Maximum boundary') ? Math.trunc(maximum) : maximum;
    if (exclusiveMaximum ? value >= limit : value > limit)
      fail(`should be less than ${exclusiveMaximum ? '' : 'or equal to '}${limit}`);
  }
  result.matches++;
}

const isWhole = (value: number | bigint) => typeof value === 'bigint' || Number.isInteger(value);
const shown = (value: number | bigint) => (typeof value === 'bigint' ? Number(value) : value);

function checkMultiple(
  value: number | bigint,
  multipleOf: number,
  native: boolean,
  path: string,
  result: Result,
): void {
  const factor = native && isWhole(value) ? Math.trunc(multipleOf) : multipleOf;
  if (factor <= 0)
    result.add(
      invalidValue(result.at(path), factor, `factor MultipleOf declared for ${path} must be positive: ${factor}`),
    );
  else if (!isMultiple(value, factor))
    result.add(invalidValue(result.at(path), shown(value), `${path} in body should be a multiple of ${factor}`));
}

function isMultiple(value: number | bigint, factor: number): boolean {
  if (typeof value === 'bigint' && Number.isInteger(factor)) return value % BigInt(factor) === 0n;
  const quotient = factor < 1 ? (1 / factor) * Number(value) : Number(value) / factor;
  return Math.abs(quotient - Math.round(quotient)) < 1e-9;
}
