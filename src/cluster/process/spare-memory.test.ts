import { expect, test } from 'vitest';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { collectWhenIdle, isWorthwhile } from './spare-memory.ts';

const megabytes = (count: number) => count << 20;

test.each([
  { case: 'idle after a burst', rss: 590, heapUsed: 370, cpuShare: 0.02, settled: 320, worth: true },
  { case: 'busy', rss: 590, heapUsed: 370, cpuShare: 0.5, settled: 320, worth: false },
  { case: 'little to gain', rss: 340, heapUsed: 200, cpuShare: 0, settled: 320, worth: false },
  { case: 'little to gain beside what there is', rss: 690, heapUsed: 600, cpuShare: 0, settled: 600, worth: false },
  { case: 'a heap that would delay requests', rss: 770, heapUsed: 550, cpuShare: 0, settled: 320, worth: false },
])('memory is released if that justifies a pause: $case', ({ rss, heapUsed, cpuShare, settled, worth }) => {
  const sample = { rss: megabytes(rss), heapUsed: megabytes(heapUsed), cpuShare };
  expect(isWorthwhile(sample, megabytes(settled))).toBe(worth);
});

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
