import { describe, expect, test } from 'vitest';
import fc from '../../../machinery/test-property.ts';
import { diffLines, fieldChanges } from './diff.ts';

const marks = { same: ' ', added: '+', removed: '-', gap: '~' };
const shown = (before: string, after: string, context?: number) =>
  diffLines(before, after, context).map(({ kind, text }) => marks[kind] + text);

describe('lines', () => {
  test.each([
    ['a', 'a', []],
    ['a\nb\nc', 'a\nc', [' a', '-b', ' c']],
    ['a\nc', 'a\nb\nc', [' a', '+b', ' c']],
    ['a', 'b', ['-a', '+b']],
    ['', 'a', ['-', '+a']],
    ['a\nb\nc\nd', 'x\nb\nc\ny', ['-a', '+x', ' b', ' c', '-d', '+y']],
  ])('%j to %j', (before, after, lines) => expect(shown(before, after)).toEqual(lines));

  test('unchanged parts are cut', () => {
    const lines = Array.from({ length: 20 }, (_, i) => String(i));
    const after = lines.with(10, 'x').join('\n');
    expect(shown(lines.join('\n'), after, 1)).toEqual(['~', ' 9', '-10', '+x', ' 11', '~']);
  });

  test('both texts can be read from the differences', () => {
    const text = fc.array(fc.constantFrom('a', 'b', 'c', '', 'd'), { maxLength: 30 }).map((lines) => lines.join('\n'));
    fc.assert(
      fc.property(text, text, (before, after) => {
        const lines = diffLines(before, after, 1_000);
        const side = (...kinds: string[]) =>
          lines
            .filter(({ kind }) => kinds.includes(kind))
            .map((line) => line.text)
            .join('\n');
        if (before === after) expect(lines).toEqual([]);
        else {
          expect(side('same', 'removed')).toBe(before);
          expect(side('same', 'added')).toBe(after);
        }
      }),
    );
  });

  test('very different texts are replaced as a whole, in a moment', () => {
    const text = (prefix: string) => Array.from({ length: 5_000 }, (_, i) => prefix + i).join('\n');
    expect(diffLines(text('a'), text('b'))).toHaveLength(10_000);
  });
});

describe('fields', () => {
  test.each([
    [{ a: 1 }, { a: 1 }, []],
    [{ a: 1 }, { a: 2 }, [['a', 1, 2]]],
    [{}, { a: { b: 1 } }, [['a', undefined, { b: 1 }]]],
    [{ a: { b: 1, c: 2 } }, { a: { b: 1 } }, [['a.c', 2, undefined]]],
    [{ l: [1, 2] }, { l: [1, 3] }, [['l[1]', 2, 3]]],
    [
      {
        c: [
          { name: 'x', image: 'a' },
          { name: 'y', image: 'b' },
        ],
      },
      {
        c: [
          { name: 'y', image: 'c' },
          { name: 'x', image: 'a' },
        ],
      },
      [['c[y].image', 'b', 'c']],
    ],
    [{ m: { 'a.b/c': '1' } }, { m: { 'a.b/c': '2' } }, [['m["a.b/c"]', '1', '2']]],
    [
      { metadata: { resourceVersion: '1', generation: 1, managedFields: [] } },
      { metadata: { resourceVersion: '2' } },
      [],
    ],
  ])('%j to %j', (before, after, changes) =>
    expect(fieldChanges(before, after).map(({ path, before: old, after: now }) => [path, old, now])).toEqual(changes),
  );
});
