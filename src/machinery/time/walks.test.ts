import { expect, test } from 'vitest';
import { finish } from './steps.ts';
import { atOnce, Walks } from './walks.ts';

type Tree = number | readonly Tree[];
const many = (count: number, item: Tree): Tree => Array.from({ length: count }, () => item);

/** Doubles the numbers. */
function doubled(tree: Tree, walks: Walks): unknown {
  walks.walked++;
  if (typeof tree === 'number') return 2 * tree;
  const out: unknown[] = [];
  walks.each(tree.length, (index) => {
    out[index] = doubled(tree[index], walks);
  });
  return out;
}

test.each<[name: string, tree: Tree, isLong: boolean]>([
  ['a number', 1, false],
  ['a short list', [1, [2, 3]], false],
  ['a long list', many(50_000, 1), true],
  ['long lists in a long list', many(300, many(300, 1)), true],
  ['many short lists', many(16, many(16, many(16, many(16, 1)))), true],
])('%s gives the same in steps', (_, tree, isLong) => {
  const walks = new Walks(true);
  const result = doubled(tree, walks);
  const rest = walks.rest();
  let steps = 0;
  while (!rest.next().done) steps++;
  expect(result).toEqual(doubled(tree, atOnce));
  expect(steps > 0).toBe(isLong);
});

test('the state of a walk is put back for items that were left', () => {
  const walks = new Walks(true);
  let path = 'a';
  const seen = new Set<string>();
  walks.each(
    1_000,
    () => seen.add(path),
    () => {
      const saved = path;
      return () => {
        path = saved;
      };
    },
  );
  path = 'b';
  finish(walks.rest());
  expect([...seen]).toEqual(['a']);
});
