import { expect } from 'vitest';
import type { Pod } from '../../../api/api.ts';
import { deleted, podOf } from './test-node.ts';
import { created, eviction, exits, running, testTranscripts, throws, timer, works } from './test-transcripts.ts';

testTranscripts('completion', [
  {
    case: 'a pod whose containers are done stops, reports and releases its volumes',
    pod: podOf({ restartPolicy: 'Never' }),
    given: running,
    lines: [
      [(node) => exits(node, 'a', 0), ['look']],
      [works, ['stopPod 30']],
      [works, ['report']],
      [works, ['look']],
      [works, ['report end']],
      [works, ['releaseVolumes']],
      [works, ['setTimer 60000']],
    ],
    state: 'ended',
  },
  {
    case: 'volumes that cannot be released are tried again',
    pod: { ...podOf(), status: { phase: 'Failed' } } as Pod,
    lines: [
      [created, ['look']],
      [works, ['look']],
      [works, ['report end']],
      [works, ['releaseVolumes']],
      [throws, ['setTimer 1000']],
      [timer, ['look']],
      [works, ['report end']],
      [works, ['releaseVolumes']],
      [works, ['setTimer 60000']],
    ],
    state: 'ended',
  },
]);

testTranscripts('deadline', [
  {
    case: 'a pod that runs is looked at by its deadline, and ends',
    pod: podOf({ activeDeadlineSeconds: 5 }),
    given: running,
    lines: [
      [
        (node) => {
          expect(node.timerMs).toBe(5000);
          return node.fireTimer();
        },
        ['look'],
      ],
      [works, ['event DeadlineExceeded', 'look']],
      [works, ['report']],
      [works, ['stopPod 30']],
      [works, ['look']],
      [works, ['report end']],
      [works, ['releaseVolumes']],
    ],
    state: 'ended',
  },
  {
    case: 'a pull is not waited for beyond the deadline',
    pod: { ...podOf({ activeDeadlineSeconds: 5 }), status: { startTime: '2026-01-01T00:00:00Z' } } as Pod,
    lines: [
      [created, ['look']],
      [works, ['setTimer 250', 'prepare sandbox 0']],
      [works, ['start a 0']],
      [timer, ['reportMeanwhile', 'setTimer 4750']],
      [timer, ['event DeadlineExceeded', 'abortStarts']],
      [works, ['look']],
      [works, ['report']],
      [works, ['stopPod 30']],
    ],
    state: 'ended',
  },
]);

testTranscripts('eviction', [
  {
    case: 'a pod that runs is stopped with the grace of the eviction',
    given: running,
    lines: [
      [eviction, ['event Evicted', 'look']],
      [works, ['report']],
      [works, ['stopPod 0']],
      [works, ['look']],
      [works, ['report end']],
      [works, ['releaseVolumes']],
      [eviction, []],
    ],
    state: 'ended',
  },
  {
    case: 'a container that started in a sandbox that has died is stopped too',
    given: (node) => {
      node.update(node.pod);
      node.complete();
      node.complete();
      for (const sandbox of node.sandboxes) sandbox.state = 'notready';
      node.complete();
    },
    lines: [
      [eviction, ['event Evicted']],
      [works, ['look']],
      [works, ['report']],
      [works, ['stopPod 0']],
    ],
    state: 'ended',
  },
  {
    case: 'a pull is given up',
    given: (node) => {
      node.update(node.pod);
      node.complete();
      node.complete();
    },
    lines: [
      [eviction, ['event Evicted', 'abortStarts']],
      [works, ['look']],
      [works, ['report']],
      [works, ['stopPod 0']],
    ],
    state: 'ended',
  },
  {
    case: 'a pod that waits for admission ends without a start',
    given: created,
    lines: [
      [eviction, ['event Evicted']],
      [works, ['look']],
      [works, ['report end']],
    ],
    state: 'ended',
  },
  {
    case: 'a pod that terminates is not evicted',
    given: (node) => {
      running(node);
      node.update(deleted(node.pod));
    },
    lines: [[eviction, []]],
    state: 'terminating',
  },
]);
