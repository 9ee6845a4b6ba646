// Resource quantities: "100m", "1.5Gi", "2e3". Held exactly, in billionths, the smallest part that Kubernetes keeps.
// https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/

export type QuantityFormat = 'DecimalSI' | 'BinarySI' | 'DecimalExponent';

export interface Quantity {
  /** The value times 10^9. */
  readonly nanos: bigint;
  readonly format: QuantityFormat;
}

/** The text is no quantity; `message` is what Kubernetes says of it. */
export class QuantityError extends Error {
  override readonly name = 'QuantityError';
}

const formatWrong = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

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
const billion = 1_000_000_000n;

/** A cluster writes the same few quantities again and again, and exact arithmetic is slow. */
const cacheLimit = 4096;
const parsed = new Map<string, Quantity>();
const canonicals = new Map<string, string>();

function cached<T>(cache: Map<string, T>, text: string, make: (text: string) => T): T {
  let found = cache.get(text);
  if (found === undefined) {
    found = make(text);
    if (cache.size >= cacheLimit) cache.clear();
    cache.set(text, found);
  }
  return found;
}

/** Throws QuantityError. Digits beyond the ninth after the point are rounded up (away from zero). */
export const parseQuantity = (text: string): Quantity => cached(parsed, text, parse);

function parse(text: string): Quantity {
  const match = /^([+-]?)([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*)([-+]?[0-9]*)$/.exec(text);
  if (!match || (match[2] === '' && !match[3])) throw new QuantityError(formatWrong);
  const [, sign, whole, fraction = '', letters, exponentDigits] = match;
  const { format, power, binary } = suffixOf(letters, exponentDigits);
  let digits = BigInt(whole + fraction || '0');
  if (binary) digits *= 1n << BigInt(10 * power);
  const nanos = scaled(digits, 9 - fraction.length + (binary ? 0 : power));
  return { nanos: sign === '-' ? -nanos : nanos, format };
}

function suffixOf(letters: string, exponentDigits: string): { format: QuantityFormat; power: number; binary: boolean } {
  if ((letters === 'e' || letters === 'E') && /^[-+]?[0-9]+$/.test(exponentDigits))
    return { format: 'DecimalExponent', power: Number(exponentDigits), binary: false };
  if (exponentDigits === '') {
    const exponent = decimalExponents.get(letters);
    if (exponent !== undefined) return { format: 'DecimalSI', power: exponent, binary: false };
    const binary = binarySuffixes.indexOf(letters);
    if (binary > 0) return { format: 'BinarySI', power: binary, binary: true };
  }
  throw new QuantityError("unable to parse quantity's suffix");
}

/** digits * 10^power, rounded up to a whole number. */
function scaled(digits: bigint, power: number): bigint {
  if (power >= 0) return digits * 10n ** BigInt(power);
  const divisor = 10n ** BigInt(-power);
  return (digits + divisor - 1n) / divisor;
}

/** The canonical form: the largest suffix that leaves no fraction. */
export function formatQuantity({ nanos, format }: Quantity): string {
  if (nanos === 0n) return '0';
  const size = nanos < 0n ? -nanos : nanos;
  const sign = nanos < 0n ? '-' : '';
  if (format === 'BinarySI' && size >= 1024n * billion) {
    let value = (size + billion - 1n) / billion;
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

/** Throws QuantityError. */
export function canonicalQuantity(value: string | number): string {
  const text = String(value);
  if (/^(0|[1-9][0-9]{0,2})$/.test(text)) return text;
  return cached(canonicals, text, (given) => formatQuantity(parseQuantity(given)));
}

/** The value in thousandths, rounded up: what the scheduler counts CPU in. Throws QuantityError. */
export function milliValue(value: string | number): number {
  const text = String(value);
  if (/^[0-9]{1,12}m$/.test(text)) return Number(text.slice(0, -1));
  if (/^[0-9]{1,12}$/.test(text)) return Number(text) * 1000;
  return roundUp(parseQuantity(text).nanos, 1_000_000n);
}

/** The value as a whole number, rounded up: bytes, pods. Throws QuantityError. */
export function wholeValue(value: string | number): number {
  const text = String(value);
  if (/^[0-9]{1,15}$/.test(text)) return Number(text);
  return roundUp(parseQuantity(text).nanos, billion);
}

const roundUp = (nanos: bigint, unit: bigint) => {
  const size = nanos < 0n ? -nanos : nanos;
  const units = Number((size + unit - 1n) / unit);
  return nanos < 0n ? -units : units;
};

/** Negative when a < b, 0 when equal, positive when a > b. Throws QuantityError. */
export function compareQuantities(a: string | number, b: string | number): number {
  const [x, y] = [parseQuantity(String(a)).nanos, parseQuantity(String(b)).nanos];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** The sum keeps the format of the first that is not zero. Throws QuantityError. */
export function addQuantities(a: string | number, b: string | number): string {
  const [x, y] = [parseQuantity(String(a)), parseQuantity(String(b))];
  return formatQuantity({ nanos: x.nanos + y.nanos, format: x.nanos === 0n ? y.format : x.format });
}

/** Throws QuantityError. */
export function subtractQuantities(a: string | number, b: string | number): string {
  const [x, y] = [parseQuantity(String(a)), parseQuantity(String(b))];
  return formatQuantity({ nanos: x.nanos - y.nanos, format: x.nanos === 0n ? y.format : x.format });
}
