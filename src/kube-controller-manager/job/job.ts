// Runs pods until enough of them have succeeded. `view.ts` reads, `verdict.ts` and `scale.ts` decide, `account.ts`
// counts; this file acts on their results, in an order that makes a crash harmless.
// https://kubernetes.io/docs/concepts/workloads/controllers/job/

import {
  conditionOf,
  ignoreNotFound,
  isNamespaceTerminating,
  isPodReady,
  type Job,
  type JobStatus,
  type Pod,
  withCondition,
} from '../../api/api.ts';
import { type Controller, own, ownedBy, settleEach, slowStart, type Tools, timestamp } from '../../client/client.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import { claim, orphanIndex, orphansOf } from '../shared/claim.ts';
import { deletePods } from '../shared/create-pods.ts';
import { account, condition, finish, settle } from './account.ts';
import { createJobPod } from './pods.ts';
import { scale } from './scale.ts';
import { completed, deadlineLeftMs, judge, type Verdict } from './verdict.ts';
import { isManagedElsewhere, isOver, isTracked, look, trackingFinalizer, type View } from './view.ts';

export const job: Controller = {
  name: 'job',
  watches: [own('jobs'), ownedBy('pods', 'Job'), orphansOf('pods', 'jobs')],
  indexes: [orphanIndex('pods')],
  async reconcile(key, tools) {
    const job = tools.lister('jobs').get(key);
    if (!job || isManagedElsewhere(job)) return;
    const pods = await claim<Pod>(job, 'jobs', 'pods', tools);
    if (isOver(job)) {
      const { failure } = await releasePods(pods.filter(isTracked), tools);
      if (failure) throw failure;
      return;
    }
    return sync(look(job, pods, tools.clock.now()), tools);
  },
};

async function sync(view: View, tools: Tools): Promise<{ after: number } | undefined> {
  const sentence = judge(view);
  const acted = await act(view, sentence, tools);
  // Pods that could not be deleted may still run: the next reconcile declares the end.
  const verdict = sentence ? (acted.failure ? undefined : sentence) : completed(view, acted.active);
  const status = verdict || !acted.isManaged ? startOf(view) : suspension(startOf(view), view, tools);
  const isEnded = await record(view, verdict, { ...status, ...countsOf(view, acted) }, tools);
  if (acted.failure && !isNamespaceTerminating(acted.failure)) throw acted.failure;
  const waits = [acted.after, deadlineLeftMs(view)].filter((wait) => wait !== undefined);
  if (waits.length > 0 && !isEnded) return { after: Math.max(0, Math.min(...waits)) };
}

interface Acted {
  /** Running pods after this reconcile. */
  readonly active: number;
  readonly removed: readonly Pod[];
  /** Whether this reconcile compared the pods with the Job's spec. */
  readonly isManaged: boolean;
  readonly after?: number;
  readonly failure?: unknown;
}

async function act(view: View, verdict: Verdict | undefined, tools: Tools): Promise<Acted> {
  const { job, active } = view;
  if (verdict) {
    const failure = await deletePods(job, active, tools);
    return failure
      ? { active: active.length, removed: [], isManaged: false, failure }
      : { active: 0, removed: active, isManaged: false };
  }
  if (job.metadata.deletionTimestamp) return { active: active.length, removed: [], isManaged: false };
  const { remove, create, after } = scale(view);
  if (remove.length > 0) {
    // Without the finalizer they do not count as failed: the Job no longer needs them.
    const released = await releasePods(remove.filter(isTracked), tools);
    const failure = released.failure ?? (await deletePods(job, remove, tools));
    const removed = failure ? [] : remove;
    return { active: active.length - removed.length, removed, isManaged: true, failure };
  }
  const made = await slowStart(create.length, (i) => createJobPod(job, create[i], tools));
  return { active: active.length + made.succeeded, removed: [], isManaged: true, after, failure: made.error };
}

