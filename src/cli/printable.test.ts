import { expect, test } from 'vitest';
import { printable } from './printable.ts';

test.each([
  ['a plain text:\n\tthe second line, ü 水', 'a plain text:\n\tthe second line, ü 水'],
  ['\u001b[31mred\u001b[0m and \u001b[1mbold\u001b[0m', '\u001b[31mred\u001b[0m and \u001b[1mbold\u001b[0m'],
  ['cleared: \u001b[2J\u001b[H', 'cleared: \\u001b[2J\\u001b[H'],
  ['the title: \u001b]0;x\u0007, \u009d0;x\u009c', 'the title: \\u001b]0;x\\u0007, \\u009d0;x\\u009c'],
  ['overwritten\rother', 'overwritten\\u000dother'],
  ['erased\b\b\u007f', 'erased\\u0008\\u0008\\u007f'],
  ['turned \u202egnp.exe\u2066', 'turned \\u202egnp.exe\\u2066'],
])('%j', (text, printed) => expect(printable(text)).toBe(printed));

test('JSON is still the same JSON', () => {
  const value = { name: 'a\u009b2J\u007f\u202e', text: 'two\nlines\u001b' };
  expect(JSON.parse(printable(JSON.stringify(value)))).toEqual(value);
});
