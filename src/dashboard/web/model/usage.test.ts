import { describe, expect, test } from 'vitest';
import { addUsage, linePath, readHistory, readUsage } from './usage.ts';

const time = '2026-01-01T00:00:00Z';
const atMs = Date.parse(time);

describe('usage', () => {
  test('nodes, and pods as the sum of their containers', () => {
    const pod = {
      metadata: { name: 'web', namespace: 'shop' },
      timestamp: time,
      containers: [{ usage: { cpu: '250m', memory: '1Mi' } }, { usage: { cpu: '1', memory: '1Mi' } }],
    };
    const node = { metadata: { name: 'n1' }, timestamp: time, usage: { cpu: '1500000n', memory: '2Ki' } };
    expect(readUsage({ items: [pod, node, { metadata: {} }, 'x'] })).toEqual([
      { key: 'shop/web', namespace: 'shop', name: 'web', points: [{ atMs, cpu: 1.25, memory: 2 * 2 ** 20 }] },
      { key: '/n1', namespace: '', name: 'n1', points: [{ atMs, cpu: 0.0015, memory: 2048 }] },
    ]);
  });

  test('points of the server and of the page are one series, each time once', () => {
    const kept = readHistory({
      series: [
        {
          namespace: '',
          name: 'n1',
          points: [
            { atMs: 1, cpuCores: 1, memoryBytes: 1 },
            { atMs: 2, cpuCores: 2, memoryBytes: 2 },
          ],
        },
        { namespace: '', name: 'gone', points: [{ atMs: 1, cpuCores: 1, memoryBytes: 1 }] },
      ],
    });
    const first = addUsage(new Map(), kept, false);
    const row = {
      key: '/n1',
      namespace: '',
      name: 'n1',
      points: [
        { atMs: 2, cpu: 2, memory: 2 },
        { atMs: 3, cpu: 3, memory: 3 },
      ],
    };
    const next = addUsage(first, [row], true);
    expect([...next.keys()]).toEqual(['/n1']);
    expect(next.get('/n1')?.points.map((point) => point.cpu)).toEqual([1, 2, 3]);
  });

  test('a line goes from the oldest point to the newest, and not above the top', () => {
    const values = [
      { atMs: 0, value: 0 },
      { atMs: 5, value: 1 },
      { atMs: 10, value: 9 },
    ];
    expect(linePath(values, { width: 100, height: 20, top: 2 })).toBe('M0.0 20.0L50.0 10.0L100.0 0.0');
    expect(linePath(values.slice(0, 1), { width: 100, height: 20, top: 2 })).toBe('');
  });
});
