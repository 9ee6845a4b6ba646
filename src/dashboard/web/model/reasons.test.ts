import { expect, test } from 'vitest';
import { reasonsOf } from './reasons.ts';

const pod = (containerStatus: object, extra: object = {}) => ({
  spec: { containers: [{}], nodeName: 'n', restartPolicy: 'Always' },
  status: { containerStatuses: [{ name: 'c', restartCount: 0, ...containerStatus }], ...extra },
});
const killed = { terminated: { exitCode: 137, reason: 'OOMKilled' } };
const backOff = { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 10s' } };

test.each([
  {
    case: 'a pod gets a node',
    before: { spec: { containers: [] } },
    after: { spec: { containers: [], nodeName: 'node-1' } },
    found: [{ key: 'why.bound', values: { node: 'node-1' } }],
  },
  {
    case: 'a container restarts',
    before: pod({}),
    after: pod({ restartCount: 1, lastState: killed }),
    found: [
      {
        ...{ key: 'why.restart', isBad: true },
        values: { name: 'c', policy: 'Always', code: '137', reason: 'OOMKilled', number: 1, message: '' },
      },
    ],
  },
  {
    case: 'the kubelet waits before it starts the container again',
    before: pod({}),
    after: pod({ state: backOff }),
    found: [{ key: 'why.waits', values: { name: 'c', message: 'back-off 10s' }, isBad: true }],
  },
  { case: 'it still waits', before: pod({ state: backOff }), after: pod({ state: backOff }), found: [] },
  {
    case: 'the kubelet evicts a pod',
    before: pod({}, { phase: 'Running' }),
    after: pod({}, { phase: 'Failed', reason: 'Evicted', message: 'low on memory' }),
    found: [{ key: 'why.failed', values: { reason: 'Evicted', message: 'low on memory' }, isBad: true }],
  },
  {
    case: 'another number of replicas is wanted',
    before: { spec: { replicas: 8 }, status: { replicas: 8 } },
    after: { spec: { replicas: 3 }, status: { replicas: 8 } },
    found: [{ key: 'why.replicas', values: { before: 8, after: 3, has: 8 } }],
  },
  {
    case: 'the controller observes another number',
    before: { spec: { replicas: 3 }, status: { replicas: 8 } },
    after: { spec: { replicas: 3 }, status: { replicas: 3 } },
    found: [{ key: 'why.observed', values: { before: 8, after: 3, wanted: 3 } }],
  },
  {
    case: 'a disruption',
    before: { status: { conditions: [] } },
    after: { status: { conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'R', message: 'm' }] } },
    found: [
      {
        key: 'why.condition',
        isBad: true,
        values: { type: 'DisruptionTarget', status: 'True', reason: 'R', message: 'm' },
      },
    ],
  },
  {
    case: 'a deletion that finalizers hold up',
    before: { metadata: { finalizers: ['a', 'b'] } },
    after: { metadata: { deletionTimestamp: 'x', deletionGracePeriodSeconds: 30, finalizers: ['a', 'b'] } },
    found: [
      { key: 'why.deletion', values: { seconds: 30 } },
      { key: 'why.finalizers', values: { names: 'a, b' } },
    ],
  },
  {
    case: 'hostile shapes',
    before: 5,
    after: { spec: [], status: { conditions: 'x', containerStatuses: [null, 3] } },
    found: [],
  },
])('$case', ({ before, after, found }) => expect(reasonsOf(before, after)).toEqual(found));
