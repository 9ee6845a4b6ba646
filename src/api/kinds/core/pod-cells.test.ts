import { describe, expect, test } from 'vitest';
import type { ContainerStatus, Pod } from '../../generated/types.ts';
import { podCells } from './pod-cells.ts';

// Cases of TestPrintPod and TestPrintPodWithRestartableInitContainer, pkg/printers/internalversion/printers_test.go.
const now = Date.parse('2026-01-01T12:00:00Z');
const ago = (seconds: number) => new Date(now - seconds * 1000).toISOString().replace('.000', '');
type Status = Partial<ContainerStatus>;
const running: Status = { state: { running: {} } };
const ready: Status = { ...running, ready: true };
const waiting = (reason?: string): Status => ({ state: { waiting: { ...(reason && { reason }) } } });
const ended = (reason?: string, exitCode = 0, signal?: number): Status => ({
  state: { terminated: { exitCode, ...(reason && { reason }), ...(signal && { signal }) } },
});
const restarted = (restartCount: number, seconds?: number): Status => ({
  restartCount,
  ...(seconds !== undefined && { lastState: { terminated: { exitCode: 1, finishedAt: ago(seconds) } } }),
});
const condition = (type: string, status: string, reason?: string) => ({ type, status, ...(reason && { reason }) });
const gone = { deletionTimestamp: ago(10) };

interface Given {
  readonly containers?: number;
  readonly inits?: number;
  readonly sidecars?: number;
  readonly status?: object;
  readonly metadata?: object;
}

function cellsOf({ containers = 1, inits = 0, sidecars = 0, status = {}, metadata = {} }: Given): unknown[] {
  const named = (count: number, name: string, more: object = {}) =>
    Array.from({ length: count }, (_, index) => ({ name: `${name}${index + 1}`, image: 'i', ...more }));
  const pod = {
    metadata: { name: 'p', ...metadata },
    spec: {
      containers: named(containers, 'c'),
      initContainers: [...named(inits, 'i'), ...named(sidecars, 's', { restartPolicy: 'Always' })],
    },
    status,
  } as unknown as Pod;
  return [podCells.Ready(pod), podCells.Status(pod), podCells.Restarts(pod, now)];
}

const phase = 'podPhase';
test.each<[string, Given, unknown[]]>([
  [
    'ready containers and restarts are counted',
    { containers: 2, status: { phase, containerStatuses: [{ ...ready, restartCount: 3 }, { restartCount: 3 }] } },
    ['1/2', phase, '6'],
  ],
  [
    'the reason of a container that waits comes before the phase',
    { containers: 2, status: { phase, containerStatuses: [ready, waiting('ContainerWaitingReason')] } },
    ['1/2', 'ContainerWaitingReason', '0'],
  ],
  [
    'the first container comes before the others',
    { containers: 2, status: { phase, containerStatuses: [waiting('Waits'), ended('Ended')] } },
    ['0/2', 'Waits', '0'],
  ],
  [
    'a container that is ready and does not run is not counted',
    { containers: 2, status: { phase, containerStatuses: [ready, { ready: true }] } },
    ['1/2', phase, '0'],
  ],
  [
    'the reason of the pod comes before the phase',
    { containers: 2, status: { phase, reason: 'podReason', containerStatuses: [ready, { ready: true }] } },
    ['1/2', 'podReason', '0'],
  ],
  [
    'one completed and one runs, in a pod that is not ready',
    { containers: 2, status: { phase: 'Running', containerStatuses: [ended('Completed'), ready] } },
    ['1/2', 'NotReady', '0'],
  ],
  [
    'one completed and one runs, in a pod that is ready',
    {
      containers: 2,
      status: {
        phase: 'Running',
        containerStatuses: [ended('Completed'), ready],
        conditions: [condition('Ready', 'True')],
      },
    },
    ['1/2', 'Running', '0'],
  ],
  [
    'scheduling gates',
    { containers: 2, status: { phase, conditions: [condition('PodScheduled', 'False', 'SchedulingGated')] } },
    ['0/2', 'SchedulingGated', '0'],
  ],
  ['succeeded', { status: { phase: 'Succeeded', containerStatuses: [ended('Completed')] } }, ['0/1', 'Completed', '0']],
  ['failed', { status: { phase: 'Failed', containerStatuses: [ended('Error', 1)] } }, ['0/1', 'Error', '0']],
  [
    'a signal without a reason',
    { status: { phase: 'Failed', containerStatuses: [ended('', 137, 9)] } },
    ['0/1', 'Signal:9', '0'],
  ],
  [
    'an exit code without a reason',
    { status: { phase: 'Failed', containerStatuses: [ended('', 3)] } },
    ['0/1', 'ExitCode:3', '0'],
  ],
  [
    'succeeded and deleted',
    { metadata: gone, status: { phase: 'Succeeded', containerStatuses: [ended('Completed')] } },
    ['0/1', 'Completed', '0'],
  ],
  [
    'running and deleted',
    { metadata: gone, status: { phase: 'Running', containerStatuses: [running] } },
    ['0/1', 'Terminating', '0'],
  ],
  ['pending and deleted', { metadata: gone, status: { phase: 'Pending' } }, ['0/1', 'Terminating', '0']],
  [
    'deleted on a lost node',
    { metadata: gone, status: { phase: 'Running', reason: 'NodeLost', containerStatuses: [running] } },
    ['0/1', 'Unknown', '0'],
  ],
  [
    'one runs, one failed, one completed',
    { containers: 3, status: { phase: 'Failed', containerStatuses: [ready, ended('podCrash', 1), ended()] } },
    ['1/3', 'podCrash', '0'],
  ],
])('%s', (_, given, cells) => expect(cellsOf(given)).toEqual(cells));

