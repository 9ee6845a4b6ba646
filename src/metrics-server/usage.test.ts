import { expect, test } from 'vitest';
import type { Sample } from './scraped.ts';
import { podUsage, usageBetween } from './usage.ts';

/** CPU seconds, time and start in seconds. */
const sample = (cpuSeconds: number, at: number, start?: number): Sample => ({
  cpuSeconds,
  memoryBytes: 1024,
  atMs: at * 1000,
  ...(start !== undefined && { startMs: start * 1000 }),
});

test.each<[string, Sample | undefined, Sample, [cores: number, window: number] | undefined]>([
  ['a node', sample(100, 50), sample(107.5, 65), [0.5, 15]],
  ['a container', sample(3, 50, 0), sample(3.15, 65, 0), [0.01, 15]],
  ['an idle container', sample(3, 50, 0), sample(3, 65, 0), [0, 15]],
  ['the same sample twice', sample(3, 50, 0), sample(3, 50, 0), undefined],
  ['a node that was not sampled before', undefined, sample(100, 50), undefined],
  ['a new container', undefined, sample(6, 65, 53), [0.5, 12]],
  ['a very young container', undefined, sample(6, 65, 56), undefined],
  ['a container that started again', sample(30, 50, 0), sample(6, 65, 53), [0.5, 12]],
  ['a container that started again just now', sample(30, 50, 0), sample(6, 65, 60), undefined],
  ['a counter that went back without a start', sample(30, 50), sample(6, 65), undefined],
])('%s', (_, previous, last, wanted) => {
  const usage = usageBetween(previous, last);
  if (!wanted) return void expect(usage).toBeUndefined();
  expect([usage?.cpuCores, usage?.windowMs]).toEqual([expect.closeTo(wanted[0]), wanted[1] * 1000]);
  expect(usage).toMatchObject({ memoryBytes: 1024, atMs: last.atMs });
});

test('a pod has usage when all its containers have it', () => {
  const before = new Map([['a', sample(1, 50, 0)]]);
  const both = new Map([
    ['a', sample(2, 65, 0)],
    ['b', sample(1, 65, 60)],
  ]);
  expect(podUsage(before, both)).toBeUndefined();
  expect(podUsage(new Map([...before, ['b', sample(0, 60, 60)]]), both)?.get('b')?.cpuCores).toBeCloseTo(0.2);
  expect(podUsage(before, new Map())).toBeUndefined();
});
