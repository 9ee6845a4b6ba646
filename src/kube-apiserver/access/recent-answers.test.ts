import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { RecentAnswers } from './recent-answers.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const usedMegabytes = () => {
  collect();
  return getHeapStatistics().used_heap_size / 2 ** 20;
};

describe('the cache stays small', () => {
  test('with questions of a megabyte', async () => {
    const before = usedMegabytes();
    const answers = new RecentAnswers<boolean>(new VirtualClock());
    for (let i = 0; i < 100; i++)
      await answers.get(`${i}${'x'.repeat(2 ** 20)}`, async () => ({ value: true, ttlMs: 60_000 }));
    expect(usedMegabytes() - before).toBeLessThan(20);
    let isAsked = false;
    await answers.get(`0${'x'.repeat(2 ** 20)}`, async () => {
      isAsked = true;
      return { value: true, ttlMs: 60_000 };
    });
    expect(isAsked).toBe(false);
  });

  test('with long answers: those are not cached', async () => {
    const answers = new RecentAnswers<object>(new VirtualClock());
    let asked = 0;
    const ask = (length: number) =>
      answers.get(String(length), async () => {
        asked++;
        return { value: { groups: ['g'.repeat(length)] }, ttlMs: 60_000 };
      });
    for (const length of [10, 10, 16_000, 16_000]) await ask(length);
    expect(asked).toBe(2);
    for (const length of [17_000, 17_000]) await ask(length);
    expect(asked).toBe(4);
  });
});

test('at most a thousand requests wait for a server that does not answer', async () => {
  const answers = new RecentAnswers<boolean>(new VirtualClock());
  const { promise, resolve } = Promise.withResolvers<{ value: boolean; ttlMs: number }>();
  let asked = 0;
  const ask = () => {
    asked++;
    return promise;
  };
  const waiting = Array.from({ length: 1_000 }, (_, i) => answers.get(String(i), ask));
  await expect(answers.get('one more', ask)).rejects.toThrow('1000 requests wait for its answer already');
  await expect(answers.get('7', ask)).rejects.toThrow();
  expect(asked).toBe(1_000);
  resolve({ value: true, ttlMs: 0 });
  expect(await Promise.all(waiting)).toHaveLength(1_000);
  expect(await answers.get('one more', ask)).toBe(true);
});
