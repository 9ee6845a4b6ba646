import { expect, test } from 'vitest';
import { settleEach } from './settle-each.ts';

const numbers = Array.from({ length: 1_000 }, (_, i) => i);

test('acts on each item once, on few at a time', async () => {
  let [running, most] = [0, 0];
  const acted: number[] = [];
  const results = await settleEach(numbers, async (item) => {
    most = Math.max(most, ++running);
    acted.push(item);
    await undefined;
    running--;
    if (item % 2 === 1) throw item;
    return item;
  });
  expect(acted).toEqual(numbers);
  expect(most).toBe(64);
  expect(results.map((result) => (result.status === 'fulfilled' ? result.value : -(result.reason as number)))).toEqual(
    numbers.map((item) => (item % 2 === 1 ? -item : item)),
  );
});
