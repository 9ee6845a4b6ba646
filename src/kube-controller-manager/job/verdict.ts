// How a Job ends, and when that is decided.
// https://kubernetes.io/docs/concepts/workloads/controllers/job/#job-termination-and-cleanup

import type { Job, Pod } from '../../api/api.ts';
import { judgeFailure } from './failure-policy.ts';
import { countIndexes } from './indexes.ts';
import { matchedSuccessRule } from './success-policy.ts';
import { isFailed, trueCondition, type View } from './view.ts';

export interface Verdict {
  readonly type: 'Complete' | 'Failed';
  readonly reason: string;
  readonly message: string;
}

/** Undefined while the Job runs. A verdict in status stays; otherwise failures come before successes. */
export function judge(view: View): Verdict | undefined {
  const { status } = view.job;
  const met = trueCondition(status, 'SuccessCriteriaMet');
  if (met) return { type: 'Complete', reason: met.reason ?? '', message: met.message ?? '' };
  const target = trueCondition(status, 'FailureTarget');
  if (target) return { type: 'Failed', reason: target.reason ?? '', message: target.message ?? '' };
  return byFailurePolicy(view) ?? byLimits(view) ?? byIndexes(view) ?? bySuccessPolicy(view);
}

const failed = (reason: string, message: string): Verdict => ({ type: 'Failed', reason, message });

function byFailurePolicy({ job, pods }: View): Verdict | undefined {
  if (!job.spec.podFailurePolicy) return undefined;
  for (const pod of pods) {
    if (!isFailed(job, pod)) continue;
    const judged = judgeFailure(job, pod);
    if (judged.action === 'FailJob') return failed('PodFailurePolicy', judged.message);
  }
  return undefined;
}

function byLimits(view: View): Verdict | undefined {
  const { job, pods } = view;
  if (view.failed > (job.spec.backoffLimit ?? 6) || restartsExceeded(job, pods))
    return failed('BackoffLimitExceeded', 'Job has reached the specified backoff limit');
  const deadline = deadlineLeftMs(view);
  return deadline !== undefined && deadline <= 0
    ? failed('DeadlineExceeded', 'Job was active longer than specified deadline')
    : undefined;
}

/** With restartPolicy OnFailure, restarts in place count against the limit. */
function restartsExceeded({ spec }: Job, pods: readonly Pod[]): boolean {
  if (spec.template.spec?.restartPolicy !== 'OnFailure') return false;
  let restarts = 0;
  for (const { status } of pods)
    if (status?.phase === 'Running' || status?.phase === 'Pending')
      for (const { restartCount } of [...(status.containerStatuses ?? []), ...(status.initContainerStatuses ?? [])])
        restarts += restartCount;
  return restarts >= Math.max(spec.backoffLimit ?? 6, 1);
}

/** Milliseconds until activeDeadlineSeconds have passed. */
export function deadlineLeftMs({ job: { spec, status }, nowMs }: View): number | undefined {
  if (spec.activeDeadlineSeconds === undefined || !status?.startTime || spec.suspend) return undefined;
  return Date.parse(status.startTime) + Number(spec.activeDeadlineSeconds) * 1000 - nowMs;
}

function byIndexes({ job: { spec }, failedIndexes, succeededIndexes }: View): Verdict | undefined {
  const count = countIndexes(failedIndexes);
  if (count === 0) return undefined;
  if (spec.maxFailedIndexes !== undefined && count > spec.maxFailedIndexes)
    return failed('MaxFailedIndexesExceeded', 'Job has exceeded the specified maximal number of failed indexes');
  return count + countIndexes(succeededIndexes) >= (spec.completions ?? 0)
    ? failed('FailedIndexes', 'Job has failed indexes')
    : undefined;
}

function bySuccessPolicy({ job, succeededIndexes }: View): Verdict | undefined {
  const rule = matchedSuccessRule(job, succeededIndexes);
  return rule === undefined
    ? undefined
    : { type: 'Complete', reason: 'SuccessPolicy', message: `Matched rules at index ${rule}` };
}

/**
 * Whether the Job has all required successes, with `active` pods left. Without a number of completions one success is
 * enough, and the others may finish.
 */
export function completed({ job: { spec }, succeeded }: View, active: number): Verdict | undefined {
  const isEnough = spec.completions === undefined ? succeeded > 0 : succeeded >= spec.completions;
  return isEnough && active === 0
    ? { type: 'Complete', reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' }
    : undefined;
}
