// Arithmetic within the ranges of int and uint, and numbers as text.

import { fail, Uint } from './values.ts';

export const mostInt = 2n ** 63n - 1n;
export const leastInt = -(2n ** 63n);
export const mostUint = 2n ** 64n - 1n;

export const toInt = (value: bigint): bigint =>
  value > mostInt || value < leastInt ? fail('integer overflow') : value;
export const toUint = (value: bigint): Uint =>
  value > mostUint || value < 0n ? fail('unsigned integer overflow') : new Uint(value);

export function doubleToInt(value: number): bigint {
  if (!Number.isFinite(value) || value <= -(2 ** 63) || value >= 2 ** 63) return fail('integer overflow');
  return BigInt(Math.trunc(value));
}

export function doubleToUint(value: number): Uint {
  if (!Number.isFinite(value) || value < 0 || value >= 2 ** 64) return fail('unsigned integer overflow');
  return new Uint(BigInt(Math.trunc(value)));
}

/** Undefined when the text is no int. */
export function intFromText(text: string): bigint | undefined {
  if (!/^[+-]?[0-9]{1,40}$/.test(text)) return undefined;
  const value = BigInt(text.replace(/^\+/, ''));
  return value > mostInt || value < leastInt ? undefined : value;
}

export function uintFromText(text: string): Uint | undefined {
  if (!/^[0-9]{1,40}$/.test(text)) return undefined;
  const value = BigInt(text);
  return value > mostUint ? undefined : new Uint(value);
}

/** Go's strconv.ParseFloat. */
export function doubleFromText(text: string): number | undefined {
  if (/^[+-]?(inf|infinity)$/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  if (/^nan$/i.test(text)) return Number.NaN;
  if (!/^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

/** Go's %g with the shortest digits. */
export function doubleText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const [mantissa, exponentText] = value.toExponential().split('e') as [string, string];
  const exponent = Number(exponentText);
  return exponent < -4 || exponent >= 6 ? withExponent(mantissa, exponent) : plain(mantissa, exponent);
}

function withExponent(mantissa: string, exponent: number): string {
  return `${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

function plain(mantissa: string, exponent: number): string {
  const sign = mantissa.startsWith('-') ? '-' : '';
  const digits = mantissa.replace(/[-.]/g, '');
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  if (digits.length <= exponent + 1) return `${sign}${digits.padEnd(exponent + 1, '0')}`;
  return `${sign}${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`;
}

/** Go's %.Nf: a tie is rounded to the even digit. */
export function fixedText(value: number, precision: number): string {
  if (!Number.isFinite(value)) return doubleText(value);
  const digits = Math.min(precision, mostDigits);
  const text = value.toFixed(digits);
  if (text.includes('e')) return `${BigInt(value)}${precision ? `.${'0'.repeat(precision)}` : ''}`;
  return (middleText(value, digits) ?? text) + '0'.repeat(precision - digits);
}

const mostDigits = 80;
const behind = 20;

/** Undefined when the value is not in the middle, or its even neighbour is the one above. */
function middleText(value: number, digits: number): string | undefined {
  const exact = value.toFixed(digits + behind);
  if (!/^50*$/.test(exact.slice(-behind))) return undefined;
  const below = exact.slice(0, -behind).replace(/\.$/, '');
  return /[02468]$/.test(below) ? below : undefined;
}
