// Counts ended pods in three steps that survive a crash between any two: their uids go into the status, their finalizers
// go, then the uids go out of the status and into the counters. Pure; `job.ts` writes and releases in between.
// https://kubernetes.io/docs/concepts/workloads/controllers/job/#job-tracking-with-finalizers

import { type JobStatus, type Pod, withCondition } from '../../api/api.ts';
import { timestamp } from '../../client/client.ts';
import { judgeFailure } from './failure-policy.ts';
import { countIndexes, formatIndexes, hasIndex, indexesOf, indexOf, parseIndexes, union } from './indexes.ts';
import type { Verdict } from './verdict.ts';
import { hasLimitPerIndex, isFailed, isIndexed, isSucceeded, isTracked, type View } from './view.ts';

/** Pods counted in one go: their uids in the status stay below 20 kB. */
const mostUncounted = 500;

interface Account {
  /** To be written before finalizers go. */
  readonly status: JobStatus;
  /** Pods whose finalizer is removed after the status is written. */
  readonly release: readonly Pod[];
  /** False when more pods have ended than one go counts. */
  readonly isWhole: boolean;
}

/** `status` with the pods of the view counted in it, and with the verdict announced. */
export function account(view: View, verdict: Verdict | undefined, status: JobStatus): Account {
  const { job } = view;
  const tracked = new Set(view.pods.filter(isTracked).map(({ metadata }) => metadata.uid));
  const settled = settle(status, tracked);
  const uncounted = {
    succeeded: [...(settled.uncountedTerminatedPods?.succeeded ?? [])],
    failed: [...(settled.uncountedTerminatedPods?.failed ?? [])],
  };
  const completions = job.spec.completions ?? 0;
  const before = parseIndexes(status.completedIndexes, completions);
  const succeededIndexes: number[] = [];
  const release: Pod[] = [];
  let isWhole = true;
  for (const pod of view.pods) {
    if (!isTracked(pod) || !mayRelease(view, verdict, pod)) continue;
    if (succeededIndexes.length + uncounted.succeeded.length + uncounted.failed.length >= mostUncounted) {
      isWhole = false;
      break;
    }
    release.push(pod);
    const { uid } = pod.metadata;
    const index = indexOf(pod);
    const isValid = !isIndexed(job) || (index !== undefined && index < completions);
    if (!isValid) continue;
    if (isSucceeded(pod) && !uncounted.failed.includes(uid)) {
      if (index !== undefined && isIndexed(job)) {
        if (!hasIndex(before, index)) succeededIndexes.push(index);
      } else if (!uncounted.succeeded.includes(uid)) uncounted.succeeded.push(uid);
    } else if (countsAsFailed(view, verdict, pod) && !uncounted.failed.includes(uid)) uncounted.failed.push(uid);
  }
  const counted = { ...settled, uncountedTerminatedPods: compact(uncounted) };
  const indexed = isIndexed(job) ? withIndexes(view, counted, union(before, indexesOf(succeededIndexes))) : counted;
  return { status: verdict ? announced(indexed, verdict, view.nowMs) : indexed, release, isWhole };
}

function mayRelease({ job, replaced }: View, verdict: Verdict | undefined, pod: Pod): boolean {
  if (job.metadata.deletionTimestamp || verdict || isSucceeded(pod)) return true;
  if (!isFailed(job, pod)) return false;
  // It stays until its replacement has taken over how often the index has failed.
  return !hasLimitPerIndex(job) || replaced.get(indexOf(pod) ?? -1)?.metadata.uid !== pod.metadata.uid;
}

/** In a failed Job, running pods count as failed too. */
function countsAsFailed({ job }: View, verdict: Verdict | undefined, pod: Pod): boolean {
  if (!isFailed(job, pod) && verdict?.type !== 'Failed') return false;
  return judgeFailure(job, pod).action !== 'Ignore';
}

function withIndexes(view: View, status: JobStatus, completed: ReturnType<typeof parseIndexes>): JobStatus {
  return {
    ...status,
    succeeded: countIndexes(completed),
    completedIndexes: formatIndexes(completed) || undefined,
    ...(hasLimitPerIndex(view.job) && { failedIndexes: formatIndexes(view.failedIndexes) }),
  };
}

function announced(status: JobStatus, { type, reason, message }: Verdict, nowMs: number): JobStatus {
  const interim = type === 'Complete' ? 'SuccessCriteriaMet' : 'FailureTarget';
  if (status.conditions?.some((condition) => condition.type === interim && condition.status === 'True')) return status;
  return {
    ...status,
    conditions: withCondition(status.conditions, condition(interim, 'True', reason, message, nowMs)),
  };
}

export function condition(type: string, status: string, reason: string, message: string, nowMs: number) {
  const now = timestamp(nowMs);
  return { type, status, lastProbeTime: now, lastTransitionTime: now, reason, message };
}

const compact = ({ succeeded, failed }: { succeeded: string[]; failed: string[] }) => ({
  ...(succeeded.length > 0 && { succeeded }),
  ...(failed.length > 0 && { failed }),
});

/** Moves the uids of pods without a finalizer into the counters. */
export function settle(status: JobStatus, tracked: ReadonlySet<string>): JobStatus {
  const { succeeded = [], failed = [] } = status.uncountedTerminatedPods ?? {};
  const isLeft = (uid: string) => tracked.has(uid);
  const left = { succeeded: succeeded.filter(isLeft), failed: failed.filter(isLeft) };
  const add = (count: number | undefined, uids: number) => (uids > 0 ? (count ?? 0) + uids : count);
  return {
    ...status,
    succeeded: add(status.succeeded, succeeded.length - left.succeeded.length),
    failed: add(status.failed, failed.length - left.failed.length),
    uncountedTerminatedPods: compact(left),
  };
}

/** The end, once every pod is counted and none is left; undefined before that. */
export function finish(status: JobStatus, { type, reason, message }: Verdict, nowMs: number): JobStatus | undefined {
  const { succeeded = [], failed = [] } = status.uncountedTerminatedPods ?? {};
  if (succeeded.length + failed.length > 0 || (status.terminating ?? 0) > 0) return undefined;
  return {
    ...status,
    conditions: withCondition(status.conditions, condition(type, 'True', reason, message, nowMs)),
    ...(type === 'Complete' && { completionTime: timestamp(nowMs) }),
  };
}
