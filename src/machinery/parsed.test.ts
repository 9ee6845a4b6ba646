import { expect, test } from 'vitest';
import { fieldsIn, textIn } from './parsed.ts';

test.each([
  [{ a: 1 }, { a: 1 }],
  [undefined, {}],
  [null, {}],
  ['text', {}],
])('fields in %j', (value, fields) => expect(fieldsIn(value)).toEqual(fields));
test.each([
  ['a', 'a'],
  [1, ''],
  [undefined, ''],
])('text in %j', (value, text) => expect(textIn(value)).toBe(text));
