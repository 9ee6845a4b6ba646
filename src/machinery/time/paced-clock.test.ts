import { expect, test } from 'vitest';
import { VirtualClock } from './clock.ts';
import { PacedClock } from './paced-clock.ts';

function start() {
  const base = new VirtualClock(1_000_000);
  const clock = new PacedClock(base);
  const fired: string[] = [];
  const at = (ms: number, name: string) => clock.after(ms, () => fired.push(`${name} at ${clock.now() - 1_000_000}`));
  return { base, clock, fired, at };
}

test('at first it goes as its base', async () => {
  const { base, clock, fired, at } = start();
  at(1_000, 'a');
  await base.advance(999);
  expect(fired).toEqual([]);
  await base.advance(1);
  expect(fired).toEqual(['a at 1000']);
  expect(clock.now()).toBe(1_001_000);
});

test('five minutes pass in five seconds, in the order of the timers', async () => {
  const { base, clock, fired, at } = start();
  clock.setPace(60);
  at(300_000, 'evict');
  at(40_000, 'unknown');
  at(40_000, 'taint');
  await base.advance(5_000);
  expect(fired.map((text) => text.split(' ')[0])).toEqual(['unknown', 'taint', 'evict']);
  expect(clock.now()).toBe(1_300_000);
});

test('held, no timer fires; afterwards it goes on where it was', async () => {
  const { base, clock, fired, at } = start();
  at(1_000, 'a');
  await base.advance(400);
  clock.setPace(0);
  await base.advance(60_000);
  expect([clock.now(), fired]).toEqual([1_000_400, []]);
  clock.setPace(0.1);
  await base.advance(5_990);
  expect(fired).toEqual([]);
  await base.advance(20);
  expect(fired).toHaveLength(1);
});

test('cancelled timers do not fire, also when another timer of the same time cancels them', async () => {
  const { base, clock, fired, at } = start();
  clock.after(10, () => second.cancel());
  const second = at(10, 'second');
  at(20, 'third').cancel();
  at(30, 'last');
  await base.advance(100);
  expect(fired.map((text) => text.split(' ')[0])).toEqual(['last']);
});

test('sleep ends with its signal', async () => {
  const { clock } = start();
  clock.setPace(0);
  const stop = new AbortController();
  const sleeping = clock.sleep(1_000, stop.signal);
  stop.abort(new Error('stopped'));
  await expect(sleeping).rejects.toThrow('stopped');
});

test.each([-1, Number.NaN, Number.POSITIVE_INFINITY])('a pace of %d is refused', (pace) => {
  expect(() => start().clock.setPace(pace)).toThrow('from 0 on');
});
