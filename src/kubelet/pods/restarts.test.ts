import { describe, expect, test } from 'vitest';
import type { Pod } from '../../api/api.ts';
import type { ContainerStatus } from '../../container-runtime/container-runtime.ts';
import { nextDelay, remainingMs } from '../../machinery/time/backoff.ts';
import { formatDuration } from '../../machinery/time/duration.ts';
import { crashLoop, nextRun, restartDelays } from './restarts.ts';

const run = (attempt: number, state: ContainerStatus['state']) =>
  ({ id: `c${attempt}`, name: 'a', attempt, state }) as ContainerStatus;
const podWith = (status: Partial<Pod['status']> = {}) =>
  ({ metadata: { name: 'p', namespace: 'n', uid: 'u' }, spec: { containers: [{ name: 'a' }] }, status }) as Pod;

describe('the next run of a container', () => {
  test.each([
    { case: 'the first', runs: [], attempt: 0, removes: [] },
    { case: 'after one that ended', runs: [run(0, 'exited')], attempt: 1, removes: [] },
    { case: 'only the last is kept', runs: [run(2, 'exited'), run(1, 'exited')], attempt: 3, removes: ['c1'] },
    { case: 'one that never started takes no number', runs: [run(3, 'created')], attempt: 3, removes: ['c3'] },
    { case: 'an earlier one that runs stays', runs: [run(1, 'exited'), run(0, 'running')], attempt: 2, removes: [] },
    {
      case: 'the API knows of runs that the runtime has lost',
      runs: [],
      status: { containerStatuses: [{ name: 'a', restartCount: 4, containerID: 'test://x' }] },
      attempt: 5,
      removes: [],
    },
    {
      case: 'one that was removed for its restart is counted already',
      runs: [],
      status: { containerStatuses: [{ name: 'a', restartCount: 4 }] },
      attempt: 4,
      removes: [],
    },
    {
      case: 'init containers count as well',
      runs: [],
      status: { initContainerStatuses: [{ name: 'a', restartCount: 1, containerID: 'test://x' }] },
      attempt: 2,
      removes: [],
    },
  ])('$case', ({ runs, status, attempt, removes }) => {
    const next = nextRun(podWith(status as Pod['status']), 'a', { sandboxes: [], containers: runs }, runs[0]);
    expect({ ...next, removes: next.removes.map(({ id }) => id) }).toEqual({ attempt, removes });
  });
});

test('the messages of a crash loop', () =>
  expect(crashLoop(podWith(), 'a', { delayMs: 80_000, sinceMs: 0 })).toEqual({
    wait: { reason: 'CrashLoopBackOff', message: 'back-off 1m20s restarting failed container=a pod=p_n(u)' },
    message: 'Back-off restarting failed container a in pod p_n(u)',
  }));

describe('delays', () => {
  test('double up to five minutes', () => {
    let delay = nextDelay(undefined, 0, restartDelays);
    const seconds = [delay.delayMs / 1000];
    for (let i = 0; i < 6; i++) {
      delay = nextDelay(delay, i * 1000, restartDelays);
      seconds.push(delay.delayMs / 1000);
    }
    expect(seconds).toEqual([10, 20, 40, 80, 160, 300, 300]);
  });

  test('begin again after ten quiet minutes', () =>
    expect(nextDelay({ delayMs: 160_000, sinceMs: 0 }, 600_001, restartDelays).delayMs).toBe(10_000));

  test.each([
    { case: 'none yet', delay: undefined, now: 0, ms: 0 },
    { case: 'counted from the end of the container', delay: { delayMs: 20_000, sinceMs: 0 }, now: 5_000, ms: 15_000 },
    { case: 'over', delay: { delayMs: 20_000, sinceMs: 0 }, now: 20_000, ms: 0 },
    { case: 'reset after ten minutes', delay: { delayMs: 300_000, sinceMs: 0 }, now: 700_000, ms: 0 },
  ])('remaining: $case', ({ delay, now, ms }) => expect(remainingMs(delay, 0, now, restartDelays)).toBe(ms));

  test.each([
    [10_000, '10s'],
    [80_000, '1m20s'],
    [300_000, '5m0s'],
  ])('%i ms is %s', (ms, text) => expect(formatDuration(ms)).toBe(text));
});
