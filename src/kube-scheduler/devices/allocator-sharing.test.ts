// Cases of Kubernetes' allocator with taints, shared counters and consumable capacity.

import { describe, expect, test } from 'vitest';
import type { DeviceTaint } from '../../api/api.ts';
import type { ResourceSlice } from './claim-types.ts';
import { allocation, claim, type OutcomeCase, outcomeOf, request, slice } from './test-devices.ts';

const none = 'cannot allocate all claims';
const onA = { nodeName: 'a' };
const sized = (name: string, value: string) => ({ name, capacity: { memory: { value } } });
const shared = (name: string, value: string, requestPolicy?: object) => ({
  name,
  allowMultipleAllocations: true,
  capacity: { memory: { value, ...(requestPolicy && { requestPolicy }) } },
});
const wants = (memory: string) => ({ capacity: { requests: { memory } } });
const consumes = (name: string, memory: string) => ({
  name,
  consumesCounters: [{ counterSet: 'card', counters: { memory: { value: memory } } }],
});
const counters = (memory: string, more: object = {}) =>
  slice('counters', [], {
    count: 2,
    ...onA,
    sharedCounters: [{ name: 'card', counters: { memory: { value: memory } } }],
    ...more,
  });
const taint = (effect: DeviceTaint['effect']) => ({ taints: [{ key: 'broken', value: 'yes', effect }] });

const tolerating = (toleration: object) => [claim('c', [request('gpu', { tolerations: [toleration] })])];
const taints: readonly OutcomeCase[] = [
  { case: 'NoSchedule', slices: [slice('s', [{ name: 'x', ...taint('NoSchedule') }], onA)], gives: none },
  { case: 'NoExecute', slices: [slice('s', [{ name: 'x', ...taint('NoExecute') }], onA)], gives: none },
  { case: 'None', slices: [slice('s', [{ name: 'x', ...taint('None') }], onA)], gives: ['gpu x'] },
  {
    case: 'a toleration by value',
    slices: [slice('s', [{ name: 'x', ...taint('NoSchedule') }], onA)],
    claims: tolerating({ key: 'broken', operator: 'Equal', value: 'yes' }),
    gives: ['gpu x'],
  },
  {
    case: 'a toleration of another value',
    slices: [slice('s', [{ name: 'x', ...taint('NoSchedule') }], onA)],
    claims: tolerating({ key: 'broken', operator: 'Equal', value: 'no' }),
    gives: none,
  },
  {
    case: 'a toleration of another effect',
    slices: [slice('s', [{ name: 'x', ...taint('NoSchedule') }], onA)],
    claims: tolerating({ operator: 'Exists', effect: 'NoExecute' }),
    gives: none,
  },
  {
    case: 'a toleration of all',
    slices: [slice('s', [{ name: 'x', ...taint('NoSchedule') }], onA)],
    claims: tolerating({ operator: 'Exists' }),
    gives: ['gpu x'],
  },
];

const part = (slices: readonly object[], memory: string): readonly ResourceSlice[] => [
  counters(memory),
  slice('devices', slices as never, { ...onA, count: 2 }),
];
const partitions: readonly OutcomeCase[] = [
  {
    case: 'enough for both',
    slices: part([consumes('x', '4Gi'), consumes('y', '4Gi')], '8Gi'),
    claims: [claim('c', [request('gpu', { count: 2 })])],
    gives: ['gpu x, gpu y'],
  },
  {
    case: 'enough for one',
    slices: part([consumes('x', '4Gi'), consumes('y', '8Gi')], '8Gi'),
    claims: [claim('c', [request('gpu', { count: 2 })])],
    gives: none,
  },
  {
    case: 'beside a device that is taken',
    slices: part([consumes('x', '6Gi'), consumes('y', '4Gi'), consumes('z', '2Gi')], '8Gi'),
    taken: [allocation(['x'])],
    gives: ['gpu z'],
  },
  {
    case: 'a counter set that is missing',
    slices: [slice('devices', [consumes('x', '1Gi')], onA)],
    gives: 'invalid resource pools were encountered',
  },
  {
    case: 'counters of a pool are shared by nodes',
    slices: [
      counters('8Gi', { count: 3, nodeName: undefined, allNodes: true }),
      slice('d1', [consumes('x', '4Gi')], { ...onA, count: 3 }),
      slice('d2', [consumes('y', '6Gi')], { nodeName: 'b', count: 3 }),
    ],
    taken: [allocation(['y'])],
    gives: none,
  },
  {
    case: 'a tainted device takes nothing',
    slices: part([{ ...consumes('x', '8Gi'), ...taint('NoSchedule') }, consumes('y', '8Gi')], '8Gi'),
    gives: ['gpu y'],
  },
];

const range = { default: '1Gi', validRange: { min: '1Gi', step: '1Gi', max: '4Gi' } };
const asking = (...amounts: readonly string[]) =>
  amounts.map((amount, i) => claim(`c${i}`, [request('gpu', wants(amount))]));
const capacities: readonly OutcomeCase[] = [
  {
    case: 'two shares of one device',
    slices: [slice('s', [shared('x', '8Gi')], onA)],
    claims: asking('4Gi', '4Gi'),
    gives: ['gpu x', 'gpu x'],
  },
  {
    case: 'more than there is',
    slices: [slice('s', [shared('x', '8Gi')], onA)],
    claims: asking('4Gi', '5Gi'),
    gives: none,
  },
  {
    case: 'the next device, when the first is used up',
    slices: [slice('s', [shared('x', '8Gi'), shared('y', '8Gi')], onA)],
    claims: asking('5Gi', '5Gi'),
    gives: ['gpu x', 'gpu y'],
  },
  {
    case: 'beside the shares of others',
    slices: [slice('s', [shared('x', '8Gi')], onA)],
    claims: asking('4Gi'),
    taken: [allocation(['x'], { shareID: 's', consumedCapacity: { memory: '6Gi' } })],
    gives: none,
  },
  {
    case: 'a capacity that the device does not have',
    slices: [slice('s', 1, onA)],
    claims: asking('1Gi'),
    gives: none,
  },
  {
    case: 'a device for one claim with enough',
    slices: [slice('s', [sized('x', '2Gi'), sized('y', '4Gi')], onA)],
    claims: asking('3Gi'),
    gives: ['gpu y'],
  },
  {
    case: 'more than the policy permits',
    slices: [slice('s', [shared('x', '8Gi', range)], onA)],
    claims: asking('5Gi'),
    gives: none,
  },
  {
    case: 'rounded up, there is too little',
    slices: [slice('s', [shared('x', '3Gi', range)], onA)],
    claims: asking('1500Mi', '1500Mi'),
    gives: none,
  },
];

describe.each([
  { of: 'taints', cases: taints },
  { of: 'partitions', cases: partitions },
  { of: 'capacity', cases: capacities },
])('$of', ({ cases }) => {
  test.each(cases)('$case', (one) => expect(outcomeOf(one)).toEqual(one.gives));
});
