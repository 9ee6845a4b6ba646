import { expect, test } from 'vitest';
import { job, type PodCase, secondsAgo, view } from './test-jobs.ts';
import { completed, deadlineLeftMs, judge } from './verdict.ts';

const failed = (uid: string, more: Partial<PodCase> = {}): PodCase => ({
  uid,
  phase: 'Failed',
  endedSecondsAgo: 5,
  ...more,
});
const rule = (action: string, values = [42]) =>
  ({ podFailurePolicy: { rules: [{ action, onExitCodes: { operator: 'In', values } }] } }) as object;
const indexed = { completionMode: 'Indexed' as const, completions: 3 };
const condition = (type: string, reason: string) =>
  ({ conditions: [{ type, status: 'True', reason, message: 'said before' }] }) as object;

test.each([
  { case: 'nothing has ended', of: job(), pods: [{ uid: 'a' }], verdict: undefined },
  { case: 'as many failures as the limit', of: job({ backoffLimit: 1 }), pods: [failed('a')], verdict: undefined },
  {
    case: 'one failure more than the limit',
    of: job({ backoffLimit: 1 }),
    pods: [failed('a'), failed('b')],
    verdict: 'Failed BackoffLimitExceeded: Job has reached the specified backoff limit',
  },
  {
    case: 'a failure counted before, and uncounted ones',
    of: job({ backoffLimit: 2 }, { failed: 1, uncountedTerminatedPods: { failed: ['gone'] } }),
    pods: [failed('a')],
    verdict: 'Failed BackoffLimitExceeded: Job has reached the specified backoff limit',
  },
  {
    case: 'ignored failures',
    of: job({ backoffLimit: 0, ...rule('Ignore') }),
    pods: [failed('a', { exitCode: 42 })],
    verdict: undefined,
  },
  {
    case: 'a failure that fails the Job',
    of: job(rule('FailJob')),
    pods: [failed('a', { exitCode: 42 })],
    verdict:
      'Failed PodFailurePolicy: Container main for pod default/a failed with exit code 42 matching FailJob rule at index 0',
  },
  {
    case: 'a pod being deleted counts as failed',
    of: job({ backoffLimit: 0 }),
    pods: [{ uid: 'a', deleted: true }],
    verdict: 'Failed BackoffLimitExceeded: Job has reached the specified backoff limit',
  },
  {
    case: 'a pod being deleted where only failed ones count',
    of: job({ backoffLimit: 0, podReplacementPolicy: 'Failed' }),
    pods: [{ uid: 'a', deleted: true }],
    verdict: undefined,
  },
  {
    case: 'restarts in place with OnFailure',
    of: job({ backoffLimit: 2, template: { spec: { restartPolicy: 'OnFailure', containers: [] } } as never }),
    pods: [{ uid: 'a', restarts: 2 }],
    verdict: 'Failed BackoffLimitExceeded: Job has reached the specified backoff limit',
  },
  {
    case: 'the deadline',
    of: job({ activeDeadlineSeconds: 60 } as object),
    pods: [{ uid: 'a' }],
    verdict: 'Failed DeadlineExceeded: Job was active longer than specified deadline',
  },
  {
    case: 'the deadline of a suspended Job',
    of: job({ activeDeadlineSeconds: 60, suspend: true } as object),
    pods: [],
    verdict: undefined,
  },
  {
    case: 'all indexes settled, some failed',
    of: job({ ...indexed, backoffLimitPerIndex: 0 }, { completedIndexes: '0,1' }),
    pods: [failed('a', { index: 2 })],
    verdict: 'Failed FailedIndexes: Job has failed indexes',
  },
  {
    case: 'more failed indexes than allowed',
    of: job({ ...indexed, backoffLimitPerIndex: 0, maxFailedIndexes: 0 }),
    pods: [failed('a', { index: 2 })],
    verdict: 'Failed MaxFailedIndexesExceeded: Job has exceeded the specified maximal number of failed indexes',
  },
  {
    case: 'an index that may fail again',
    of: job({ ...indexed, backoffLimitPerIndex: 1, maxFailedIndexes: 0 }),
    pods: [failed('a', { index: 2 })],
    verdict: undefined,
  },
  {
    case: 'an index that has failed as often as it may',
    of: job({ ...indexed, backoffLimitPerIndex: 1, maxFailedIndexes: 0 }),
    pods: [failed('a', { index: 2, failures: 1 })],
    verdict: 'Failed MaxFailedIndexesExceeded: Job has exceeded the specified maximal number of failed indexes',
  },
  {
    case: 'the success policy',
    of: job({
      ...indexed,
      successPolicy: { rules: [{ succeededIndexes: '0', succeededCount: 1 }, { succeededCount: 1 }] },
    }),
    pods: [{ uid: 'a', phase: 'Succeeded', index: 1 }],
    verdict: 'Complete SuccessPolicy: Matched rules at index 1',
  },
  {
    case: 'an end said before stays',
    of: job({}, condition('FailureTarget', 'DeadlineExceeded')),
    pods: [],
    verdict: 'Failed DeadlineExceeded: said before',
  },
  {
    case: 'a recorded success stays regardless of failures',
    of: job({ backoffLimit: 0 }, condition('SuccessCriteriaMet', 'SuccessPolicy')),
    pods: [failed('a')],
    verdict: 'Complete SuccessPolicy: said before',
  },
])('$case', ({ of, pods, verdict }) => {
  const judged = judge(view(of, pods));
  expect(judged && `${judged.type} ${judged.reason}: ${judged.message}`).toBe(verdict);
});

const succeeded = (uid: string): PodCase => ({ uid, phase: 'Succeeded', endedSecondsAgo: 5 });
test.each([
  { case: 'enough successes', of: job({ completions: 1 }), pods: [succeeded('a')], active: 0, done: true },
  { case: 'enough, and one still runs', of: job({ completions: 1 }), pods: [succeeded('a')], active: 1, done: false },
  { case: 'too few', of: job({ completions: 2 }), pods: [succeeded('a')], active: 0, done: false },
  {
    case: 'no number, one success',
    of: job({ completions: undefined }),
    pods: [succeeded('a')],
    active: 0,
    done: true,
  },
  { case: 'no number, none', of: job({ completions: undefined }), pods: [], active: 0, done: false },
  { case: 'a number of 0', of: job({ completions: 0 }), pods: [], active: 0, done: true },
])('complete with $case: $done', ({ of, pods, active, done }) =>
  expect(completed(view(of, pods), active) !== undefined).toBe(done),
);

test('the time left of a deadline', () => {
  const of = job({ activeDeadlineSeconds: 100 } as object, { startTime: secondsAgo(40) });
  expect(deadlineLeftMs(view(of))).toBe(60_000);
  expect(deadlineLeftMs(view(job()))).toBeUndefined();
});
