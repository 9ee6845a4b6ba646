import type { Container } from '../../../api/api.ts';
import { containersOf, podOf } from './test-node.ts';
import {
  changed,
  created,
  exits,
  fails,
  running,
  testTranscripts,
  throws,
  timer,
  withImage,
  works,
} from './test-transcripts.ts';

testTranscripts('start', [
  {
    case: 'looks, prepares, starts each container, reports, rests',
    pod: podOf({ containers: containersOf('a', 'b') }),
    lines: [
      [created, ['look']],
      [works, ['setTimer 250', 'prepare sandbox 0']],
      [works, ['start a 0']],
      [works, ['start b 0']],
      [works, ['report']],
      [works, ['measureStart 0', 'setTimer 60000']],
    ],
    state: 'syncing',
  },
  {
    case: 'a slow start is reported once meanwhile',
    lines: [
      [created, ['look']],
      [works, ['setTimer 250', 'prepare sandbox 0']],
      [works, ['start a 0']],
      [timer, ['reportMeanwhile']],
      [timer, []],
      [works, ['report']],
    ],
    state: 'syncing',
  },
  {
    case: 'a pod whose volumes the node cannot have is rejected',
    lines: [
      [created, ['look']],
      [works, ['setTimer 250', 'prepare sandbox 0']],
      [(node) => node.complete('rejects'), ['event VolumeLimit', 'look']],
      [works, ['report end']],
      [works, ['releaseVolumes']],
      [works, ['setTimer 60000']],
    ],
    state: 'ended',
  },
  {
    case: 'a sandbox that cannot be made is tried again after a second',
    lines: [
      [created, ['look']],
      [works, ['setTimer 250', 'prepare sandbox 0']],
      [fails, ['report']],
      [works, ['setTimer 1000']],
      [timer, ['look']],
    ],
    state: 'syncing',
  },
  {
    case: 'an image that cannot be pulled is tried again; the other container starts',
    pod: podOf({ containers: containersOf('a', 'b') }),
    lines: [
      [created, ['look']],
      [works, ['setTimer 250', 'prepare sandbox 0']],
      [works, ['start a 0']],
      [fails, ['start b 0']],
      [works, ['report']],
      [works, ['setTimer 10000']],
      [timer, ['look']],
      [works, ['setTimer 250', 'prepare']],
      [works, ['start a 0']],
    ],
    state: 'syncing',
  },
  {
    case: 'an error of the runtime is tried again after a second',
    lines: [
      [created, ['look']],
      [throws, ['setTimer 1000']],
      [timer, ['look']],
      [works, ['setTimer 250', 'prepare sandbox 0']],
      [throws, ['setTimer 1000']],
      [timer, ['look']],
    ],
    state: 'syncing',
  },
  {
    case: 'a change during a task makes another look after it',
    lines: [
      [created, ['look']],
      [works, ['setTimer 250', 'prepare sandbox 0']],
      [changed, []],
      [works, ['start a 0']],
      [works, ['report']],
      [works, ['measureStart 0', 'look']],
      [works, ['report']],
      [works, ['setTimer 55000']],
    ],
    state: 'syncing',
  },
]);

testTranscripts('restart', [
  {
    case: 'the first restart is immediate, the second waits',
    given: running,
    lines: [
      [(node) => exits(node, 'a', 1), ['look']],
      [works, ['setTimer 250', 'prepare']],
      [works, ['start a 1']],
      [works, ['report']],
      [works, ['setTimer 60000']],
      [(node) => exits(node, 'a', 1), ['look']],
      [works, ['setTimer 250', 'prepare']],
      [works, ['event BackOff', 'report']],
      [works, ['setTimer 10000']],
      [timer, ['look']],
      [works, ['setTimer 250', 'prepare']],
      [works, ['start a 2']],
    ],
    state: 'syncing',
  },
  {
    case: 'another image does not wait for the delay of the former one',
    given: running,
    lines: [
      [(node) => exits(node, 'a', 1), ['look']],
      [works, ['setTimer 250', 'prepare']],
      [works, ['start a 1']],
      [works, ['report']],
      [works, ['setTimer 60000']],
      [(node) => exits(node, 'a', 1), ['look']],
      [works, ['setTimer 250', 'prepare']],
      [works, ['event BackOff', 'report']],
      [works, ['setTimer 10000']],
      [withImage('new'), ['look']],
      [works, ['setTimer 250', 'prepare']],
      [works, ['start a 2']],
      [works, ['report']],
      [works, ['setTimer 60000']],
      [(node) => exits(node, 'a', 1), ['look']],
      [works, ['setTimer 250', 'prepare']],
      [works, ['event BackOff', 'report']],
      [works, ['setTimer 10000']],
    ],
    state: 'syncing',
  },
  {
    case: 'a failed liveness probe stops the container and starts it again',
    given: (node) => {
      running(node);
      node.failsLiveness.add(node.containers[0].id);
    },
    lines: [
      [changed, ['look']],
      [works, ['stopContainers a 30']],
      [works, ['setTimer 250', 'prepare']],
      [works, ['start a 1']],
    ],
    state: 'syncing',
  },
  {
    case: 'a rule restarts all containers',
    pod: podOf({
      restartPolicy: 'Never',
      containers: [
        {
          ...containersOf('a')[0],
          restartPolicy: 'Never',
          restartPolicyRules: [{ action: 'RestartAllContainers', exitCodes: { operator: 'In', values: [42] } }],
        } as unknown as Container,
        containersOf('b')[0],
      ],
    }),
    given: running,
    lines: [
      [(node) => exits(node, 'a', 42), ['look']],
      [works, ['removeContainers c3,c2']],
      [works, ['report restart']],
      [works, ['setTimer 0']],
      [timer, ['look']],
      [works, ['setTimer 250', 'prepare']],
      [works, ['start a 1']],
      [works, ['start b 1']],
    ],
    state: 'syncing',
  },
  {
    case: 'a sandbox that is gone is made again',
    given: (node) => {
      running(node);
      node.sandboxes[0].state = 'notready';
    },
    lines: [
      [changed, ['look']],
      [works, ['stopPod 30']],
      [works, ['setTimer 250', 'prepare sandbox 1']],
      [works, ['start a 1']],
    ],
    state: 'syncing',
  },
]);
