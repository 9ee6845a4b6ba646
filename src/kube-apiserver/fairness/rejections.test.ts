import { expect, test } from 'vitest';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { Rejections } from './rejections.ts';

test('clients come back later while rejections go on, and sooner when they cease', async () => {
  const clock = new VirtualClock();
  const rejections = new Rejections(clock);
  const seconds: number[] = [];
  for (let second = 0; second < 60; second++) {
    for (let i = 0; i < 20; i++) rejections.note();
    seconds.push(rejections.retryAfterSeconds);
    await clock.advance(1_000);
  }
  expect(seconds[0]).toBe(1);
  expect(Math.max(...seconds)).toBe(32);
  for (let minute = 0; minute < 40; minute++) {
    await clock.advance(60_000);
    rejections.note();
  }
  expect(rejections.retryAfterSeconds).toBe(1);
});
