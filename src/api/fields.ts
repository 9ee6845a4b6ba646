// The faults that validation finds, one function a sort, with the sentences of Kubernetes.

import type { FieldError, FieldErrorType } from './errors.ts';

const fault = (type: FieldErrorType, field: string, message: string): FieldError => ({ type, field, message });

/** Values are shown as Go would: strings quoted, everything else as JSON. */
const show = (value: unknown): string => (value === undefined || value === null ? 'null' : JSON.stringify(value));
const detailed = (text: string, detail: string) => (detail ? `${text}: ${detail}` : text);

export const required = (field: string, detail = ''): FieldError =>
  fault('FieldValueRequired', field, detailed('Required value', detail));
export const invalidValue = (field: string, value: unknown, detail: string): FieldError =>
  fault('FieldValueInvalid', field, detailed(`Invalid value: ${show(value)}`, detail));
/** One fault for each sentence. */
export const invalidValues = (field: string, value: unknown, details: readonly string[]): FieldError[] =>
  details.map((detail) => invalidValue(field, value, detail));
export const notSupported = (field: string, value: unknown, supported: readonly string[]): FieldError =>
  fault(
    'FieldValueNotSupported',
    field,
    `Unsupported value: ${show(value)}: supported values: ${supported.map((v) => JSON.stringify(v)).join(', ')}`,
  );
export const forbiddenField = (field: string, detail: string): FieldError =>
  fault('FieldValueForbidden', field, detailed('Forbidden', detail));
export const duplicate = (field: string, value: unknown): FieldError =>
  fault('FieldValueDuplicate', field, `Duplicate value: ${show(value)}`);
export const tooLong = (field: string, maxBytes: number): FieldError =>
  fault('FieldValueTooLong', field, `Too long: may not be more than ${maxBytes} bytes`);
export const tooMany = (field: string, actual: number, max: number): FieldError =>
  fault('FieldValueTooMany', field, `Too many: ${actual}: must have at most ${max} items`);
export const notFoundValue = (field: string, value: unknown): FieldError =>
  fault('FieldValueNotFound', field, `Not found: ${show(value)}`);
export const typeInvalid = (field: string, value: unknown, detail: string): FieldError =>
  fault('FieldValueTypeInvalid', field, detailed(`Invalid value: ${show(value)}`, detail));

export const immutableMessage = 'field is immutable';
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

/** Equality of JSON values, whatever the order of their fields; missing, null and empty are not the same. */
export function sameValue(a: any, b: any): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => key in b && sameValue(a[key], b[key]));
}

/** Fields of `next` that differ from `old` and may not. */
export const unchanged = (path: string, next: any, old: any): FieldError[] =>
  sameValue(next ?? null, old ?? null) ? [] : [immutableField(path, next)];
