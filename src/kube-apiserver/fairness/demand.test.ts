import { expect, test } from 'vitest';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { Demand } from './demand.ts';

test('demand is averaged over time, and old demand fades', async () => {
  const clock = new VirtualClock();
  const demand = new Demand(clock);
  demand.set(10);
  await clock.advance(5_000);
  demand.set(0);
  await clock.advance(5_000);
  expect(demand.look()).toEqual({ highWatermark: 10, average: 5, deviation: 5, smoothed: 10 });
  for (let i = 0; i < 30; i++) {
    await clock.advance(10_000);
    demand.look();
  }
  expect(demand.figures).toMatchObject({ highWatermark: 0, average: 0, deviation: 0 });
  expect(demand.figures.smoothed).toBeCloseTo(10 * 0.977 ** 30, 5);
});
