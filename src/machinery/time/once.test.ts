import { expect, test } from 'vitest';
import { once } from './once.ts';

test('a value is made once; a failure is tried again', async () => {
  let calls = 0;
  const get = once(async () => {
    calls++;
    if (calls === 1) throw new Error('not yet');
    return calls;
  });
  const first = [get(), get()];
  for (const call of first) await expect(call).rejects.toThrow('not yet');
  expect(calls).toBe(1);
  expect(await Promise.all([get(), get()])).toEqual([2, 2]);
  expect(await get()).toBe(2);
});
