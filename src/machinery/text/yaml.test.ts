import { describe, expect, test } from 'vitest';
import fc from '../test-property.ts';
import { mostNested } from './depth.ts';
import { parseYaml, YamlError } from './yaml.ts';

const read = (text: string) => parseYaml(text).value;

test.each([
  ['a: 1', { a: 1 }],
  ['a: 9223372036854775807', { a: 9223372036854775807n }],
  ['a: 18446744073709551615', { a: 18446744073709552000 }],
  ['a: [0x1F, 017, 0o17, 0b11, 1_000, -5, +5, 08]', { a: [31, 15, 15, 3, 1000, -5, 5, 8] }],
  ['a: [1.5, .5, 1e3, 1., 0.1.2]', { a: [1.5, 0.5, 1000, 1, '0.1.2'] }],
  ['a: [yes, No, on, OFF, y, n, True, truE]', { a: [true, false, true, false, true, false, true, 'truE'] }],
  ['a: [~, null, Null, ""]\nb:', { a: [null, null, null, ''], b: null }],
  [
    'a: 2001-01-01\nb: 2001-01-01T00:00:00Z\nc: 12:30:00',
    { a: '2001-01-01', b: '2001-01-01T00:00:00Z', c: '12:30:00' },
  ],
  ['a: "1"\nb: !!str 1\nc: !!binary aGk=', { a: '1', b: '1', c: 'hi' }],
  ['1: a\ntrue: b\n1.5: c', { 1: 'a', true: 'b', 1.5: 'c' }],
  ['a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}', { a: { b: 1 }, c: { b: 1 }, d: { b: 1, e: 2 } }],
  ['a: {<<: [{x: 1}, {x: 2, z: 3}]}', { a: { x: 1, z: 3 } }],
  ['# comment\n---\na: 1\n---\nb: 2', { a: 1 }],
  ['%YAML 1.1\n---\na: |\n  x\n  y\n...\nrubbish: [', { a: 'x\ny\n' }],
  ['{"a": [1, {"b": "c\\n"}]}', { a: [1, { b: 'c\n' }] }],
  ['', undefined],
])('%j', (text, value) => expect(read(text)).toEqual(value));

test('a key may have the name of an inherited property', () => {
  const value = read('a: {__proto__: {x: 1}, constructor: z}');
  expect(JSON.stringify(value)).toBe('{"a":{"__proto__":{"x":1},"constructor":"z"}}');
});

test('duplicate keys are reported with their lines, a hundred at most', () => {
  expect(parseYaml('a:\n  b: 1\n  b: 2\nc: 1\n\nc: 2').duplicates).toEqual([
    'line 3: key "b" already set in map',
    'line 6: key "c" already set in map',
  ]);
  expect(parseYaml('a: 1\n'.repeat(10_000)).duplicates).toHaveLength(100);
});

const bomb = [
  'a: &a [x,x,x,x,x,x,x,x,x]',
  ...[...'bcdefghij'].map((name, i) => {
    const before = 'abcdefghij'[i];
    return `${name}: &${name} [${Array(9).fill(`*${before}`).join(',')}]`;
  }),
].join('\n');

test.each([
  { case: 'aliases that double nine times', text: bomb, says: 'document contains excessive aliasing' },
  {
    case: 'a long text many times',
    text: `a: &a ${'x'.repeat(10_000)}\nb:\n${'- *a\n'.repeat(1_000)}`,
    says: 'excessive aliasing',
  },
  { case: 'an anchor that holds itself', text: 'a: &a [*a]', says: "anchor 'a' value contains itself" },
  { case: 'an alias of nothing', text: 'a: *b', says: "unknown anchor 'b' referenced" },
  { case: 'brackets in brackets', text: `a: ${'['.repeat(100_000)}`, says: 'exceeded max depth' },
  { case: 'maps in maps', text: '? '.repeat(100_000), says: 'exceeded max depth' },
  { case: 'a list that does not end', text: 'a: [', says: 'line 1: did not find expected node content' },
  { case: 'a map as a key', text: '? {a: 1}\n: b', says: 'unsupported map key' },
  { case: 'infinity', text: 'a: .inf', says: 'json: unsupported value: +inf' },
])('$case is refused', ({ text, says }) => {
  expect(() => read(text)).toThrow(YamlError);
  expect(() => read(text)).toThrow(says);
});

test('ordinary aliases are fine', () =>
  expect(read(`a: &a {x: 1}\nb:\n${'- *a\n'.repeat(5_000)}`)).toHaveProperty('b.length', 5_000));

test('nesting below the limit is read', () => {
  const depth = mostNested() - 10;
  expect(() => read('['.repeat(depth) + ']'.repeat(depth))).not.toThrow();
});

test('the time that binary data takes grows with its length alone', () => {
  const startMs = performance.now();
  expect(() => read(`a: !!binary "A${' '.repeat(500_000)}!"`)).toThrow('invalid base64 data');
  expect(read('a: !!binary " a G k = "')).toEqual({ a: 'hi' });
  expect(performance.now() - startMs).toBeLessThan(5_000);
});

describe('laws', () => {
  test('JSON is YAML', () =>
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        // JSON strings may contain control characters, YAML must not; large integers are bigints.
        fc.pre(!/e\+|\d{16}|[\x7f-\x9f\ufffe\uffff]/.test(JSON.stringify(value)));
        expect(read(JSON.stringify(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    ));

  test('any text is either parsed or rejected', () =>
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...' \n\t-:?[]{},#&*!|>\'"%@`ab1.~<='), maxLength: 60 }),
        (text) => {
          try {
            read(text);
          } catch (error) {
            expect((error as Error).name).toBe('YamlError');
          }
        },
      ),
      { numRuns: 2_000 },
    ));
});
