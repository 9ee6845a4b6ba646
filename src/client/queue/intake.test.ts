import { expect, test } from 'vitest';
import { Intake } from './intake.ts';

/** Each item takes 4 ms. */
function slowIntake() {
  let nowMs = 0;
  const taken: number[] = [];
  const stop = new AbortController();
  const take = (item: number) => {
    taken.push(item);
    nowMs += 4;
  };
  return { taken, stop, intake: new Intake({ monotonic: () => nowMs }, take, stop.signal) };
}
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test('few items are taken at once, and many in turns and in order', async () => {
  const { intake, taken } = slowIntake();
  for (let i = 0; i < 20; i++) intake.add(i);
  expect(taken).toEqual([0, 1, 2]);
  const sizes: number[] = [];
  while (taken.length < 20) {
    const before = taken.length;
    await turn();
    if (taken.length > before) sizes.push(taken.length - before);
  }
  expect(Math.max(...sizes)).toBeLessThanOrEqual(4);
  expect(taken).toEqual(Array.from({ length: 20 }, (_, i) => i));
  intake.add(20);
  expect(taken.at(-1)).toBe(20);
});

test('none is taken after the end', async () => {
  const { intake, taken, stop } = slowIntake();
  for (let i = 0; i < 20; i++) intake.add(i);
  stop.abort();
  for (let i = 0; i < 20; i++) await turn();
  expect(taken).toEqual([0, 1, 2]);
});
