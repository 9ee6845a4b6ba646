import { expect, test } from 'vitest';
import { amountOf, bytesText, coresText } from './amounts.ts';

test.each([
  ['250m', 0.25],
  ['1500000n', 0.0015],
  ['2', 2],
  ['1.5Gi', 1.5 * 2 ** 30],
  ['128k', 128_000],
  ['1e3', 1000],
  ['5E', 5e18],
  ['x', undefined],
  ['1Kib', undefined],
  ['', undefined],
])('%j is %j', (text, amount) => expect(amountOf(text)).toBe(amount));

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1536, '1.5 KiB'],
  [200 * 2 ** 20, '200 MiB'],
])('%d bytes are %s', (bytes, text) => expect(bytesText(bytes)).toBe(text));

test.each([
  [0.25, '250m'],
  [1, '1'],
  [2.5, '2.5'],
  [31.25, '31.3'],
])('%d cores are %s', (cores, text) => expect(coresText(cores)).toBe(text));
