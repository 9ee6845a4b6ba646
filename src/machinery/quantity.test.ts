import { describe, expect, test } from 'vitest';
import {
  addQuantities,
  canonicalQuantity,
  canonicalResource,
  compareQuantities,
  exactWholeValue,
  isWholeQuantity,
  milliValue,
  QuantityError,
  subtractQuantities,
  wholeValue,
} from './quantity.ts';
import fc from './test-property.ts';

describe('canonical form', () => {
  test.each([
    ['0', '0'],
    ['100', '100'],
    ['1000', '1k'],
    ['1000m', '1'],
    ['0.5', '500m'],
    ['1.5', '1500m'],
    ['.5', '500m'],
    ['05', '05'],
    ['5.', '5.'],
    ['+1', '+1'],
    ['+1000', '1k'],
    ['1.500', '1.500'],
    ['1.50', '1500m'],
    ['0.500', '500m'],
    ['-1', '-1'],
    ['1024Mi', '1Gi'],
    ['1.5Gi', '1536Mi'],
    ['512', '512'],
    ['0.5Ki', '512'],
    ['1Ki', '1Ki'],
    ['1e3', '1e3'],
    ['1E3', '1E3'],
    ['1E4', '10e3'],
    ['1000E3', '1e6'],
    ['1E+3', '1E+3'],
    ['+1Gi', '+1Gi'],
    ['+8Gi', '8Gi'],
    ['12e6', '12e6'],
    ['1E', '1E'],
    ['123456789', '123456789'],
    ['0.0000000001', '1n'],
    ['100M', '100M'],
    ['1000M', '1G'],
    ['0Gi', '0'],
    // A sign, a point or a suffix alone counts as zero.
    ['.', '0'],
    ['-', '0'],
    ['Gi', '0'],
    // A binary suffix never causes rounding.
    ['1.1Ki', '1126400m'],
    ['0.1Ki', '102400m'],
    ['0.0001Ki', '102400u'],
    // Digits beyond the ninth are rounded up, away from zero.
    ['1.0000000001', '1000000001n'],
    ['-1.0000000001', '-1000000001n'],
    ['1e-10', '1e-9'],
    ['1E-3', '1E-3'],
    // Larger than 2^63-1 is 2^63-1.
    ['9223372036854775807', '9223372036854775807'],
    ['9223372036854775808', '9223372036854775807'],
    ['-9223372036854775809', '-9223372036854775807'],
    ['9Ei', '9223372036854775807'],
    ['12E', '12E'],
    ['10E', '10E'],
    ['1000E', '9223372036854775807'],
    ['9E', '9E'],
    ['1e19', '9223372036854775807'],
    ['1e10000000', '9223372036854775807'],
    ['1e100000000', '9223372036854775807'],
    ['-1e999999999', '-9223372036854775807'],
    ['1e-999999999', '1e-9'],
    ['0e999999999', '0'],
  ])('%s is %s', (given, wanted) => expect(canonicalQuantity(given)).toBe(wanted));
});

test.each([
  ...[
    '',
    '1 core',
    'a',
    '1KB',
    '1..2',
    '--1',
    '1ki',
    '1eK',
    '1.1.M',
    '1+1.0M',
    '.5i',
    '-3.01e-',
    ' 1',
    '1 ',
    '1e9223372036854775808',
  ],
])('%s is no quantity', (text) => expect(() => canonicalQuantity(text)).toThrow(/quantit|suffix/));

test.each([
  { case: 'zeros behind the point', text: `0.${'0'.repeat(1_000_000)}1`, wanted: '1n' },
  { case: 'leading zeros', text: `${'0'.repeat(1_000_000)}1`, wanted: '1' },
  { case: 'nines', text: `${'9'.repeat(1_000_000)}Ki`, wanted: '9223372036854775807' },
  { case: 'nines, of which ten count', text: `${'9'.repeat(1_000_000)}e-999990`, wanted: '10e9' },
])('a million $case are read at once', ({ text, wanted }) => expect(canonicalQuantity(text)).toBe(wanted));

test('a million digits and a letter are refused at once', () =>
  expect(() => canonicalQuantity(`${'1'.repeat(1_000_000)}x`)).toThrow(QuantityError));

