import { expect, test } from 'vitest';
import { finish } from '../time/steps.ts';
import { sortSteps } from './sort-steps.ts';

const compare = (a: { key: number }, b: { key: number }) => a.key - b.key;

test.each([0, 1, 4_096, 4_097, 20_000])('sorts %d items as sort() does, stable', (count) => {
  const items = Array.from({ length: count }, (_, place) => ({ key: (place * 7_919) % 1_009, place }));
  expect(finish(sortSteps([...items], compare))).toEqual([...items].sort(compare));
});

test('a long list takes many short steps', () => {
  const steps = sortSteps(
    Array.from({ length: 40_000 }, (_, place) => ({ key: -place })),
    compare,
  );
  let count = 0;
  while (!steps.next().done) count++;
  expect(count).toBeGreaterThan(20);
});
