import { expect, test } from 'vitest';
import { UsageHistory } from './history.ts';
import type { Sample } from './scraped.ts';

const sample = (atMs: number, cpuSeconds: number): Sample => ({ atMs, cpuSeconds, memoryBytes: 100 });
const scraped = (atMs: number, cpuSeconds: number) => ({
  node: sample(atMs, cpuSeconds),
  pods: new Map([
    [
      'shop/web',
      new Map([
        ['a', sample(atMs, cpuSeconds)],
        ['b', sample(atMs, cpuSeconds)],
      ]),
    ],
  ]),
});

test('each scrape adds a point to the node and to the sum of the containers of a pod', () => {
  const history = new UsageHistory();
  history.add(new Map([['n1', { previous: undefined, last: scraped(0, 0) }]]));
  history.add(new Map([['n1', { previous: scraped(0, 0), last: scraped(1000, 0.5) }]]));
  history.add(new Map([['n1', { previous: scraped(0, 0), last: scraped(1000, 0.5) }]]));
  expect(history.read('nodes')).toEqual([
    { namespace: '', name: 'n1', points: [{ atMs: 1000, cpuCores: 0.5, memoryBytes: 100 }] },
  ]);
  expect(history.read('pods', 'shop')).toEqual([
    { namespace: 'shop', name: 'web', points: [{ atMs: 1000, cpuCores: 1, memoryBytes: 200 }] },
  ]);
  expect(history.read('pods', 'other')).toEqual([]);
});

test('old points and series that have ended are removed', () => {
  const history = new UsageHistory();
  for (let i = 0; i < 130; i++)
    history.add(new Map([['n1', { previous: scraped(i * 1000, i), last: scraped((i + 1) * 1000, i + 1) }]]));
  const [{ points }] = history.read('nodes');
  expect([points.length, points[0].atMs]).toEqual([120, 11_000]);
  history.prune(131_000);
  expect(history.read('nodes')).toHaveLength(1);
  history.prune(500_000);
  expect(history.read('nodes')).toEqual([]);
});
