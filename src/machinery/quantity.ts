// Resource quantities: "100m", "1.5Gi", "2e3". Stored exactly, in billionths, the smallest unit of Kubernetes.
// https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
// Size is bounded before any arithmetic: an exponent of a billion or a million digits costs no more than reading it.
import { TextCache } from './collections/text-cache.ts';

export type QuantityFormat = 'DecimalSI' | 'BinarySI' | 'DecimalExponent';

export interface Quantity {
  /** The value times 10^9. */
  readonly nanos: bigint;
  readonly format: QuantityFormat;
}

/** The text is not a quantity; Kubernetes defines `message`. */
export class QuantityError extends Error {
  override readonly name = 'QuantityError';
}

const formatWrong = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const suffixWrong = "unable to parse quantity's suffix";

const decimalSuffixes: readonly (readonly [suffix: string, exponent: number])[] = [
  ['E', 18],
  ['P', 15],
  ['T', 12],
  ['G', 9],
  ['M', 6],
  ['k', 3],
  ['', 0],
  ['m', -3],
  ['u', -6],
  ['n', -9],
];
const decimalExponents = new Map(decimalSuffixes);
const binarySuffixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const million = 1_000_000n;
const billion = 1_000_000_000n;

/** "No quantity may represent a number greater than 2^63-1 in magnitude": larger ones are capped. */
const most = (2n ** 63n - 1n) * billion;
/** Digits of `most`; a value with more digits is capped without arithmetic. */
const mostDigits = 28;
/** Digits behind the point that can matter for a binary suffix: nine of 2^60, rounded up. */
const binaryFractionDigits = 40;

/** A cluster writes the same few quantities again and again, and exact arithmetic is slow. */
const limits = { longest: 64 };
const parsed = new TextCache(parse, limits);
const canonicals = new TextCache((text) => formatQuantity(parseQuantity(text)), limits);

/** Throws QuantityError. Digits beyond the ninth after the point are rounded up (away from zero). */
export const parseQuantity = (text: string): Quantity => parsed.get(text);

function parse(text: string): Quantity {
  const { negative, whole, fraction, suffix } = scan(text);
  const { format, power, binary } = suffixOf(suffix);
  const size = binary
    ? binaryNanos(whole, fraction, power)
    : decimalNanos(whole + fraction, power - fraction.length + 9);
  const nanos = size > most ? most : size;
  return {
    nanos: negative ? -nanos : nanos,
    // Amounts below one are decimal, so that nothing is rounded.
    format: format === 'BinarySI' && nanos > 0n && nanos < billion ? 'DecimalSI' : format,
  };
}

interface Scanned {
  readonly negative: boolean;
  /** Digits before the point, without leading zeros. */
  readonly whole: string;
  readonly fraction: string;
  readonly suffix: string;
}

/** Splits the text in one pass. A sign or a point without digits counts as 0, as in Kubernetes. */
function scan(text: string): Scanned {
  if (text === '') throw new QuantityError(formatWrong);
  let at = text[0] === '-' || text[0] === '+' ? 1 : 0;
  const digits = () => {
    const from = at;
    while (isDigit(text.charCodeAt(at))) at++;
    return text.slice(from, at);
  };
  while (text[at] === '0') at++;
  const whole = digits();
  let fraction = '';
  if (text[at] === '.') {
    at++;
    fraction = digits();
  }
  const from = at;
  while (at < text.length && 'eEinumkKMGTP'.includes(text[at])) at++;
  if (text[at] === '-' || text[at] === '+') at++;
  digits();
  if (at < text.length) throw new QuantityError(formatWrong);
  return { negative: text[0] === '-', whole, fraction, suffix: text.slice(from) };
}

const isDigit = (code: number) => code >= 48 && code <= 57;

