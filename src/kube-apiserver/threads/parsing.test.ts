import { expect, test } from 'vitest';
import { readText } from '../../api/api.ts';
import { parsed, parseThread } from './parsing.ts';

const padding = `# ${'x'.repeat(100_000)}\n`;
const jsonPadding = ' '.repeat(600_000);

test.each([
  ['yaml', 'a: [1, 9223372036854775807, "x", 1.5, ~]\nb: &x {c: yes}\nd: *x'],
  ['yaml', 'a: 1\na: 2'],
  ['yaml', 'a: {__proto__: {x: 1}}'],
  ['yaml', '# nothing'],
  ['yaml', 'a: ['],
  ['yaml', '? {a: 1}\n: b'],
  ['yaml', `a: 1\nb: ${'['.repeat(20_000)}`],
  ['json', '{"a": [1, 2], "__proto__": {"x": 1}}'],
  ['json', '{"a": 9223372036854775807}'],
  ['json', '{"a": 1, "a": 2}'],
  ['json', '{"a": tru}'],
] as const)('large %s is read as small, case %#', async (encoding, text) => {
  const large = encoding === 'yaml' ? `${text}\n${padding}` : `${jsonPadding}${text}`;
  const outcome = (read: () => unknown) => {
    try {
      return read();
    } catch (error) {
      const { name, message } = error as Error;
      return { name, message };
    }
  };
  expect(outcome(await parsed(large, encoding))).toEqual(outcome(() => readText(large, encoding)));
});

const yaml = (text: string) => ({ text, encoding: 'yaml' }) as const;
const greedy = yaml(`a: [${'{a,b},'.repeat(500_000)}]`);
const long = yaml(`a: [${'{a,b},'.repeat(2_000_000)}]`);

test('a text that takes too much memory fails alone', async () => {
  const thread = parseThread({ megabytes: 24 });
  const answers = await Promise.allSettled([thread.run(yaml('a: 1')), thread.run(greedy), thread.run(yaml('b: 1'))]);
  expect(answers).toMatchObject([
    { value: { value: '{"a":1}' } },
    { reason: { code: 413 } },
    { value: { value: '{"b":1}' } },
  ]);
});

test('a text that takes too long fails alone', async () => {
  const thread = parseThread({ mostMs: 1_000, megabytes: 2_000 });
  const answers = await Promise.allSettled([thread.run(yaml('a: 1')), thread.run(long), thread.run(yaml('b: 1'))]);
  expect(answers).toMatchObject([
    { value: { value: '{"a":1}' } },
    { reason: { code: 504 } },
    { value: { value: '{"b":1}' } },
  ]);
});
