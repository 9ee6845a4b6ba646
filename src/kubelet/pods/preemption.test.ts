import { expect, test } from 'vitest';
import type { Pod } from '../../api/api.ts';
import type { KubeletConfig } from '../config.ts';
import { refuse } from './admission.ts';
import { preemption } from './preemption.ts';

const config = {
  ...{ nodeName: 'n', maxPods: 5, reserved: { cpuMillis: 0, memoryBytes: 0 } },
  capacity: { cpuMillis: 1000, memoryBytes: 1000, ephemeralStorageBytes: 1000 },
} as KubeletConfig;
const able = { supplementalGroupsPolicy: true, appArmor: true, object: undefined };

const podOf = (uid: string, requests: object, more: object = {}, metadata: object = {}) =>
  ({
    metadata: { name: uid, uid, ...metadata },
    spec: { containers: [{ name: 'c', resources: { requests } }], ...more },
  }) as unknown as Pod;
const guaranteed = (uid: string, amounts: object) => {
  const pod = podOf(uid, amounts);
  return { ...pod, spec: { containers: [{ name: 'c', resources: { requests: amounts, limits: amounts } }] } } as Pod;
};
const isStatic = { annotations: { 'kubernetes.io/config.source': 'file' } };
const critical = (requests: object, more: object = {}) => podOf('critical', requests, more, isStatic);
const outcome = (pod: Pod, running: readonly Pod[], counted = running) => {
  const found = preemption(pod, { counted, running }, (others) => refuse(pod, others, config, able));
  return found?.preempts ?? found?.reason;
};

const small = podOf('small', { cpu: '100m' });
const middle = podOf('middle', { cpu: '300m' });
const large = podOf('large', { cpu: '600m' });
const none = podOf('none', {});

test.each([
  { case: 'fits', pod: critical({ cpu: '100m' }), running: [large], wanted: undefined },
  { case: 'is not critical', pod: podOf('p', { cpu: '500m' }), running: [large], wanted: 'OutOfcpu' },
  { case: 'needs one pod less', pod: critical({ cpu: '200m' }), running: [large, middle], wanted: ['middle'] },
  {
    case: 'takes the smallest that is enough',
    pod: critical({ cpu: '100m' }),
    running: [large, middle, small],
    wanted: ['small'],
  },
  {
    case: 'takes several',
    pod: critical({ cpu: '900m' }),
    running: [large, middle, small],
    wanted: ['large', 'middle'],
  },
  {
    case: 'spares Guaranteed pods',
    pod: critical({ cpu: '300m' }),
    running: [guaranteed('g', { cpu: '300m', memory: '1' }), middle, podOf('b', { cpu: '400m' })],
    wanted: ['middle'],
  },
  {
    case: 'takes BestEffort pods for the number of pods',
    pod: critical({}),
    running: [small, middle, none, podOf('x', { cpu: '1m' }), podOf('y', { cpu: '1m' })],
    wanted: ['none'],
  },
  {
    case: 'has no pod below it',
    pod: critical({ cpu: '300m' }),
    running: [podOf('other', { cpu: '900m' }, {}, isStatic)],
    wanted: 'UnexpectedAdmissionError',
  },
  {
    case: 'has a critical pod of lower priority',
    pod: critical({ cpu: '300m' }, { priority: 2_000_001_000 }),
    running: [podOf('other', { cpu: '900m' }, { priority: 2_000_000_000 })],
    wanted: ['other'],
  },
  {
    case: 'is larger than the node',
    pod: critical({ cpu: '2' }),
    running: [large],
    wanted: 'UnexpectedAdmissionError',
  },
  {
    case: 'belongs to another node, which no preemption changes',
    pod: critical({ cpu: '900m' }, { nodeName: 'other' }),
    running: [large],
    wanted: 'NodeName',
  },
])('a pod that $case', ({ pod, running, wanted }) => expect(outcome(pod, running)).toEqual(wanted));

test('pods that already stop are waited for', () => {
  expect(outcome(critical({ cpu: '500m' }), [small], [small, large])).toEqual([]);
  expect(outcome(critical({ cpu: '950m' }), [small], [small, large])).toEqual(['small']);
});
