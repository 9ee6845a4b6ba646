// Failures counted for each index, in annotations that a pod hands on to the one that replaces it.
// https://kubernetes.io/docs/concepts/workloads/controllers/job/#backoff-limit-per-index

import type { Job, Pod } from '../../api/api.ts';
import { backoffMs, endOf } from './backoff.ts';
import { judgeFailure } from './failure-policy.ts';

const failureCountAnnotation = 'batch.kubernetes.io/job-index-failure-count';
const ignoredCountAnnotation = 'batch.kubernetes.io/job-index-ignored-failure-count';

function countIn(pod: Pod, annotation: string): number {
  const text = pod.metadata.annotations?.[annotation] ?? '';
  const count = /^\+?\d{1,10}$/.test(text) ? Number(text) : 0;
  return count < 2 ** 31 ? count : 0;
}

/** All failures of the index before this pod, those that do not count included. */
export const allFailuresBefore = (pod: Pod): number =>
  countIn(pod, failureCountAnnotation) + countIn(pod, ignoredCountAnnotation);

/** Whether this failed pod is the one after which its index is not tried again. */
export function exhaustsIndex(job: Job, pod: Pod): boolean {
  const { action } = judgeFailure(job, pod);
  if (action === 'FailIndex') return true;
  return action !== 'Ignore' && countIn(pod, failureCountAnnotation) >= (job.spec.backoffLimitPerIndex ?? 0);
}

/** Annotations of the pod that replaces `failed`, or that is the first of its index. */
export function countingAnnotations(job: Job, failed: Pod | undefined): Record<string, string> {
  if (!failed) return { [failureCountAnnotation]: '0' };
  const isIgnored = judgeFailure(job, failed).action === 'Ignore';
  const ignored = countIn(failed, ignoredCountAnnotation) + (isIgnored ? 1 : 0);
  return {
    [failureCountAnnotation]: String(countIn(failed, failureCountAnnotation) + (isIgnored ? 0 : 1)),
    ...(ignored > 0 && { [ignoredCountAnnotation]: String(ignored) }),
  };
}

/** Milliseconds until the retry of an index whose last pod failed. */
export const indexWaitMs = (failed: Pod | undefined, nowMs: number): number =>
  failed ? Math.max(0, endOf(failed) + backoffMs(allFailuresBefore(failed) + 1) - nowMs) : 0;