function suffixOf(suffix: string): { format: QuantityFormat; power: number; binary: boolean } {
  const exponent = decimalExponents.get(suffix);
  if (exponent !== undefined) return { format: 'DecimalSI', power: exponent, binary: false };
  const power = binarySuffixes.indexOf(suffix);
  if (power > 0) return { format: 'BinarySI', power, binary: true };
  if (!/^[eE][-+]?[0-9]+$/.test(suffix)) throw new QuantityError(suffixWrong);
  const value = Number(suffix.slice(1));
  if (Math.abs(value) >= 2 ** 63) throw new QuantityError(suffixWrong);
  return { format: 'DecimalExponent', power: value, binary: false };
}

/** digits * 10^power, rounded up to a whole number, and capped at `most` or above. */
function decimalNanos(given: string, power: number): bigint {
  const digits = given.replace(/^0+/, '');
  if (digits === '') return 0n;
  const length = digits.length + power;
  if (length > mostDigits) return most;
  if (length <= 0) return 1n;
  if (power >= 0) return BigInt(digits) * 10n ** BigInt(power);
  const isExact = /^0*$/.test(digits.slice(length));
  return BigInt(digits.slice(0, length)) + (isExact ? 0n : 1n);
}

function binaryNanos(whole: string, fraction: string, power: number): bigint {
  if (whole.length > mostDigits) return most;
  const kept = fraction.slice(0, binaryFractionDigits);
  const scaled = BigInt(whole + kept || '0') * (1n << BigInt(10 * power)) * billion;
  const divisor = 10n ** BigInt(kept.length);
  const isExact = scaled % divisor === 0n && /^0*$/.test(fraction.slice(binaryFractionDigits));
  return scaled / divisor + (isExact ? 0n : 1n);
}

/** Whole bytes with a binary suffix, such as 64Mi. */
export const formatBytes = (bytes: number): string =>
  formatQuantity({ nanos: BigInt(bytes) * billion, format: 'BinarySI' });

/** The canonical form: the largest suffix that leaves no fraction. */
export function formatQuantity({ nanos, format }: Quantity): string {
  if (nanos === 0n) return '0';
  const size = nanos < 0n ? -nanos : nanos;
  const sign = nanos < 0n ? '-' : '';
  if (format === 'BinarySI' && size >= 1024n * billion && size % billion === 0n) {
    let value = size / billion;
    let suffix = 0;
    while (value % 1024n === 0n && suffix < binarySuffixes.length - 1) {
      value /= 1024n;
      suffix++;
    }
    return `${sign}${value}${binarySuffixes[suffix]}`;
  }
  for (const [suffix, exponent] of decimalSuffixes) {
    const unit = 10n ** BigInt(exponent + 9);
    if (size % unit !== 0n) continue;
    if (format !== 'DecimalExponent') return `${sign}${size / unit}${suffix}`;
    return exponent === 0 ? `${sign}${size / unit}` : `${sign}${size / unit}e${exponent}`;
  }
  return `${sign}${size}n`; // every whole number of billionths has the suffix n
}

/** Whole numbers that do not end in three zeros, and three digits with most suffixes. */
const alreadyCanonical = /^(?:0|[1-9][0-9]{0,2}(?:m|k|M|G|T|Ki|Mi|Gi|Ti)?|[1-9][0-9]*(?!000)[0-9]{3})$/;

const longestKept = 24;
const plainText = /^[-+]?0*([0-9]*)(?:\.([0-9]*))?([a-zA-Z]{0,2}|[eE][-+]?[0-9]{1,3})$/;

/**
 * Canonical texts stay as given, even if the value is capped: at most 18 digits, an exponent that is a multiple of
 * three, and no factor of a thousand in the number (binary: not divisible by eight). So "1E3" and "1.500" stay, and
 * "1000m" and "1.5" do not.
 */
function isKept(text: string): boolean {
  const parts = text.length < longestKept ? plainText.exec(text) : null;
  if (!parts) return false;
  const [, whole, fraction = '', suffix] = parts;
  const digits = (whole || '0') + fraction;
  const power = binarySuffixes.indexOf(suffix);
  if (power > 0) return !fraction && isKeptBinary(digits, power);
  const scale = (decimalExponents.get(suffix) ?? Number(suffix.slice(1))) - fraction.length;
  if (Number.isNaN(scale) || scale < -9 || scale % 3 !== 0) return false;
  return digits.length <= 18 && digits[0] !== '0' && !digits.endsWith('000');
}

