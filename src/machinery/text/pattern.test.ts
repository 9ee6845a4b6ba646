// Facts: Go 1.24's regexp package.

import { describe, expect, test } from 'vitest';
import { compilePattern, patternFault } from './pattern.ts';

describe("invalid patterns, with Go's messages", () => {
  test.each([
    ['[', 'missing closing ]: `[`'],
    ['(', 'missing closing ): `(`'],
    ['a)', 'unexpected ): `a)`'],
    ['*', 'missing argument to repetition operator: `*`'],
    ['a**', 'invalid nested repetition operator: `**`'],
    ['a{1001}', 'invalid repeat count: `{1001}`'],
    ['(a{1000}){1000}', 'invalid repeat count: `{1000}`'],
    ['((a{100}){100}){100}', 'invalid repeat count: `{100}`'],
    ['\\8', 'invalid escape sequence: `\\8`'],
    ['(?=a)', 'invalid or unsupported Perl syntax: `(?=`'],
    ['[z-a]', 'invalid character class range: `z-a`'],
    ['\\', 'trailing backslash at end of expression: ``'],
  ])('%s', (pattern, why) => expect(patternFault(pattern)).toBe(`error parsing regexp: ${why}`));
});

describe('matches', () => {
  test.each([
    ['(?i)HELLO', 'hello', true],
    ['^[[:alpha:]]+$', 'hello', true],
    ['^[[:alpha:]]+$', 'hell0', false],
    ['\\Ahello\\z', 'hello', true],
    ['\\Ahello\\z', 'hello\n', false],
    ['^\\Qa.b\\E$', 'a.b', true],
    ['^\\Qa.b\\E$', 'axb', false],
    ['(?P<n>a)|(?P<n>b)', 'b', true],
    ['^.$', '\u{1f600}', true],
    ['e', 'hello', true],
  ])('%s in %s: %s', (pattern, text, expected) => expect(compilePattern(pattern).test(text)).toBe(expected));
});

test.each([
  ['l', 'hello', -1, ['l', 'l']],
  ['l', 'hello', 1, ['l']],
  ['l', 'hello', 0, []],
  ['x*', 'axxb', -1, ['', 'xx', '']],
  ['', 'ab', -1, ['', '', '']],
])('all of %s in %s, at most %i', (pattern, text, limit, expected) =>
  expect(compilePattern(pattern).findAll(text, limit)).toEqual(expected),
);

test.each(['^(a+)+$', '(a|aa)+$', '^(a|a?)+$', '(x+x+)+y', '(.*)*=.*'])('%s takes linear time', (pattern) => {
  const started = performance.now();
  for (const letters of ['a', 'x', '=']) compilePattern(pattern).test(`${letters.repeat(20_000)}!`);
  expect(performance.now() - started).toBeLessThan(2_000);
});