describe('restarts', () => {
  const day = 86_400;
  const of = (...containerStatuses: Status[]): Given => ({
    containers: containerStatuses.length,
    status: { phase: 'Running', containerStatuses },
  });
  test.each<[string, Given, string]>([
    ['five days ago', of({ ...ready, ...restarted(3, 5 * day) }), '3 (5d ago)'],
    ['of one of two', of(ready, { ...ready, ...restarted(3, 10 * day) }), '3 (10d ago)'],
    [
      'of both: the latest',
      of({ ...ready, ...restarted(6, 5 * day) }, { ...ready, ...restarted(3, 20 * day) }),
      '9 (5d ago)',
    ],
    ['without a time', of({ ...ready, ...restarted(3) }), '3'],
  ])('%s', (_, given, text) => expect(cellsOf(given)[2]).toBe(text));
});

describe('init containers', () => {
  const init = (...initContainerStatuses: Status[]): Given => ({
    inits: initContainerStatuses.length,
    status: { phase, initContainerStatuses, containerStatuses: [waiting()] },
  });
  const restarting = { ...running, ...restarted(3, 10) };
  test.each<[string, Given, unknown[]]>([
    ['one that restarts', init(restarting), ['0/1', 'Init:0/1', '3 (10s ago)']],
    ['the first of two restarts', init(restarting, waiting()), ['0/1', 'Init:0/2', '3 (10s ago)']],
    ['the second of two restarts', init(ended(), restarting), ['0/1', 'Init:1/2', '3 (10s ago)']],
    ['both had restarts', init({ ...ended(), ...restarted(2, 120) }, restarting), ['0/1', 'Init:1/2', '5 (10s ago)']],
    ['a failed one', init(ended('Error', 1)), ['0/1', 'Init:Error', '0']],
    ['a failed one without a reason', init(ended('', 2)), ['0/1', 'Init:ExitCode:2', '0']],
    ['one that was killed', init(ended('', 137, 9)), ['0/1', 'Init:Signal:9', '0']],
    ['one that waits', init(waiting('ImagePullBackOff')), ['0/1', 'Init:ImagePullBackOff', '0']],
    ['one that waits for the pod', init(waiting('PodInitializing')), ['0/1', 'Init:0/1', '0']],
    [
      'their restarts do not count while the containers run',
      {
        inits: 1,
        status: {
          phase: 'Running',
          initContainerStatuses: [{ ...ended(), ...restarted(2, 120) }],
          containerStatuses: [{ ...running, ...restarted(4, 20) }],
        },
      },
      ['0/1', 'Running', '4 (20s ago)'],
    ],
  ])('%s', (_, given, cells) => expect(cellsOf(given)).toEqual(cells));
});

describe('sidecars', () => {
  const first = { name: 's1', ...running, ...restarted(3, 10) };
  const second = { name: 's2', ...running, started: false };
  const given = (phase: string, isInitialized: boolean, inits: Status[], main: Status): Given => ({
    sidecars: 2,
    status: {
      phase,
      initContainerStatuses: inits,
      containerStatuses: [main],
      conditions: [condition('Initialized', isInitialized ? 'True' : 'False')],
    },
  });
  test.each<[string, Given, unknown[]]>([
    [
      'the first has not started',
      given(
        'Pending',
        false,
        [
          { ...first, started: false },
          { name: 's2', ...waiting() },
        ],
        waiting(),
      ),
      ['0/3', 'Init:0/2', '3 (10s ago)'],
    ],
    [
      'the second has not started',
      given('Pending', false, [{ ...first, started: true }, second], waiting()),
      ['0/3', 'Init:1/2', '3 (10s ago)'],
    ],
    [
      'both have started, and the container runs',
      given(
        'Running',
        true,
        [
          { ...first, started: true },
          { ...second, started: true },
        ],
        {
          ...ready,
          ...restarted(4, 20),
        },
      ),
      ['1/3', 'Running', '7 (10s ago)'],
    ],
    [
      'both were killed after the container completed',
      given(
        'Succeeded',
        true,
        [
          { name: 's1', ...ended('Error', 137), ...restarted(3, 10), started: false },
          { name: 's2', ...ended('Error', 137), started: false },
        ],
        { ...ended('Completed'), ...restarted(4, 20) },
      ),
      ['0/3', 'Completed', '7 (10s ago)'],
    ],
  ])('%s', (_, of, cells) => expect(cellsOf(of)).toEqual(cells));
});
