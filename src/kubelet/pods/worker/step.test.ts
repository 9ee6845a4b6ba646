import { expect, test } from 'vitest';
import type { Pod } from '../../../api/api.ts';
import { nodeAffinity } from '../admission.ts';
import { podOf, TestNode } from './test-node.ts';
import { created, running, testTranscripts, timer, works } from './test-transcripts.ts';

testTranscripts('admission', [
  {
    case: 'a refusal becomes final after a second',
    given: (node) => (node.refusal = { reason: 'OutOfcpu', message: 'no CPU' }),
    lines: [
      [created, ['look']],
      [works, ['setTimer 1000']],
      [timer, ['look']],
      [works, ['event OutOfcpu', 'look']],
      [works, ['report end']],
      [works, ['releaseVolumes']],
      [works, ['setTimer 60000']],
    ],
    state: 'ended',
  },
  {
    case: 'a pod that preempts others waits for their end, longer than a second',
    given: (node) => (node.refusal = { reason: 'OutOfcpu', message: 'no CPU', preempts: ['other'] }),
    lines: [
      [created, ['look']],
      [works, ['preempt', 'setTimer 1000']],
      [timer, ['look']],
      [works, ['preempt', 'setTimer 1000']],
      [
        (node) => {
          node.refusal = undefined;
          return node.fireTimer();
        },
        ['look'],
      ],
      [works, ['setTimer 250', 'prepare sandbox 0']],
    ],
    state: 'syncing',
  },
  {
    case: 'the node may have room within the second',
    given: (node) => (node.refusal = { reason: 'OutOfcpu', message: 'no CPU' }),
    lines: [
      [created, ['look']],
      [works, ['setTimer 1000']],
      [
        (node) => {
          node.refusal = undefined;
          return node.fireTimer();
        },
        ['look'],
      ],
      [works, ['setTimer 250', 'prepare sandbox 0']],
    ],
    state: 'syncing',
  },
  {
    case: 'labels that do not match are read again first',
    given: (node) => (node.refusal = { reason: nodeAffinity, message: "node(s) didn't match" }),
    lines: [
      [created, ['look']],
      [works, ['readNode']],
      [works, ['look']],
      [works, ['setTimer 1000']],
      [timer, ['look']],
      [works, ['readNode']],
      [works, ['look']],
      [works, ['event NodeAffinity', 'look']],
    ],
    state: 'ended',
  },
  {
    case: 'a pod that runs is not refused: the kubelet before admitted it',
    given: (node) => {
      running(node);
      node.refusal = { reason: 'OutOfcpu', message: 'no CPU' };
      node.crash();
    },
    lines: [
      [works, ['refreshVolumes']],
      [works, ['report']],
      [works, ['setTimer 60000']],
    ],
    state: 'syncing',
  },
  {
    case: 'a pod that completed before is not admitted again',
    pod: { ...podOf(), status: { phase: 'Succeeded' } } as Pod,
    given: (node) => (node.refusal = { reason: 'OutOfcpu', message: 'no CPU' }),
    lines: [
      [created, ['look']],
      [works, ['look']],
      [works, ['report end']],
      [works, ['releaseVolumes']],
      [works, ['setTimer 60000']],
    ],
    state: 'ended',
  },
]);

test('an update changes the pod and nothing else while a task is in progress', () => {
  const node = new TestNode(podOf());
  node.update(node.pod);
  const next = podOf({}, { generation: 2 });
  expect(node.update(next)).toEqual([]);
  expect(node.worker).toEqual({
    state: 'waiting',
    pod: next,
    task: { do: 'look' },
    isDirty: true,
    waits: new Map(),
    hasReadNode: false,
  });
});
