import { expect, test } from 'vitest';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { collectWhenIdle, flavorFor, isWorthwhile } from './spare-memory.ts';

const megabytes = (count: number) => count << 20;

test.each([
  { case: 'idle after a burst', rss: 590, heapUsed: 370, cpuShare: 0.02, settled: 320, worth: true },
  { case: 'busy', rss: 590, heapUsed: 370, cpuShare: 0.5, settled: 320, worth: false },
  { case: 'little to gain', rss: 340, heapUsed: 200, cpuShare: 0, settled: 320, worth: false },
  { case: 'little to gain compared with the heap', rss: 690, heapUsed: 600, cpuShare: 0, settled: 600, worth: false },
])('memory is released if that justifies a pause: $case', ({ rss, heapUsed, cpuShare, settled, worth }) => {
  const sample = { rss: megabytes(rss), heapUsed: megabytes(heapUsed), cpuShare };
  expect(isWorthwhile(sample, megabytes(settled))).toBe(worth);
});

const fastMachine = 0.5 / (1 << 20);
test.each([
  { case: 'a small heap', megabytesInUse: 60, rate: fastMachine, flavor: 'last-resort' },
  { case: 'a large one', megabytesInUse: 250, rate: fastMachine, flavor: 'regular' },
  { case: 'one that would delay requests', megabytesInUse: 350, rate: fastMachine, flavor: undefined },
  { case: 'a small one of a slow machine', megabytesInUse: 60, rate: 4 * fastMachine, flavor: 'regular' },
  { case: 'a large one of a slow machine', megabytesInUse: 100, rate: 4 * fastMachine, flavor: undefined },
])('how thoroughly: $case', ({ megabytesInUse, rate, flavor }) =>
  expect(flavorFor(megabytes(megabytesInUse), rate)).toBe(flavor),
);

test('garbage of a burst is collected', async () => {
  const clock = new VirtualClock();
  const stop = collectWhenIdle(clock);
  const left = new WeakRef(new Array(1_000_000).fill(0).map((_, i) => ({ i })));
  // A reference is held for the turn in which it was made.
  await new Promise((resolve) => setTimeout(resolve, 0));
  // Many periods of virtual time: this process is idle in virtual time but busy with this test in real time.
  for (let i = 0; i < 4; i++) await clock.advance(3_600_000);
  stop();
  expect(left.deref()).toBeUndefined();
});
