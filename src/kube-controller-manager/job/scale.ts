// Computes the number of pods that a Job should run, and the pods to delete and create.

import type { Pod } from '../../api/api.ts';
import { byDeletion } from '../shared/pods.ts';
import { backoffLeftMs } from './backoff.ts';
import { indexWaitMs } from './index-failures.ts';
import { freeIndexes, indexesOf, indexOf, union } from './indexes.ts';
import { hasLimitPerIndex, isIndexed, replacesOnlyFailed, type View } from './view.ts';

/** More than this is not created or deleted in one go. */
const mostAtOnce = 500;

export interface NewPod {
  readonly index?: number;
  /** The failed pod that it replaces, if failures are counted per index. */
  readonly replaces?: Pod;
}

interface Scaling {
  readonly remove: readonly Pod[];
  readonly create: readonly NewPod[];
  /** Milliseconds until a pod that has to wait may be created. */
  readonly after?: number;
}

/** Deletes or creates, never both at once. */
export function scale(view: View): Scaling {
  const { job, active, terminating, nowMs } = view;
  if (job.spec.suspend) return { remove: active, create: [] };
  const wanted = wantedPods(view);
  const remove = podsToRemove(view, Math.max(0, active.length - wanted)).slice(0, mostAtOnce);
  if (remove.length > 0) return { remove, create: [] };
  const blocked = replacesOnlyFailed(job) ? terminating.length : 0;
  const missing = Math.min(wanted - blocked - active.length, mostAtOnce);
  if (missing <= 0) return { remove: [], create: [] };
  const waitMs = hasLimitPerIndex(job) ? 0 : backoffLeftMs(succeededPods(view), failedPods(view), nowMs);
  if (waitMs > 0) return { remove: [], create: [], after: waitMs };
  if (!isIndexed(job)) return { remove: [], create: Array.from({ length: missing }, () => ({})) };
  return { remove: [], ...indexedPods(view, missing) };
}

function wantedPods({ job: { spec }, active, succeeded }: View): number {
  const parallelism = spec.parallelism ?? 1;
  if (spec.completions === undefined) return succeeded > 0 ? active.length : parallelism;
  return Math.max(0, Math.min(parallelism, spec.completions - succeeded));
}

/** Pods without a valid index, and of the others enough to reach `atLeast`. */
function podsToRemove({ job, active, nowMs }: View, atLeast: number): Pod[] {
  const order = byDeletion(() => 0, nowMs);
  const surplus = isIndexed(job) ? withoutOwnIndex(active, job.spec.completions ?? 0, order) : [];
  const isSurplus = new Set(surplus);
  const left = active.filter((pod) => !isSurplus.has(pod)).sort(order);
  return [...surplus, ...left.slice(0, Math.max(0, atLeast - surplus.length))];
}

/** For pods that share an index, all but the last to be deleted; and pods whose index is out of range or absent. */
function withoutOwnIndex(pods: readonly Pod[], completions: number, order: (a: Pod, b: Pod) => number): Pod[] {
  const byIndex = Map.groupBy(pods, (pod) => {
    const index = indexOf(pod);
    return index !== undefined && index < completions ? index : undefined;
  });
  return [...byIndex].flatMap(([index, same]) => (index === undefined ? same : [...same].sort(order).slice(0, -1)));
}

const succeededPods = ({ pods }: View) => pods.filter((pod) => pod.status?.phase === 'Succeeded');
const failedPods = ({ pods }: View) => pods.filter((pod) => pod.status?.phase === 'Failed');

/** The lowest indexes that may be tried now; when none may, how long until the first. */
function indexedPods(view: View, count: number): Omit<Scaling, 'remove'> {
  const { job, active, terminating, succeededIndexes, failedIndexes, replaced, nowMs } = view;
  const running = [...active, ...(replacesOnlyFailed(job) ? terminating : [])];
  const taken = union(succeededIndexes, failedIndexes, indexesOf(running.flatMap((pod) => indexOf(pod) ?? [])));
  const pending = freeIndexes(taken, count, job.spec.completions ?? 0);
  if (!hasLimitPerIndex(job)) return { create: pending.map((index) => ({ index })) };
  const waits = pending.map((index) => indexWaitMs(replaced.get(index), nowMs));
  const create = pending
    .filter((_, i) => waits[i] === 0)
    .map((index) => ({ index, ...(replaced.has(index) && { replaces: replaced.get(index) }) }));
  const later = waits.filter((wait) => wait > 0);
  return { create, ...(later.length > 0 && { after: Math.min(...later) }) };
}
