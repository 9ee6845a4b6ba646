import { expect, test } from 'vitest';
import { VirtualClock } from '../machinery/time/clock.ts';
import { OneByOne } from './one-by-one.ts';

const never = new AbortController().signal;
const turns = async () => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

test('runs one at a time, in order', async () => {
  const clock = new VirtualClock();
  const queue = new OneByOne();
  const log: string[] = [];
  let running = 0;
  const act = (name: string) => async () => {
    expect(++running).toBe(1);
    await Promise.resolve();
    log.push(name);
    running--;
    if (name === 'b') throw new Error('b failed');
    return name;
  };
  const all = ['a', 'b', 'c'].map((name) => queue.run(clock, never, act(name)));
  expect(await Promise.allSettled(all)).toMatchObject([
    { value: 'a' },
    { reason: new Error('b failed') },
    { value: 'c' },
  ]);
  expect(log).toEqual(['a', 'b', 'c']);
});

test('the next goes on beside one that takes longer than two seconds, and each waits for the one before it', async () => {
  const clock = new VirtualClock();
  const queue = new OneByOne();
  const started: number[] = [];
  for (let i = 0; i < 3; i++)
    void queue.run(clock, never, () => {
      started.push(i);
      return new Promise(() => {});
    });
  await turns();
  expect(started).toEqual([0]);
  await clock.advance(2_000);
  await turns();
  expect(started).toEqual([0, 1]);
  await clock.advance(2_000);
  await turns();
  expect(started).toEqual([0, 1, 2]);
});

test('one whose client gave up does not run', async () => {
  const clock = new VirtualClock();
  const queue = new OneByOne();
  const gone = new AbortController();
  const first = Promise.withResolvers<string>();
  const before = queue.run(clock, never, () => first.promise);
  let ran = false;
  const given = queue.run(clock, gone.signal, async () => {
    ran = true;
  });
  gone.abort();
  first.resolve('done');
  expect(await before).toBe('done');
  await expect(given).rejects.toMatchObject({ code: 504 });
  expect(ran).toBe(false);
});
