import { expect, test } from 'vitest';
import fc from '../test-property.ts';
import { formatDuration, humanDuration, parseDuration, parseGoDuration } from './duration.ts';

test.each([
  ['1h15m30.5s', 4_530_500],
  ['250ms', 250],
  ['1.5h', 5_400_000],
  ['-2m', -120_000],
  ['+3s', 3000],
  ['0', 0],
  ['.5s', 500],
  ['100us', 0.1],
  ['1', undefined],
  ['', undefined],
  ['1d', undefined],
  ['1h ', undefined],
  ['2562048h', undefined],
])('%j is %s ms', (text, ms) => expect(parseDuration(text)).toBe(ms));

test.each([
  ['1', 'time: missing unit in duration "1"'],
  ['1d', 'time: unknown unit "d" in duration "1d"'],
  ['x', 'time: invalid duration "x"'],
  ['', 'time: invalid duration ""'],
])('%j is refused as Go does', (text, fault) => expect(parseGoDuration(text).fault).toBe(fault));

test.each([
  [0, '0s'],
  [90, '90ms'],
  [250, '250ms'],
  [1500, '1.5s'],
  [0.5, '500µs'],
  [90_000, '1m30s'],
  [3_600_000, '1h0m0s'],
  [4_530_500, '1h15m30.5s'],
  [-120_000, '-2m0s'],
])('%d ms are written as %j', (ms, text) => expect(formatDuration(ms)).toBe(text));

test('a written duration is read as the same', () =>
  fc.assert(fc.property(fc.integer({ min: -1e12, max: 1e12 }), (ms) => parseDuration(formatDuration(ms)) === ms)));

test.each([
  [-5_000, '<invalid>'],
  [0, '0s'],
  [119_000, '119s'],
  [120_000, '2m'],
  [200_000, '3m20s'],
  [600_000, '10m'],
  [10_799_000, '179m'],
  [10_800_000, '3h'],
  [32_400_000, '9h'],
  [11_400_000, '3h10m'],
  [28_800_000, '8h'],
  [172_800_000, '2d'],
  [180_000_000, '2d2h'],
  [691_200_000, '8d'],
  [63_072_000_000, '2y'],
  [66_000_000_000, '2y33d'],
])('age of %d ms', (ms, text) => expect(humanDuration(ms)).toBe(text));