test.each([
  { of: '1', milli: 1000, whole: 1 },
  { of: '250m', milli: 250, whole: 1 },
  { of: '1.0005', milli: 1001, whole: 2 },
  { of: '1Ki', milli: 1024000, whole: 1024 },
  { of: '-250m', milli: -250, whole: -1 },
])('$of is $milli thousandths and, rounded up, $whole', ({ of, milli, whole }) => {
  expect(milliValue(of)).toBe(milli);
  expect(wholeValue(of)).toBe(whole);
});

test('sums keep the format of their first part', () => {
  expect(addQuantities('500m', '500m')).toBe('1');
  expect(addQuantities('1Gi', '512Mi')).toBe('1536Mi');
  expect(addQuantities('0', '1Gi')).toBe('1Gi');
  expect(subtractQuantities('1', '100m')).toBe('900m');
  expect(compareQuantities('1Gi', '1G')).toBe(1);
  expect(compareQuantities('1', '1000m')).toBe(0);
});

test.each([
  { of: '1n', becomes: '1m' },
  { of: '1500u', becomes: '2m' },
  { of: '-1n', becomes: '-1m' },
  { of: '1e-9', becomes: '1e-3' },
  { of: '1.5Gi', becomes: '1536Mi' },
  { of: '1E3', becomes: '1E3' },
  { of: '1.500', becomes: '1.500' },
  { of: '1.000001', becomes: '1001m' },
  { of: '1E-6', becomes: '1e-3' },
])('in a resource list $of is $becomes', ({ of, becomes }) => expect(canonicalResource(of)).toBe(becomes));

describe('laws', () => {
  const suffix = fc.constantFrom('', 'n', 'u', 'm', 'k', 'M', 'G', 'T', 'P', 'E', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei');
  const exponent = fc.integer({ min: -2_000_000_000, max: 2_000_000_000 }).map((value) => `e${value}`);
  const digits = fc.stringMatching(/^[0-9]{0,30}$/);
  const quantity = fc
    .tuple(fc.constantFrom('', '-', '+'), digits, fc.option(digits), fc.oneof(suffix, exponent))
    .map(([sign, whole, fraction, end]) => `${sign}${whole || '0'}${fraction === null ? '' : `.${fraction}`}${end}`);

  test('the canonical form is its own canonical form and has the same value', () =>
    fc.assert(
      fc.property(quantity, (text) => {
        const canonical = canonicalQuantity(text);
        expect(canonicalQuantity(canonical)).toBe(canonical);
        expect(compareQuantities(canonical, text)).toBe(0);
      }),
    ));

  test('addition and subtraction are inverse', () =>
    fc.assert(
      fc.property(quantity, quantity, (a, b) => {
        fc.pre(Math.abs(wholeValue(a)) < 2 ** 61 && Math.abs(wholeValue(b)) < 2 ** 61);
        expect(compareQuantities(subtractQuantities(addQuantities(a, b), b), a)).toBe(0);
      }),
    ));

  test('order is that of numbers', () =>
    fc.assert(
      fc.property(fc.integer(), fc.integer(), (a, b) => {
        expect(compareQuantities(`${a}m`, `${b}m`)).toBe(Math.sign(a - b));
      }),
    ));

  test('every text is parsed quickly', () =>
    fc.assert(
      fc.property(fc.stringMatching(/^[-+0-9.eEinumkKMGTP]{0,200}$/), (text) => {
        try {
          expect(canonicalQuantity(text).length).toBeLessThan(30);
        } catch (error) {
          expect((error as Error).name).toBe('QuantityError');
        }
      }),
    ));
});

test.each([
  ['1', true],
  ['1500m', false],
  ['1500u', false],
  ['999999999999999999', true],
  ['1Pi', true],
  // As thousandths, it does not fit into 64 bits.
  ['1Ei', false],
  ['0.5Ki', true],
])('%s is whole: %s', (text, whole) => expect(isWholeQuantity(text)).toBe(whole));

test('whole values are exact for any size', () =>
  expect(exactWholeValue('9223372036854775807')).toBe(9223372036854775807n));
