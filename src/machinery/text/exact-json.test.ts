import { describe, expect, test } from 'vitest';
import fc from '../test-property.ts';
import { exactInteger, parseExact } from './exact-json.ts';

test.each([
  '{"a":9223372036854775807}',
  '{"a":-9223372036854775808}',
  '[9007199254740993,1,9007199254740991]',
  '{"a":{"b":[3546343826724305833]}}',
  '{"a":"9223372036854775807","b":1.5}',
])('%s stays as it is', (text) => expect(JSON.stringify(parseExact(text))).toBe(text));

test.each([
  { text: '9007199254740991', is: 9007199254740991 },
  { text: '9007199254740992', is: 9007199254740992n },
  { text: '[1e20]', is: [1e20] },
  { text: '[9223372036854775808]', is: [2 ** 63] }, // beyond 64 bits: a double, as in Go
  { text: '[12345678901234567.0]', is: [12345678901234568] },
])('$text', ({ text, is }) => {
  expect(parseExact(text.startsWith('[') ? text : `[${text}]`)).toEqual(text.startsWith('[') ? is : [is]);
});

describe('laws', () => {
  const integers = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

  test('every integer of 64 bits comes back, a number where that is exact', () =>
    fc.assert(
      fc.property(integers, (value) => {
        const text = `{"a": ${value}}`;
        const { a } = parseExact(text) as { a: unknown };
        expect(typeof a).toBe(Number.isSafeInteger(Number(value)) ? 'number' : 'bigint');
        expect(JSON.stringify({ a })).toBe(`{"a":${value}}`);
        expect(exactInteger(String(value), 0)).toBe(a);
      }),
    ));

  test('any JSON is read as JSON.parse reads it, but for such integers', () =>
    fc.assert(
      fc.property(fc.json(), (text) => {
        fc.pre(!/(?<![.e\d-])-?\d{16,}(?![.e\d])/.test(text));
        expect(parseExact(text)).toEqual(JSON.parse(text));
      }),
    ));
});
