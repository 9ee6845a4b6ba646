import { describe, expect, test } from 'vitest';
import fc from '../../machinery/test-property.ts';
import {
  countCommon,
  countIndexes,
  formatIndexes,
  freeIndexes,
  hasIndex,
  indexesOf,
  parseIndexes,
  union,
} from './indexes.ts';

describe('completion indexes', () => {
  test.each([
    { text: '', completions: 5, result: '' },
    { text: '0', completions: 5, result: '0' },
    { text: '0,1', completions: 5, result: '0,1' },
    { text: '0,1,2', completions: 5, result: '0-2' },
    { text: '0-2,4', completions: 5, result: '0-2,4' },
    { text: '0-9', completions: 5, result: '0-4' },
    { text: '5-9', completions: 5, result: '' },
    { text: '3,x,1-,4', completions: 5, result: '3,4' },
    { text: '4,0-1', completions: 5, result: '0,1,4' },
    { text: '0-4294967295', completions: 2 ** 31 - 1, result: '0-2147483646' },
  ])('$text below $completions is $result', ({ text, completions, result }) =>
    expect(formatIndexes(parseIndexes(text, completions))).toBe(result),
  );

  test.each([
    { taken: '', count: 3, completions: 5, free: [0, 1, 2] },
    { taken: '0-2', count: 3, completions: 5, free: [3, 4] },
    { taken: '1,3', count: 2, completions: 5, free: [0, 2] },
    { taken: '0-4', count: 2, completions: 5, free: [] },
    { taken: '0-1999999999', count: 1, completions: 2 ** 31 - 1, free: [2_000_000_000] },
  ])('the first $count free beside $taken', ({ taken, count, completions, free }) =>
    expect(freeIndexes(parseIndexes(taken, completions), count, completions)).toEqual(free),
  );

  const numbers = fc.array(fc.nat(60), { maxLength: 40 });
  test('behave as sets of numbers', () =>
    fc.assert(
      fc.property(numbers, numbers, (a, b) => {
        const [one, two] = [new Set(a), new Set(b)];
        const both = union(indexesOf(a), indexesOf(b));
        expect(countIndexes(both)).toBe(one.union(two).size);
        expect(countCommon(indexesOf(a), indexesOf(b))).toBe(one.intersection(two).size);
        expect(parseIndexes(formatIndexes(both), 100)).toEqual(both);
        for (let i = 0; i <= 60; i++) expect(hasIndex(both, i)).toBe(one.has(i) || two.has(i));
      }),
    ));
});
