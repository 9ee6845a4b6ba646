import { expect, test } from 'vitest';
import type { Pod } from '../../api/api.ts';
import { byResizeOrder } from './resize-order.ts';

const podOf = (name: string, priority: number, qosClass: string, lastTransitionTime: string) =>
  ({
    metadata: { name },
    spec: { priority, containers: [{ name: 'c' }] },
    status: { qosClass, conditions: [{ type: 'PodResizePending', status: 'True', lastTransitionTime }] },
  }) as unknown as Pod;

test('deferred resizes go by priority, then QoS class, then the longest wait', () => {
  const pods = [
    podOf('late', 0, 'Burstable', '2026-01-01T00:00:03Z'),
    podOf('best effort', 0, 'BestEffort', '2026-01-01T00:00:00Z'),
    podOf('early', 0, 'Burstable', '2026-01-01T00:00:01Z'),
    podOf('guaranteed', 0, 'Guaranteed', '2026-01-01T00:00:04Z'),
    podOf('important', 1000, 'BestEffort', '2026-01-01T00:00:05Z'),
  ];
  const ordered = pods.toSorted(byResizeOrder).map(({ metadata }) => metadata.name);
  expect(ordered).toEqual(['important', 'guaranteed', 'early', 'late', 'best effort']);
});
