import { expect, test } from 'vitest';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { Deadlines } from './deadlines.ts';

test('work expires at its limit, unless it ends before', async () => {
  const clock = new VirtualClock();
  const deadlines = new Deadlines(clock, 1_000);
  const expired: string[] = [];
  const start = (name: string) => deadlines.start(() => void expired.push(`${name} at ${clock.monotonic()}`));
  const begin = clock.monotonic();
  start('a');
  await clock.advance(400);
  const end = start('b');
  start('c');
  await clock.advance(300);
  end();
  start('d');
  await clock.advance(5_000);
  expect(expired).toEqual([`a at ${begin + 1_000}`, `c at ${begin + 1_400}`, `d at ${begin + 1_700}`]);
  start('e');
  await clock.advance(1_000);
  expect(expired).toHaveLength(4);
});
