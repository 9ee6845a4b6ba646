// How an Indexed Job fares by its indexes: which have failed for good, how long one waits, and which successes are
// enough. https://kubernetes.io/docs/concepts/workloads/controllers/job/#backoff-limit-per-index and #success-policy

import type { Job, Pod } from '../../api/api.ts';
import { judgeFailure } from './failure-policy.ts';
import { indexOf, parseIndexes } from './indexes.ts';

export const failureCountAnnotation = 'batch.kubernetes.io/job-index-failure-count';
const firstBackoffMs = 10_000;
const longestBackoffMs = 600_000;

/** After the given number of failures in a row: 10 s, doubling, at most 10 minutes. */
export const backoffMs = (failures: number): number =>
  failures === 0 ? 0 : Math.min(firstBackoffMs * 2 ** (failures - 1), longestBackoffMs);

/** When the pod's last container ended, or, where nobody says, when the pod went. */
export function endOf(pod: Pod): number {
  const ends = (pod.status?.containerStatuses ?? []).map(({ state }) =>
    Date.parse(state?.terminated?.finishedAt ?? ''),
  );
  const last = Math.max(0, ...ends.filter((end) => !Number.isNaN(end)));
  return last || Date.parse(pod.metadata.deletionTimestamp ?? pod.metadata.creationTimestamp);
}

const isFailed = (pod: Pod): boolean => pod.status?.phase === 'Failed';
const priorFailures = (pod: Pod): number => Number(pod.metadata.annotations?.[failureCountAnnotation] ?? 0) || 0;

/** Failures of an index that count, this far. Each pod carries those from before it. */
export function failuresOf(job: Job, pods: readonly Pod[], index: number): number {
  const counts = pods
    .filter((pod) => indexOf(pod) === index)
    .map((pod) => priorFailures(pod) + (isFailed(pod) && judgeFailure(job, pod).action === 'Count' ? 1 : 0));
  return Math.max(0, ...counts);
}

/** The indexes that will not be tried again, those of `known` among them. */
export function failedIndexes(job: Job, pods: readonly Pod[], known: ReadonlySet<number>): Set<number> {
  const failed = new Set(known);
  const limit = job.spec.backoffLimitPerIndex ?? 0;
  for (const pod of pods) {
    const index = indexOf(pod);
    if (index === undefined || !isFailed(pod)) continue;
    const { action } = judgeFailure(job, pod);
    if (action === 'FailIndex' || (action === 'Count' && priorFailures(pod) >= limit)) failed.add(index);
  }
  return failed;
}

/** Milliseconds until an index may be tried again. */
export function indexWaitMs(job: Job, pods: readonly Pod[], index: number, nowMs: number): number {
  const ends = pods.filter((pod) => indexOf(pod) === index && isFailed(pod)).map(endOf);
  if (ends.length === 0) return 0;
  return Math.max(...ends) + backoffMs(failuresOf(job, pods, index)) - nowMs;
}

/** The number of the first rule of the success policy that holds. */
export function matchedSuccessRule({ spec }: Job, completed: ReadonlySet<number>): number | undefined {
  const found = (spec.successPolicy?.rules ?? []).findIndex(({ succeededIndexes, succeededCount }) => {
    if (succeededIndexes === undefined) return succeededCount !== undefined && completed.size >= succeededCount;
    const wanted = parseIndexes(succeededIndexes);
    const met = [...wanted].filter((index) => completed.has(index)).length;
    return met >= (succeededCount ?? wanted.size);
  });
  return found < 0 ? undefined : found;
}
