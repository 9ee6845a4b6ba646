import { describe, expect, test } from 'vitest';
import type { Container, Pod } from '../../../api/api.ts';
import { nodeAffinity } from '../admission.ts';
import type { PodEvent, PodWorker, Terminating } from './pod-worker.ts';
import { containersOf, deleted, podOf, TestNode } from './test-node.ts';

interface Case {
  readonly case: string;
  readonly pod?: Pod;
  /** Before the transcript begins. */
  readonly given?: (node: TestNode) => void;
  /** Each action with the effects that follow. */
  readonly lines: readonly (readonly [(node: TestNode) => string[], readonly string[]])[];
  readonly state: PodWorker['state'];
}

const works = (node: TestNode) => node.complete();
const fails = (node: TestNode) => node.complete('fails');
const throws = (node: TestNode) => node.complete('throws');
const timer = (node: TestNode) => node.fireTimer();
const created = (node: TestNode) => node.update(node.pod);
const send = (event: PodEvent) => (node: TestNode) => node.send(event);
const after = (ms: number, then: (node: TestNode) => string[]) => (node: TestNode) => {
  node.elapsedMs += ms;
  return then(node);
};
const deletion = (seconds?: number) => (node: TestNode) => node.update(deleted(node.pod, seconds));
const removal = (node: TestNode) => node.remove();
const withImage = (image: string) => (node: TestNode) => {
  const { containers } = node.pod.spec;
  return node.update({ ...node.pod, spec: { ...node.pod.spec, containers: [{ ...containers[0], image }] } });
};
const changed = send({ on: 'changed' });
const eviction = send({ on: 'evicted', message: 'low on memory', manner: { graceSeconds: 0, isDisruption: true } });

/** The pod runs, and the kubelet has nothing to do. */
function running(node: TestNode): void {
  node.update(node.pod);
  node.settle();
  node.update(node.pod); // as the API has it now
  node.settle();
  expect(node.running().length).toBe(node.pod.spec.containers.length);
}

function exits(node: TestNode, name: string, exitCode: number): string[] {
  const { length } = node.effects;
  node.exit(name, exitCode);
  return node.effects.slice(length).map((effect) => effect.do);
}

const transcripts: Record<string, readonly Case[]> = {
  start: [
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
  ],
  admission: [
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
  ],
  restart: [
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
  ],
  completion: [
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
  ],
  deadline: [
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
  ],
  eviction: [
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
  ],
  deletion: [
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
      case: 'a pod that the API loses while it stops is killed, and nobody is told',
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
      case: 'what fails is repeated from the start, with the grace that is left',
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
  ],
};

for (const [name, cases] of Object.entries(transcripts))
  describe(name, () => {
    test.each(cases)('$case', ({ pod = podOf(), given, lines, state }) => {
      const node = new TestNode(pod);
      given?.(node);
      for (const [index, [action, effects]] of lines.entries())
        expect(action(node), `after line ${index + 1}`).toEqual(effects);
      expect(node.worker.state).toBe(state);
    });
  });

test('a deadline moves earlier only', () => {
  const node = new TestNode(podOf());
  running(node);
  const deadlines = [30, 60, 5, 10, 1].map((seconds) => {
    node.update(deleted(node.pod, seconds));
    return (node.worker as Terminating).deadlineMs;
  });
  expect(deadlines).toEqual([30_000, 30_000, 5_000, 5_000, 1_000]);
});

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