const isKeptBinary = (digits: string, power: number): boolean =>
  15 - digits.length - 3 * power - 1 >= 0 && BigInt(digits) % 8n !== 0n;

/** Throws QuantityError. */
export function canonicalQuantity(value: string | number): string {
  const text = String(value);
  if (text.length < 16 && alreadyCanonical.test(text)) return text;
  if (isKept(text)) return text;
  return canonicals.get(text);
}

/** The canonical form of an amount in a ResourceList, rounded up to thousandths. */
export function canonicalResource(value: string | number): string {
  const canonical = canonicalQuantity(value);
  if (!/[nu.]|[eE]-/.test(canonical)) return canonical;
  const { nanos, format } = parseQuantity(canonical);
  if (nanos % million === 0n) return canonical;
  return formatQuantity({ nanos: awayFromZero(nanos, million) * million, format });
}

/** The value in thousandths, rounded up: the scheduler's unit of CPU. Throws QuantityError. */
export function milliValue(value: string | number): number {
  const text = String(value);
  if (text.length < 14) {
    if (/^[0-9]+m$/.test(text)) return Number(text.slice(0, -1));
    if (/^[0-9]+$/.test(text)) return Number(text) * 1000;
  }
  return Number(awayFromZero(parseQuantity(text).nanos, million));
}

/** The same as `wholeValue`, exact for any size. Throws QuantityError. */
export const exactWholeValue = (value: string | number): bigint =>
  awayFromZero(parseQuantity(String(value)).nanos, billion);

/** The value as a whole number, rounded up: bytes, pods. Throws QuantityError. */
export function wholeValue(value: string | number): number {
  const text = String(value);
  if (text.length < 16 && /^[0-9]+$/.test(text)) return Number(text);
  return Number(awayFromZero(parseQuantity(text).nanos, billion));
}

/**
 * Whether the value is whole; fractions below a thousandth are rounded up first. Kubernetes counts in thousandths of 64
 * bits, so that amounts with a binary suffix which do not fit, such as 1Ei, are not whole. Throws QuantityError.
 */
export function isWholeQuantity(value: string | number): boolean {
  if (isWhole(value)) return true;
  const { nanos, format } = parseQuantity(String(value));
  const thousandths = awayFromZero(nanos, million);
  return (format === 'BinarySI' ? BigInt.asIntN(64, thousandths) : thousandths) % 1000n === 0n;
}

function awayFromZero(nanos: bigint, unit: bigint): bigint {
  const size = nanos < 0n ? -nanos : nanos;
  const units = (size + unit - 1n) / unit;
  return nanos < 0n ? -units : units;
}

const isWhole = (value: string | number): boolean => {
  const text = String(value);
  return text.length < 16 && /^[0-9]+$/.test(text);
};

/** Negative when a < b, 0 when equal, positive when a > b. Throws QuantityError. */
export function compareQuantities(a: string | number, b: string | number): number {
  if (a === b && isWhole(a)) return 0;
  if (isWhole(a) && isWhole(b)) return Number(a) - Number(b) || 0;
  const [x, y] = [parseQuantity(String(a)).nanos, parseQuantity(String(b)).nanos];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** The sum has the format of the first non-zero operand. Throws QuantityError. */
export function addQuantities(a: string | number, b: string | number): string {
  const [x, y] = [parseQuantity(String(a)), parseQuantity(String(b))];
  return formatQuantity({ nanos: x.nanos + y.nanos, format: x.nanos === 0n ? y.format : x.format });
}

/** Throws QuantityError. */
export function subtractQuantities(a: string | number, b: string | number): string {
  const [x, y] = [parseQuantity(String(a)), parseQuantity(String(b))];
  return formatQuantity({ nanos: x.nanos - y.nanos, format: x.nanos === 0n ? y.format : x.format });
}
