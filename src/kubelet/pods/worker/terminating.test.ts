import { expect, test } from 'vitest';
import type { Terminating } from './pod-worker.ts';
import { deleted, podOf, TestNode } from './test-node.ts';
import {
  after,
  changed,
  deletion,
  removal,
  running,
  testTranscripts,
  throws,
  timer,
  works,
} from './test-transcripts.ts';

testTranscripts('deletion', [
  {
    case: 'stops with the grace, reports the end, deletes from the API, then clears',
    given: running,
    lines: [
      [deletion(30), ['keepReadiness', 'report']],
      [works, ['stopPod 30']],
      [works, ['report end']],
      [works, ['deletePod']],
      [works, ['clear']],
      [works, ['finish']],
      [changed, []],
    ],
    state: 'terminated',
  },
  {
    case: 'reports the readiness that changes while it stops',
    given: running,
    lines: [
      [deletion(30), ['keepReadiness', 'report']],
      [works, ['stopPod 30']],
      [changed, ['reportMeanwhile']],
      [works, ['report end']],
    ],
    state: 'terminating',
  },
  {
    case: 'while an image is pulled: the pull is given up',
    given: (node) => {
      node.update(node.pod);
      node.complete();
      node.complete();
    },
    lines: [
      [deletion(30), ['keepReadiness', 'abortStarts']],
      [works, ['report']],
      [after(4000, works), ['stopPod 26']],
      [works, ['report end']],
      [works, ['deletePod']],
      [works, ['clear']],
      [works, ['finish']],
    ],
    state: 'terminated',
  },
  {
    case: 'a shorter grace shortens the stop in progress; a longer one does not count',
    given: running,
    lines: [
      [deletion(30), ['keepReadiness', 'report']],
      [works, ['stopPod 30']],
      [deletion(5), ['stopSooner 5']],
      [deletion(20), []],
      [deletion(0), ['stopSooner 0']],
      [works, ['report end']],
    ],
    state: 'terminating',
  },
  {
    case: 'a shorter grace also shortens the stop of a pod that the node ended',
    pod: podOf({ activeDeadlineSeconds: 5 }),
    given: (node) => {
      running(node);
      node.fireTimer();
      node.complete();
      node.complete();
      node.complete();
      expect(node.task?.do).toBe('stopPod');
    },
    lines: [
      [deletion(3), ['keepReadiness', 'stopSooner 3']],
      [works, ['report']],
      [works, ['stopPod 3']],
    ],
    state: 'terminating',
  },
  {
    case: 'a pod that the API loses while it stops is killed without a report',
    given: running,
    lines: [
      [deletion(30), ['keepReadiness', 'report']],
      [works, ['stopPod 30']],
      [removal, ['stopSooner 0']],
      [works, ['clear']],
      [works, ['finish']],
    ],
    state: 'terminated',
  },
  {
    case: 'a pod that the API has no more stops with the shortest grace',
    given: running,
    lines: [
      [removal, ['keepReadiness', 'look']],
      [works, ['stopPod 2']],
      [works, ['clear']],
      [works, ['finish']],
    ],
    state: 'terminated',
  },
  {
    case: 'a failed task repeats all from the start, with the rest of the grace',
    given: running,
    lines: [
      [deletion(30), ['keepReadiness', 'report']],
      [works, ['stopPod 30']],
      [throws, ['setTimer 1000']],
      [timer, ['report']],
      [works, ['stopPod 29']],
      [works, ['report end']],
      [throws, ['setTimer 1000']],
      [changed, ['report']],
    ],
    state: 'terminating',
  },
  {
    case: 'a new kubelet goes on with the deletion',
    given: (node) => {
      running(node);
      node.update(deleted(node.pod, 10));
      node.complete();
      node.crash();
    },
    lines: [
      [works, ['stopPod 10']],
      [works, ['report end']],
      [works, ['deletePod']],
      [works, ['clear']],
      [works, ['finish']],
    ],
    state: 'terminated',
  },
]);

test('a deadline moves earlier only', () => {
  const node = new TestNode(podOf());
  running(node);
  const deadlines = [30, 60, 5, 10, 1].map((seconds) => {
    node.update(deleted(node.pod, seconds));
    return (node.worker as Terminating).deadlineMs;
  });
  expect(deadlines).toEqual([30_000, 30_000, 5_000, 5_000, 1_000]);
});
