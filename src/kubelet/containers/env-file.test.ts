import { expect, test } from 'vitest';
import { valueInEnvFile } from './env-file.ts';

const file = `# settings
  A='one'   # the first
B='two
lines # not a comment'
C= 'no value'
D=''
E='$A "kept"\\n'
`;

test.each([
  ['A', 'one'],
  ['B', 'two\nlines # not a comment'],
  ['C', undefined],
  ['D', undefined],
  ['E', '$A "kept"\\n'],
  ['F', undefined],
])('%s', (key, value) => expect(valueInEnvFile(file, key)).toBe(value));

test.each([
  ['A', "line 1: missing '='"],
  ["\n='x'", 'line 2: empty variable name'],
  ["A ='x'", "line 1: whitespace before '=' is not allowed"],
  ['A=x', 'line 1: value must be enclosed in single quotes'],
  ["A='x' y", 'line 1: unexpected content after closing quote'],
  ["A='x\ny", 'unclosed single quote'],
])('%j is refused', (text, fault) => expect(() => valueInEnvFile(text, 'Z')).toThrow(fault));
