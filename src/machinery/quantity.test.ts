import { describe, expect, test } from 'vitest';
import {
  addQuantities,
  canonicalQuantity,
  compareQuantities,
  milliValue,
  subtractQuantities,
  wholeValue,
} from './quantity.ts';

describe('canonical form', () => {
  test.each([
    ['0', '0'],
    ['100', '100'],
    ['1000', '1k'],
    ['1000m', '1'],
    ['0.5', '500m'],
    ['1.5', '1500m'],
    ['.5', '500m'],
    ['5.', '5'],
    ['+1', '1'],
    ['-1', '-1'],
    ['1024Mi', '1Gi'],
    ['1.5Gi', '1536Mi'],
    ['512', '512'],
    ['0.5Ki', '512'],
    ['1Ki', '1Ki'],
    ['1e3', '1e3'],
    ['1E3', '1e3'],
    ['12e6', '12e6'],
    ['1E', '1E'],
    ['123456789', '123456789'],
    ['0.0000000001', '1n'],
    ['100M', '100M'],
    ['1000M', '1G'],
    ['0Gi', '0'],
  ])('%s is %s', (given, wanted) => expect(canonicalQuantity(given)).toBe(wanted));
});

test.each(['', '1 core', 'a', '1KB', '1..2', '--1', 'Gi', '1ki', '1eK'])('%j is no quantity', (text) =>
  expect(() => canonicalQuantity(text)).toThrow(/quantit|suffix/),
);

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
