import { expect, test } from 'vitest';
import { unescaped } from './percent.ts';

test.each([
  ['a%2fb', 'a/b'],
  ['%C3%A4', 'ä'],
  ['100%', '100%'],
  ['%zz%41', '%zz%41'],
])('%s is %s', (text, expected) => expect(unescaped(text)).toBe(expected));
