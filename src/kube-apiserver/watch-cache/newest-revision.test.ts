import { expect, test } from 'vitest';
import { newestRevision } from './newest-revision.ts';

test('calls during a question share the next one', async () => {
  const asked: PromiseWithResolvers<number>[] = [];
  const newest = newestRevision(() => {
    asked.push(Promise.withResolvers<number>());
    return asked.at(-1)!.promise;
  });
  const first = newest();
  const [second, third] = [newest(), newest()];
  expect(asked).toHaveLength(1);
  asked[0].resolve(7);
  expect(await first).toBe(7);
  await Promise.resolve();
  expect(asked).toHaveLength(2);
  asked[1].resolve(9);
  expect(await Promise.all([second, third])).toEqual([9, 9]);
  const failing = newest();
  const after = newest();
  asked[2].reject(new Error('no answer'));
  await expect(failing).rejects.toThrow('no answer');
  await Promise.resolve();
  asked[3].resolve(11);
  expect(await after).toBe(11);
});
