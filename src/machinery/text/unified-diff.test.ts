import { expect, test } from 'vitest';
import { unifiedDiff } from './unified-diff.ts';

const lines = (text: string) => text.split('').join('\n');

test.each([
  { case: 'equal texts', before: 'abc', after: 'abc', diff: '' },
  { case: 'a line changed', before: 'abc', after: 'axc', diff: '@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n' },
  { case: 'a line added at the end', before: 'ab', after: 'abc', diff: '@@ -1,2 +1,3 @@\n a\n b\n+c\n' },
  {
    case: 'changes far apart stand in separate hunks',
    before: '1abcdefgh2',
    after: 'xabcdefghy',
    diff: '@@ -1,4 +1,4 @@\n-1\n+x\n a\n b\n c\n@@ -7,4 +7,4 @@\n f\n g\n h\n-2\n+y\n',
  },
])('$case', ({ before, after, diff }) => expect(unifiedDiff(lines(before), lines(after))).toBe(diff));

test('different texts of a hundred thousand lines are compared quickly', () => {
  const lines = (letter: string) => Array.from({ length: 100_000 }, (_, i) => `${letter}${i}`).join('\n');
  const started = performance.now();
  const text = unifiedDiff(`same\n${lines('a')}\nend`, `same\n${lines('b')}\nend`);
  expect(text.startsWith('@@ -1,100002 +1,100002 @@\n same\n-a0\n')).toBe(true);
  expect(performance.now() - started).toBeLessThan(5_000);
});

test('texts of many changed lines take no longer than their length', () => {
  const text = (name: string) =>
    Array.from({ length: 100_000 }, (_, i) => (i % 10 ? `same ${i}` : `${name} ${i}`)).join('\n');
  const started = process.cpuUsage();
  expect(unifiedDiff(text('old'), text('new')).length).toBeGreaterThan(100_000);
  const { user } = process.cpuUsage(started);
  expect(user / 1_000_000).toBeLessThan(5);
});
