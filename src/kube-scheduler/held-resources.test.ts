import { expect, test } from 'vitest';
import type { Pod } from '../api/api.ts';
import { isBeingResized, podInfo, requestsLess } from './pod-info.ts';

const podOf = (wanted: string, { has = wanted, granted = wanted, ...more }: Record<string, unknown> = {}) =>
  ({
    metadata: { name: 'p', namespace: 'default' },
    spec: { containers: [{ name: 'c', resources: { requests: { cpu: wanted } } }] },
    status: {
      containerStatuses: [{ name: 'c', resources: { requests: { cpu: has } }, allocatedResources: { cpu: granted } }],
      ...more,
    },
  }) as unknown as Pod;
const pending = (reason: string) => ({ conditions: [{ type: 'PodResizePending', status: 'True', reason }] });

test.each([
  { case: 'no resize', pod: podOf('100m'), cpuMillis: 100, resized: false },
  { case: 'more wanted than granted', pod: podOf('200m', { has: '100m', granted: '100m' }), cpuMillis: 200 },
  { case: 'less wanted than it has', pod: podOf('50m', { has: '100m', granted: '50m' }), cpuMillis: 100 },
  { case: 'granted, and not there yet', pod: podOf('50m', { has: '100m', granted: '300m' }), cpuMillis: 300 },
  {
    case: 'more wanted than the node has',
    pod: podOf('2', { has: '100m', granted: '150m', ...pending('Infeasible') }),
    cpuMillis: 150,
  },
  {
    case: 'more wanted than the node has now',
    pod: podOf('2', { has: '100m', granted: '150m', ...pending('Deferred') }),
    cpuMillis: 2000,
  },
])('$case: $cpuMillis', ({ pod, cpuMillis, resized = true }) =>
  expect([podInfo(pod).requests.cpuMillis, isBeingResized(pod)]).toEqual([cpuMillis, resized]),
);

test('of the whole pod', () => {
  const { spec, status, metadata } = podOf('100m');
  const resources = (cpu: string) => ({ requests: { cpu } });
  const pod = {
    metadata,
    spec: { ...spec, resources: resources('500m') },
    status: { ...status, resources: resources('700m'), allocatedResources: { cpu: '500m' } },
  } as unknown as Pod;
  expect(podInfo(pod).requests.cpuMillis).toBe(700);
});

test.each([
  [{ cpu: '2' }, { cpu: '1' }, true],
  [{ cpu: '1' }, { cpu: '2' }, false],
  [{ cpu: '1', 'a.b/c': '2' }, { cpu: '1', 'a.b/c': '1' }, true],
  [{ 'a.b/c': '2' }, {}, true],
])('from %j to %j: less is %j', (before, after, less) => {
  const requestsOf = (requests: object) =>
    podInfo({ metadata: {}, spec: { containers: [{ name: 'c', resources: { requests } }] } } as unknown as Pod)
      .requests;
  expect(requestsLess(requestsOf(after), requestsOf(before))).toBe(less);
});
