// The faults that validation finds, one function a sort, with the sentences of Kubernetes.

import type { Fields } from '../machinery/parsed.ts';
import type { FieldError, FieldErrorType } from './errors.ts';

/** Characters of a field or value in a message: an answer has each several times. */
const mostShown = 1 << 16;

const shortened = (text: string): string =>
  text.length > mostShown ? `${text.slice(0, mostShown)}... (${text.length - mostShown} more characters)` : text;

const fault = (type: FieldErrorType, field: string, message: string): FieldError => ({
  type,
  field: shortened(field),
  message,
});

/** Formats values as Go does: strings quoted, others as JSON with HTML escaped. */
const show = (value: unknown): string =>
  shortened(typeof value === 'string' ? quote(value) : value === undefined ? 'null' : goJson(value));
const goJson = (value: unknown): string =>
  JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
/** As Go's %q. */
const quote = (text: string): string =>
  JSON.stringify(text).replace(/\\u00([01][0-9a-f])|\u007f/g, (_, code = '7f') =>
    code === '07' ? '\\a' : code === '0b' ? '\\v' : `\\x${code}`,
  );
const detailed = (text: string, detail: string) => (detail ? `${text}: ${detail}` : text);
/** For values that Kubernetes leaves out of the message. */
export const omitted: unique symbol = Symbol('omitted');
const bad = (value: unknown) => (value === omitted ? '' : `: ${show(value)}`);

export const required = (field: string, detail = ''): FieldError =>
  fault('FieldValueRequired', field, detailed('Required value', detail));
export const invalidValue = (field: string, value: unknown, detail: string): FieldError =>
  fault('FieldValueInvalid', field, detailed(`Invalid value${bad(value)}`, detail));
/** One fault for each sentence. */
export const invalidValues = (field: string, value: unknown, details: readonly string[]): FieldError[] =>
  details.map((detail) => invalidValue(field, value, detail));
export const notSupported = (field: string, value: unknown, supported: readonly string[]): FieldError =>
  fault(
    'FieldValueNotSupported',
    field,
    `Unsupported value: ${show(value)}: supported values: ${supported.map(quote).join(', ')}`,
  );
export const forbiddenField = (field: string, detail: string): FieldError =>
  fault('FieldValueForbidden', field, detailed('Forbidden', detail));
export const duplicate = (field: string, value: unknown): FieldError =>
  fault('FieldValueDuplicate', field, `Duplicate value: ${show(value)}`);
export const tooLong = (field: string, maxBytes: number): FieldError =>
  fault('FieldValueTooLong', field, `Too long: may not be more than ${maxBytes} ${maxBytes === 1 ? 'byte' : 'bytes'}`);
export const tooMany = (field: string, actual: number, max: number): FieldError =>
  fault('FieldValueTooMany', field, `Too many: ${actual}: must have at most ${max} ${max === 1 ? 'item' : 'items'}`);
export const notFoundValue = (field: string, value: unknown): FieldError =>
  fault('FieldValueNotFound', field, `Not found: ${show(value)}`);
export const typeInvalid = (field: string, value: unknown, detail: string): FieldError =>
  fault('FieldValueTypeInvalid', field, detailed(`Invalid value: ${show(value)}`, detail));

const immutableMessage = 'field is immutable';
export const immutableField = (field: string, value: unknown): FieldError =>
  invalidValue(field, value, immutableMessage);

/** Numbers that may not be negative. Undefined is fine. */
export const nonNegative = (field: string, value: number | undefined | null): FieldError[] =>
  value !== undefined && value !== null && value < 0
    ? [invalidValue(field, value, 'must be greater than or equal to 0')]
    : [];

/** The value, when given, must be one of `supported`. */
export const oneOf = (field: string, value: unknown, supported: readonly string[]): FieldError[] =>
  value === undefined || value === null || supported.includes(value as string)
    ? []
    : [notSupported(field, value, supported)];

/** Equality of JSON values, regardless of field order; missing, null and empty differ. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const left = a as Fields;
  const right = b as Fields;
  const keys = Object.keys(left);
  if (keys.length !== Object.keys(right).length) return false;
  return keys.every((key) => key in right && sameValue(left[key], right[key]));
}

const isBlank = (value: unknown): boolean =>
  value === undefined || value === null || (typeof value === 'object' && Object.keys(value).length === 0);

/** The same for values printed as internal types: there, an empty list or map equals a missing one. */
function sameInternal(a: unknown, b: unknown): boolean {
  if (isBlank(a) && isBlank(b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const left = a as Fields;
  const right = b as Fields;
  return Object.keys({ ...left, ...right }).every((key) => sameInternal(left[key], right[key]));
}

/** A value of an internal type that differs from `old` and may not. */
export const unchangedInternal = (path: string, next: unknown, old: unknown): FieldError[] =>
  sameInternal(next, old) ? [] : [immutableField(path, next)];

/** Fields of `next` that differ from `old` and may not. */
export const unchanged = (path: string, next: unknown, old: unknown): FieldError[] =>
  sameValue(next ?? null, old ?? null) ? [] : [immutableField(path, next)];
