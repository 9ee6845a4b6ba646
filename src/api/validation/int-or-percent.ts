// Numbers that may also be a share: maxSurge, maxUnavailable, minAvailable.

import type { FieldError } from '../errors.ts';
import { invalidValue, nonNegative } from '../fields.ts';

const percentFault =
  "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";

type Value = number | string | undefined;

/** A whole number from 0 up, or a percentage. */
export function validateIntOrPercent(value: Value, path: string): FieldError[] {
  if (typeof value === 'number') return nonNegative(path, value);
  if (typeof value === 'string' && !/^[0-9]+%$/.test(value)) return [invalidValue(path, value, percentFault)];
  return [];
}

export const notOver100Percent = (value: Value, path: string): FieldError[] =>
  typeof value === 'string' && /^[0-9]+%$/.test(value) && Number(value.slice(0, -1)) > 100
    ? [invalidValue(path, value, 'must not be greater than 100%')]
    : [];

export const validateMaxUnavailable = (value: Value, path: string): FieldError[] => [
  ...validateIntOrPercent(value, path),
  ...notOver100Percent(value, path),
];

export const intOrPercentIsZero = (value: Value): boolean =>
  typeof value === 'string' ? !/^(?:0*[1-9]\d*%|[-+]?0*[1-9]\d*)$/.test(value) : !value;
