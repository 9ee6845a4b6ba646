// The test cases of Kubernetes' eviction manager: the order of pods, and the messages.

import { describe, expect, test } from 'vitest';
import type { Pod } from '../../api/api.ts';
import { refuseUnderPressure } from './admission.ts';
import { type Candidate, evictionMessage, type PodUsage, ranked } from './ranking.ts';
import { type PressureCondition, type StarvedResource, thresholdsOf } from './thresholds.ts';

const mi = 2 ** 20;

function candidate(
  name: string,
  priority: number,
  requestMi: number,
  usage?: Partial<Omit<PodUsage, 'containers'>>,
): Candidate {
  const requests = requestMi > 0 ? { memory: `${requestMi}Mi`, 'ephemeral-storage': `${requestMi}Mi` } : {};
  const pod = {
    metadata: { name },
    spec: { priority, containers: [{ name: 'c', resources: { requests } }] },
  } as unknown as Pod;
  if (!usage) return { pod, usage: undefined };
  const { memoryBytes = 0, diskBytes = 0, inodes = 0, processes = 0 } = usage;
  return {
    pod,
    usage: { memoryBytes, diskBytes, inodes, processes, containers: [{ name: 'c', memoryBytes, diskBytes }] },
  };
}
const memory = (amountMi: number) => ({ memoryBytes: amountMi * mi });
const disk = (amountMi: number) => ({ diskBytes: amountMi * mi });

describe('the order of eviction', () => {
  test.each<[string, StarvedResource, Candidate[], string]>([
    [
      'above its request, then low priority, then most above its request',
      'memory',
      [
        candidate('within', 0, 500, memory(400)),
        candidate('high', 1000, 100, memory(900)),
        candidate('small', 0, 100, memory(150)),
        candidate('large', 0, 100, memory(300)),
        candidate('within-high', 1000, 500, memory(450)),
      ],
      'large small high within within-high',
    ],
    [
      'one of which nothing is known',
      'memory',
      [candidate('known', 0, 0, memory(900)), candidate('unknown', 1000, 0)],
      'unknown known',
    ],
    [
      'disk by disk',
      'ephemeral-storage',
      [candidate('memory', 0, 100, { ...memory(900), ...disk(10) }), candidate('disk', 0, 100, disk(200))],
      'disk memory',
    ],
    [
      'inodes, which have no requests',
      'inodes',
      [candidate('few', 0, 0, { inodes: 10 }), candidate('many', 0, 0, { inodes: 1000 }), candidate('none', 0, 0, {})],
      'many few none',
    ],
    [
      'processes by priority, then number',
      'pids',
      [
        candidate('high', 1000, 0, { processes: 900 }),
        candidate('few', 0, 0, { processes: 1 }),
        candidate('many', 0, 0, { processes: 90 }),
      ],
      'many few high',
    ],
  ])('%s', (_, resource, candidates, wanted) =>
    expect(ranked(candidates, resource).map(({ pod }) => pod.metadata.name)).toEqual(wanted.split(' ')),
  );
});

describe('the message', () => {
  const observations = { 'memory.available': { available: 50 * mi, capacity: 2 ** 30 } };
  test('threshold, and containers above their requests', () =>
    expect(evictionMessage(candidate('p', 0, 100, memory(150)), 'memory', thresholdsOf(), observations)).toBe(
      'The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. ' +
        'Container c was using 150Mi, request is 100Mi, has larger consumption of memory. ',
    ));
  test('a pod with pod-level resources', () => {
    const own = candidate('p', 0, 0, memory(150));
    Object.assign(own.pod.spec, { resources: { requests: { memory: '120Mi' } } });
    expect(evictionMessage(own, 'memory', [], observations)).toBe(
      'The node was low on resource: memory. ' +
        'Pod p was using 150Mi, request is 120Mi, has larger consumption of memory. ' +
        'Container c was using 150Mi, request is 0, has larger consumption of memory. ',
    );
  });
  test('inodes are counted, not measured', () =>
    expect(
      evictionMessage(candidate('p', 0, 0, { inodes: 5 }), 'inodes', thresholdsOf(), {
        'nodefs.inodesFree': { available: 7, capacity: 1000 },
      }),
    ).toBe('The node was low on resource: inodes. Threshold quantity: 50, available: 7. '));
});

describe('admission under pressure', () => {
  const pod = (qosClass: string, more: object = {}) =>
    ({ metadata: {}, spec: { containers: [], ...more }, status: { qosClass } }) as unknown as Pod;
  const tolerating = { tolerations: [{ key: 'node.kubernetes.io/memory-pressure', operator: 'Exists' }] };
  test.each<[string, Pod, PressureCondition[], string | undefined]>([
    ['without pressure', pod('BestEffort'), [], undefined],
    ['memory: BestEffort', pod('BestEffort'), ['MemoryPressure'], 'The node had condition: [MemoryPressure]. '],
    ['memory: Burstable', pod('Burstable'), ['MemoryPressure'], undefined],
    ['memory: a toleration', pod('BestEffort', tolerating), ['MemoryPressure'], undefined],
    ['disk: any', pod('Guaranteed', tolerating), ['DiskPressure'], 'The node had condition: [DiskPressure]. '],
    ['disk: a critical one', pod('BestEffort', { priority: 2e9 }), ['DiskPressure'], undefined],
    [
      'both',
      pod('Burstable'),
      ['MemoryPressure', 'DiskPressure'],
      'The node had condition: [MemoryPressure DiskPressure]. ',
    ],
  ])('%s', (_, given, conditions, message) =>
    expect(refuseUnderPressure(given, new Set(conditions))).toEqual(message && { reason: 'Evicted', message }),
  );
});
