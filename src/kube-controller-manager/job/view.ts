// The state of a Job: its pods, sorted by their meaning for it. Pure; the other files of this folder read it.

import { isPodActive, isPodTerminating, type Job, type JobCondition, type JobStatus, type Pod } from '../../api/api.ts';
import { endOf } from './backoff.ts';
import { judgeFailure } from './failure-policy.ts';
import { allFailuresBefore, exhaustsIndex } from './index-failures.ts';
import { hasIndex, type Indexes, indexesOf, indexOf, noIndexes, parseIndexes, union } from './indexes.ts';

export const trackingFinalizer = 'batch.kubernetes.io/job-tracking';

export const isTracked = (pod: Pod): boolean => pod.metadata.finalizers?.includes(trackingFinalizer) ?? false;
export const isIndexed = ({ spec }: Job): boolean => spec.completionMode === 'Indexed';
/** Whether each index has its own failure limit. */
export const hasLimitPerIndex = (job: Job): boolean => isIndexed(job) && job.spec.backoffLimitPerIndex !== undefined;
export const isManagedElsewhere = ({ spec }: Job): boolean =>
  !!spec.managedBy && spec.managedBy !== 'kubernetes.io/job-controller';

export const trueCondition = (status: JobStatus | undefined, type: string): JobCondition | undefined =>
  status?.conditions?.find((condition) => condition.type === type && condition.status === 'True');
export const isOver = ({ status }: Job): boolean =>
  !!(trueCondition(status, 'Complete') ?? trueCondition(status, 'Failed'));

/** Replacements wait until a pod has failed, not only until its deletion began. */
export const replacesOnlyFailed = ({ spec }: Job): boolean =>
  spec.podReplacementPolicy === 'Failed' || spec.podFailurePolicy !== undefined;

export const isSucceeded = (pod: Pod): boolean => pod.status?.phase === 'Succeeded';

/**
 * A terminating pod counts as failed at once, because its end may never be reported, unless the policy counts failed
 * pods only.
 */
export const isFailed = (job: Job, pod: Pod): boolean =>
  pod.status?.phase === 'Failed' ||
  (!replacesOnlyFailed(job) && pod.metadata.deletionTimestamp !== undefined && !isSucceeded(pod));

export interface View {
  readonly job: Job;
  readonly pods: readonly Pod[];
  readonly nowMs: number;
  /** Neither ended nor being deleted. */
  readonly active: readonly Pod[];
  readonly terminating: readonly Pod[];
  /** Ended, not counted in status yet. */
  readonly newSucceeded: readonly Pod[];
  readonly newFailed: readonly Pod[];
  /** Successes of all time; for an Indexed Job, of indexes. */
  readonly succeeded: number;
  /** Failures of all time that count against the limit. */
  readonly failed: number;
  readonly succeededIndexes: Indexes;
  readonly failedIndexes: Indexes;
  /** The failed pod of each index that waits for a replacement, which continues its counts. */
  readonly replaced: ReadonlyMap<number, Pod>;
}

export function look(job: Job, pods: readonly Pod[], nowMs: number): View {
  const { uncountedTerminatedPods: uncounted, ...status } = job.status ?? {};
  const completions = job.spec.completions ?? 0;
  const isValid = (pod: Pod) => !isIndexed(job) || (indexOf(pod) ?? completions) < completions;
  const uncountedSucceeded = new Set(uncounted?.succeeded);
  const uncountedFailed = new Set(uncounted?.failed);
  const fresh = pods.filter((pod) => isTracked(pod) && isValid(pod));
  const newSucceeded = fresh.filter((pod) => isSucceeded(pod) && !uncountedSucceeded.has(pod.metadata.uid));
  const newFailed = fresh.filter((pod) => isFailed(job, pod) && !uncountedFailed.has(pod.metadata.uid));
  const counted = newFailed.filter((pod) => judgeFailure(job, pod).action !== 'Ignore');
  const active = pods.filter(isPodActive);
  const succeededIndexes = isIndexed(job) ? succeededOf(job, fresh, completions) : noIndexes;
  const failedIndexes = hasLimitPerIndex(job) ? failedOf(job, fresh, completions) : noIndexes;
  const settled = union(succeededIndexes, failedIndexes, indexesOf(active.flatMap((pod) => indexOf(pod) ?? [])));
  return {
    job,
    pods,
    nowMs,
    active,
    terminating: pods.filter(isPodTerminating),
    newSucceeded,
    newFailed,
    succeeded: isIndexed(job)
      ? countOf(succeededIndexes)
      : (status.succeeded ?? 0) + newSucceeded.length + uncountedSucceeded.size,
    failed: (status.failed ?? 0) + counted.length + uncountedFailed.size,
    succeededIndexes,
    failedIndexes,
    replaced: hasLimitPerIndex(job) ? replacedOf(job, fresh, settled) : new Map(),
  };
}

const countOf = (indexes: Indexes) => indexes.reduce((sum, { first, last }) => sum + last - first + 1, 0);
const indexesWhere = (pods: readonly Pod[], holds: (pod: Pod) => boolean): Indexes =>
  indexesOf(pods.filter(holds).flatMap((pod) => indexOf(pod) ?? []));

const succeededOf = ({ status }: Job, fresh: readonly Pod[], completions: number): Indexes =>
  union(parseIndexes(status?.completedIndexes, completions), indexesWhere(fresh, isSucceeded));

const failedOf = (job: Job, fresh: readonly Pod[], completions: number): Indexes =>
  union(
    parseIndexes(job.status?.failedIndexes, completions),
    indexesWhere(fresh, (pod) => isFailed(job, pod) && exhaustsIndex(job, pod)),
  );

function replacedOf(job: Job, fresh: readonly Pod[], settled: Indexes): Map<number, Pod> {
  const replaced = new Map<number, Pod>();
  for (const pod of fresh) {
    const index = indexOf(pod);
    if (index === undefined || !isFailed(job, pod) || hasIndex(settled, index)) continue;
    const previous = replaced.get(index);
    if (!previous || (allFailuresBefore(previous) <= allFailuresBefore(pod) && endOf(pod) >= endOf(previous)))
      replaced.set(index, pod);
  }
  return replaced;
}
