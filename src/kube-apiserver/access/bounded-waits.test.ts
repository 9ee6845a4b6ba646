import { expect, test } from 'vitest';
import { BoundedWaits } from './bounded-waits.ts';

test('at most a thousand wait, and another can wait when one has ended', async () => {
  const waits = new BoundedWaits();
  const first = Promise.withResolvers<void>();
  const others = Promise.withResolvers<void>();
  const failing = waits.wait(() => first.promise);
  const waiting = Array.from({ length: 999 }, () => waits.wait(() => others.promise));
  await expect(waits.wait(async () => {})).rejects.toThrow('1000 requests wait for its answer already');
  first.reject(new Error('down'));
  await expect(failing).rejects.toThrow('down');
  expect(await waits.wait(async () => 7)).toBe(7);
  others.resolve();
  expect(await Promise.all(waiting)).toHaveLength(999);
});
