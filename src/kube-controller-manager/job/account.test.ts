import { describe, expect, test } from 'vitest';
import { account, finish, settle } from './account.ts';
import { job, nowMs, type PodCase, view } from './test-jobs.ts';
import type { Verdict } from './verdict.ts';

const indexed = { completionMode: 'Indexed' as const, completions: 4 };
const failedJob: Verdict = { type: 'Failed', reason: 'DeadlineExceeded', message: 'late' };
const completeJob: Verdict = { type: 'Complete', reason: 'SuccessPolicy', message: 'enough' };
const ended = (uid: string, phase: 'Failed' | 'Succeeded', more: Partial<PodCase> = {}): PodCase => ({
  uid,
  phase,
  endedSecondsAgo: 100,
  ...more,
});

interface Case {
  readonly case: string;
  readonly of: ReturnType<typeof job>;
  readonly pods: readonly PodCase[];
  readonly verdict?: Verdict;
  readonly status: object;
  readonly release: readonly string[];
}

const cases: readonly Case[] = [
  { case: 'running pods', of: job(), pods: [{ uid: 'a' }], status: { uncountedTerminatedPods: {} }, release: [] },
  {
    case: 'a success and a failure',
    of: job(),
    pods: [ended('a', 'Succeeded'), ended('b', 'Failed'), { uid: 'c' }],
    status: { uncountedTerminatedPods: { succeeded: ['a'], failed: ['b'] } },
    release: ['a', 'b'],
  },
  {
    case: 'pods whose uids the status has already',
    of: job({}, { uncountedTerminatedPods: { succeeded: ['a'] } }),
    pods: [ended('a', 'Succeeded')],
    status: { uncountedTerminatedPods: { succeeded: ['a'] } },
    release: ['a'],
  },
  {
    case: 'uids whose pods have no finalizer any more',
    of: job({}, { succeeded: 1, failed: 2, uncountedTerminatedPods: { succeeded: ['gone', 'a'], failed: ['b'] } }),
    pods: [ended('a', 'Succeeded', { released: true })],
    status: { succeeded: 3, failed: 3, uncountedTerminatedPods: {} },
    release: [],
  },
  {
    case: 'indexes, counted by themselves',
    of: job(indexed, { completedIndexes: '0', succeeded: 1 }),
    pods: [
      ended('a', 'Succeeded', { index: 1 }),
      ended('b', 'Succeeded', { index: 0 }),
      ended('c', 'Succeeded', { index: 9 }),
    ],
    status: { completedIndexes: '0,1', succeeded: 2, uncountedTerminatedPods: {} },
    release: ['a', 'b', 'c'],
  },
  {
    case: 'failed pods that wait for their replacement',
    of: job({ ...indexed, backoffLimitPerIndex: 1 }),
    pods: [ended('a', 'Failed', { index: 0, failures: 0 }), ended('b', 'Failed', { index: 1, failures: 1 })],
    status: { failedIndexes: '1', uncountedTerminatedPods: { failed: ['b'] } },
    release: ['b'],
  },
  {
    case: 'a Job that has failed: its running pods failed with it',
    of: job(),
    pods: [{ uid: 'a' }],
    verdict: failedJob,
    status: {
      uncountedTerminatedPods: { failed: ['a'] },
      conditions: [expect.objectContaining({ type: 'FailureTarget' })],
    },
    release: ['a'],
  },
  {
    case: 'a Job that has enough: its running pods have not failed',
    of: job(),
    pods: [{ uid: 'a' }],
    verdict: completeJob,
    status: { uncountedTerminatedPods: {}, conditions: [expect.objectContaining({ type: 'SuccessCriteriaMet' })] },
    release: ['a'],
  },
  {
    case: 'ignored failures',
    of: job({
      podFailurePolicy: { rules: [{ action: 'Ignore', onExitCodes: { operator: 'In', values: [42] } }] },
    } as object),
    pods: [ended('a', 'Failed', { exitCode: 42 })],
    status: { uncountedTerminatedPods: {} },
    release: ['a'],
  },
];

describe('account', () => {
  test.each(cases)('$case', ({ of, pods, verdict, status, release }) => {
    const counted = account(view(of, pods), verdict, of.status ?? {});
    expect(counted.status).toMatchObject(status);
    expect(counted.status.uncountedTerminatedPods).toEqual(
      (status as { uncountedTerminatedPods: object }).uncountedTerminatedPods,
    );
    expect(counted.release.map(({ metadata }) => metadata.uid)).toEqual(release);
    expect(counted.isWhole).toBe(true);
  });

  test('counts 500 in one go', () => {
    const of = job({ completions: 1_000 });
    const pods = Array.from({ length: 600 }, (_, i) => ended(`pod-${i}`, 'Succeeded'));
    const counted = account(view(of, pods), undefined, of.status ?? {});
    expect([counted.release.length, counted.isWhole]).toEqual([500, false]);
  });

  test('counts each pod once, wherever it crashes', () => {
    const of = job();
    const pods = [ended('a', 'Succeeded'), ended('b', 'Failed')];
    const first = account(view(of, pods), undefined, of.status ?? {}).status;
    // Crashed before any finalizer went, after one went, and after all went.
    for (const released of [[], ['a'], ['a', 'b']]) {
      const then = job({}, first);
      const left = pods.map((each) => ({ ...each, released: released.includes(each.uid) }));
      const again = account(view(then, left), undefined, then.status ?? {}).status;
      expect(settle(again, new Set())).toMatchObject({ succeeded: 1, failed: 1, uncountedTerminatedPods: {} });
    }
  });
});

describe('finish', () => {
  test.each([
    { case: 'all counted', status: { uncountedTerminatedPods: {} }, done: true },
    { case: 'an uncounted pod', status: { uncountedTerminatedPods: { failed: ['a'] } }, done: false },
    { case: 'a terminating pod', status: { terminating: 1 }, done: false },
  ])('with $case: $done', ({ status, done }) => {
    const ended = finish(status, completeJob, nowMs);
    expect(ended !== undefined).toBe(done);
    if (done)
      expect(ended).toMatchObject({ completionTime: '2026-01-01T12:00:00Z', conditions: [{ type: 'Complete' }] });
  });
});
