// Resource quantities. https://pkg.go.dev/k8s.io/apiserver/pkg/cel/library#Quantity

import { parseQuantity, QuantityError } from '../../quantity.ts';
import { global, type Library, member } from '../declarations.ts';
import { boolType, doubleType, intType, stringType, structType } from '../types.ts';
import { fail } from '../values.ts';
import { access, nominal, reading } from './kubernetes.ts';
import { QuantityValue } from './objects.ts';

const quantityType = structType('kubernetes.Quantity');

const billion = 1_000_000_000n;
const mostInt = 2n ** 63n - 1n;

/** Whether Kubernetes stores the text as an int64: no fraction, and few enough digits. */
function isWhole(text: string, nanos: bigint): boolean {
  const digits = /^[+-]?0*(\d*)(\.\d*)?(.*)$/.exec(text);
  if (!digits || nanos % billion !== 0n || nanos / billion > mostInt || nanos / billion < -mostInt - 1n) return false;
  const [, whole = '', fraction = '', suffix = ''] = digits;
  if (fraction.length > 1 || /^[mun]$|^[eE]-/.test(suffix)) return false;
  return whole.length <= (suffix.endsWith('i') ? 12 : 18);
}

export function quantityOf(text: string): QuantityValue {
  try {
    const quantity = parseQuantity(text);
    return new QuantityValue(quantity, isWhole(text, quantity.nanos));
  } catch (error) {
    if (error instanceof QuantityError) return fail(error.message);
    throw error;
  }
}

const isQuantity = (text: string): boolean => {
  try {
    parseQuantity(text);
    return true;
  } catch (error) {
    if (error instanceof QuantityError) return false;
    throw error;
  }
};

const wholeQuantity = (value: bigint): QuantityValue =>
  new QuantityValue({ nanos: value * billion, format: 'DecimalExponent' }, true);

function sumOf(a: QuantityValue, b: QuantityValue, sign: bigint): QuantityValue {
  const nanos = a.quantity.nanos + sign * b.quantity.nanos;
  const whole = (a.quantity.nanos === 0n || a.whole) && (b.quantity.nanos === 0n || b.whole);
  return new QuantityValue({ nanos, format: a.quantity.format }, whole && nanos / billion <= mostInt);
}

const compareQuantities = (a: QuantityValue, b: QuantityValue): number =>
  a.quantity.nanos < b.quantity.nanos ? -1 : Number(a.quantity.nanos > b.quantity.nanos);

const pair = [quantityType, quantityType];
const withInt = [quantityType, intType];

export const quantities: Library = {
  functions: [
    {
      name: 'quantity',
      overloads: [global('string_to_quantity', [stringType], quantityType, quantityOf)],
      ...reading(),
    },
    { name: 'isQuantity', overloads: [global('is_quantity_string', [stringType], boolType, isQuantity)], ...reading() },
    {
      name: 'sign',
      overloads: [
        global('quantity_sign', [quantityType], intType, ({ quantity: { nanos } }: QuantityValue) =>
          nanos < 0n ? -1n : nanos > 0n ? 1n : 0n,
        ),
      ],
      ...nominal,
    },
    {
      name: 'isGreaterThan',
      overloads: [
        member(
          'quantity_is_greater_than',
          pair,
          boolType,
          (a: QuantityValue, b: QuantityValue) => compareQuantities(a, b) > 0,
        ),
      ],
      ...nominal,
    },
    {
      name: 'isLessThan',
      overloads: [
        member(
          'quantity_is_less_than',
          pair,
          boolType,
          (a: QuantityValue, b: QuantityValue) => compareQuantities(a, b) < 0,
        ),
      ],
      ...nominal,
    },
    {
      name: 'compareTo',
      overloads: [
        member('quantity_compare_to', pair, intType, (a: QuantityValue, b: QuantityValue) =>
          BigInt(compareQuantities(a, b)),
        ),
      ],
      ...nominal,
    },
    access(
      'asApproximateFloat',
      'quantity_get_float',
      quantityType,
      doubleType,
      ({ quantity }: QuantityValue) => Number(quantity.nanos) / 1e9,
    ),
    access('asInteger', 'quantity_get_int', quantityType, intType, ({ quantity, whole }: QuantityValue) =>
      whole ? quantity.nanos / billion : fail('cannot convert value to integer'),
    ),
    access('isInteger', 'quantity_is_integer', quantityType, boolType, ({ whole }: QuantityValue) => whole),
    {
      name: 'add',
      overloads: [
        member('quantity_add', pair, quantityType, (a: QuantityValue, b: QuantityValue) => sumOf(a, b, 1n)),
        member('quantity_add_int', withInt, quantityType, (a: QuantityValue, b: bigint) =>
          sumOf(a, wholeQuantity(b), 1n),
        ),
      ],
      ...nominal,
    },
    {
      name: 'sub',
      overloads: [
        member('quantity_sub', pair, quantityType, (a: QuantityValue, b: QuantityValue) => sumOf(a, b, -1n)),
        member('quantity_sub_int', withInt, quantityType, (a: QuantityValue, b: bigint) =>
          sumOf(a, wholeQuantity(b), -1n),
        ),
      ],
      ...nominal,
    },
  ],
};
