import { expect, test } from 'vitest';
import { finish } from '../time/steps.ts';
import { joinSteps, splitSteps, writingJson } from './split-json.ts';

const many = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
const fields = (count: number, value: (i: number) => unknown) =>
  Object.fromEntries(many(count, (i) => [`k${i}`, value(i)]));
const nested = (depth: number): unknown => (depth === 0 ? 1 : { a: nested(depth - 1), b: [depth] });

const nestedLists = (depth: number): unknown => (depth === 0 ? many(9_000, String) : [[depth], nestedLists(depth - 1)]);

test.each<[name: string, value: unknown]>([
  ['a number', 1],
  ['null', null],
  ['an empty object', {}],
  ['a short object', { a: [1, { b: 'c' }], d: null }],
  ['a long list', many(20_000, (i) => i)],
  ['a long list of lists', many(5_000, (i) => [i, [], {}])],
  ['a long list within long items', many(3, (i) => ({ i, list: many(9_000, (j) => ({ j })), last: true }))],
  ['an object of many keys', { before: 1, map: fields(20_000, (i) => `${i}`), after: [2] }],
  ['long texts', fields(10, (i) => 'x'.repeat(i * 100_000))],
  ['deep values', { list: many(9_000, String), deep: nested(3_000) }],
  ['deep lists', { list: many(9_000, String), deep: nestedLists(200) }],
  ['fields without a value', { long: fields(9_000, (i) => (i % 3 ? undefined : i)), last: undefined }],
  ['exact integers', { list: many(9_000, () => 9_007_199_254_740_993n) }],
])('%s is read as it was written', (_, value) => {
  const joined = finish(joinSteps(finish(splitSteps(value))));
  expect(JSON.stringify(joined)).toBe(JSON.stringify(value));
  expect(finish(writingJson(value))).toBe(JSON.stringify(value));
});

test('a field of the name __proto__ remains a field', () => {
  const text = `{"list":[${many(9_000, String)}],"__proto__":{"a":1}}`;
  const joined = finish(joinSteps(finish(splitSteps(JSON.parse(text)))));
  expect(JSON.stringify(joined)).toBe(text);
});

test('a long value takes many steps', () => {
  for (const value of [many(100_000, String), fields(100_000, String), { a: { b: many(50_000, (i) => ({ i })) } }]) {
    const steps = splitSteps(value);
    let count = 0;
    let step = steps.next();
    for (; !step.done; step = steps.next()) count++;
    expect(count).toBeGreaterThan(20);
    const joined = joinSteps(step.value);
    for (count = 0; !joined.next().done; ) count++;
    expect(count).toBeGreaterThan(20);
  }
});