function countsOf({ active, terminating }: View, acted: Acted): Pick<JobStatus, 'active' | 'ready' | 'terminating'> {
  const removed = new Set(acted.removed);
  const ready = active.filter((pod) => isPodReady(pod) && !removed.has(pod)).length;
  return { active: acted.active || undefined, ready, terminating: terminating.length + acted.removed.length };
}

function startOf({ job, nowMs }: View): JobStatus {
  const status = job.status ?? {};
  return status.startTime || job.spec.suspend ? status : { ...status, startTime: timestamp(nowMs) };
}

/** The time of activeDeadlineSeconds stops while a Job is suspended. */
function suspension(status: JobStatus, { job, nowMs }: View, { events }: Tools): JobStatus {
  const suspended = job.spec.suspend ?? false;
  const previous = conditionOf({ status }, 'Suspended');
  if ((previous?.status === 'True') === suspended) return status;
  const [reason, message] = suspended ? ['JobSuspended', 'Job suspended'] : ['JobResumed', 'Job resumed'];
  events.event(job, 'Normal', suspended ? 'Suspended' : 'Resumed', message);
  const next = condition('Suspended', suspended ? 'True' : 'False', reason, message, nowMs);
  const startTime = suspended ? undefined : timestamp(nowMs);
  return { ...status, startTime, conditions: withCondition(status.conditions, next) };
}

/** Writes the counts, releases the counted pods, and records events. True if the Job has ended. */
async function record(view: View, verdict: Verdict | undefined, status: JobStatus, tools: Tools): Promise<boolean> {
  const counted = account(view, verdict, status);
  const noted = await writeStatus(view.job, counted.status, tools);
  const { released, failure } = await releasePods(counted.release, tools);
  const gone = new Set(released.map(({ metadata }) => metadata.uid));
  const left = view.pods.filter((pod) => isTracked(pod) && !gone.has(pod.metadata.uid));
  const settled = settle(noted.status ?? {}, new Set(left.map(({ metadata }) => metadata.uid)));
  const ended = verdict && counted.isWhole && !failure ? finish(settled, verdict, view.nowMs) : undefined;
  await writeStatus(noted, ended ?? settled, tools);
  if (failure) throw failure;
  if (ended && verdict) announceEnd(view.job, ended, verdict, tools);
  return ended !== undefined;
}

function announceEnd(job: Job, { succeeded = 0 }: JobStatus, { type, reason, message }: Verdict, tools: Tools): void {
  const { events } = tools;
  if (type === 'Failed') return events.event(job, 'Warning', reason, message);
  const surplus = 'Too many succeeded pods running after completion count reached';
  if (succeeded > (job.spec.completions ?? succeeded)) events.event(job, 'Warning', 'TooManySucceededPods', surplus);
  events.event(job, 'Normal', 'Completed', 'Job completed');
}

async function writeStatus(job: Job, status: JobStatus, { client }: Tools): Promise<Job> {
  if (deepEqual(plain(status), plain(job.status))) return job;
  return client.update('jobs', { ...job, status }, { subresource: 'status' });
}

/** A counter of 0 equals an absent one, except those that the API always shows. */
const plain = (status: JobStatus | undefined) =>
  Object.fromEntries(Object.entries(status ?? {}).filter(([, value]) => value !== undefined && value !== 0));

/** Takes the tracking finalizer off. Resolves with the pods that have none any more, and with the first failure. */
export async function releasePods(
  pods: readonly Pod[],
  { client }: Pick<Tools, 'client'>,
): Promise<{ readonly released: readonly Pod[]; readonly failure?: unknown }> {
  const results = await settleEach(pods, ({ metadata: { name, namespace, uid, finalizers = [] } }) => {
    const kept = finalizers.filter((finalizer) => finalizer !== trackingFinalizer);
    const body = { metadata: { uid, finalizers: kept } };
    return client.patch('pods', { name, namespace }, { type: 'merge', body }).catch(ignoreNotFound);
  });
  const failed = results.find((result) => result.status === 'rejected');
  const released = pods.filter((_, i) => results[i].status === 'fulfilled');
  return { released, ...(failed && { failure: failed.reason }) };
}
