// Runs pods until enough of them have succeeded. A finished pod keeps a finalizer until it is counted in the status, so
// that none is lost and none counted twice, whatever crashes in between.
// https://kubernetes.io/docs/concepts/workloads/controllers/job/

import {
  ignoreNotFound,
  isPodReady,
  isPodTerminal,
  type Job,
  type JobCondition,
  type JobStatus,
  type Pod,
} from '../../api/api.ts';
import { type Controller, own, ownedBy, slowStart, type Tools, timestamp } from '../../client/client.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import { claim, orphanIndex, orphansOf } from '../shared/claim.ts';
import { createPod, deletePods, isNamespaceTerminating } from '../shared/create-pods.ts';
import { byDeletion } from '../shared/pods.ts';
import { judgeFailure } from './failure-policy.ts';
import { formatIndexes, indexAnnotation, indexOf, parseIndexes } from './indexes.ts';
import {
  backoffMs,
  endOf,
  failedIndexes,
  failureCountAnnotation,
  failuresOf,
  indexWaitMs,
  matchedSuccessRule,
} from './policies.ts';

const trackingFinalizer = 'batch.kubernetes.io/job-tracking';
const mostPodsAtOnce = 500;

export const job: Controller = {
  name: 'job',
  watches: [own('jobs'), ownedBy('pods', 'Job'), orphansOf('pods', 'jobs')],
  indexes: [orphanIndex('pods')],
  async reconcile(key, tools) {
    const job = tools.lister('jobs').get(key);
    if (!job || isManagedElsewhere(job)) return;
    const pods = await claim<Pod>(job, 'jobs', 'pods', tools);
    if (job.metadata.deletionTimestamp || isOver(job)) return releasePods(pods.filter(isTracked), tools);
    return new Sync(job, pods, tools).run();
  },
};

const conditionOf = (status: JobStatus | undefined, type: string): JobCondition | undefined =>
  status?.conditions?.find((condition) => condition.type === type && condition.status === 'True');
export const isManagedElsewhere = ({ spec }: Job): boolean =>
  !!spec.managedBy && spec.managedBy !== 'kubernetes.io/job-controller';
export const isOver = ({ status }: Job): boolean =>
  !!(conditionOf(status, 'Complete') ?? conditionOf(status, 'Failed'));
export const isTracked = (pod: Pod): boolean => pod.metadata.finalizers?.includes(trackingFinalizer) ?? false;
const isSucceeded = (pod: Pod): boolean => pod.status?.phase === 'Succeeded';

/** Lets pods go whose end is written down, or of no more interest. */
export async function releasePods(pods: readonly Pod[], { client }: Tools): Promise<void> {
  await Promise.all(
    pods.map(async ({ metadata: { name, namespace, uid, finalizers = [] } }) => {
      const kept = finalizers.filter((finalizer) => finalizer !== trackingFinalizer);
      const body = { metadata: { uid, finalizers: kept } };
      await client.patch('pods', { name, namespace }, { type: 'merge', body }).catch(ignoreNotFound);
    }),
  );
}

interface Verdict {
  readonly type: 'Complete' | 'Failed';
  readonly reason: string;
  readonly message: string;
}

class Sync {
  #job: Job;
  readonly #pods: readonly Pod[];
  readonly #tools: Tools;
  readonly #indexed: boolean;
  /** Whether each index has a limit of failures of its own. */
  readonly #perIndex: boolean;
  #status: JobStatus;

  constructor(job: Job, pods: readonly Pod[], tools: Tools) {
    this.#job = job;
    this.#pods = pods;
    this.#tools = tools;
    this.#indexed = job.spec.completionMode === 'Indexed';
    this.#perIndex = this.#indexed && job.spec.backoffLimitPerIndex !== undefined;
    this.#status = structuredClone(job.status ?? {});
  }

  async run(): Promise<{ after: number } | void> {
    const { clock } = this.#tools;
    const suspended = this.#job.spec.suspend ?? false;
    if (!this.#status.startTime && !suspended) this.#status.startTime = timestamp(clock.now());
    this.#noteSuspension(suspended);
    await this.#count();
    const verdict = this.#verdict();
    const active = this.#pods.filter((pod) => !this.#isEnded(pod));
    let after: number | undefined;
    let failure: unknown;
    let running = active.length;
    if (verdict || suspended) {
      failure = await deletePods(this.#job, active, this.#tools);
      running = failure ? active.length : 0;
    } else ({ after, failure, running } = await this.#scale(active));
    this.#noteCounts(active, running);
    this.#conclude(verdict);
    await this.#write();
    if (failure && !isNamespaceTerminating(failure)) throw failure;
    const deadline = this.#deadlineMs();
    const soonest = Math.min(after ?? Number.POSITIVE_INFINITY, deadline ?? Number.POSITIVE_INFINITY);
    if (Number.isFinite(soonest) && !isOver({ ...this.#job, status: this.#status }))
      return { after: Math.max(soonest, 0) };
  }

  /** A pod that is being deleted counts as failed at once, unless only failed ones are to be replaced. */
  #isEnded(pod: Pod): boolean {
    if (isPodTerminal(pod)) return true;
    return pod.metadata.deletionTimestamp !== undefined && this.#job.spec.podReplacementPolicy !== 'Failed';
  }

  #noteSuspension(suspended: boolean): void {
    const known = this.#status.conditions?.find((condition) => condition.type === 'Suspended');
    const { events } = this.#tools;
    if (suspended && known?.status !== 'True') {
      this.#setCondition('Suspended', 'True', 'JobSuspended', 'Job suspended');
      events.event(this.#job, 'Normal', 'Suspended', 'Job suspended');
      this.#status.startTime = undefined;
    } else if (!suspended && known?.status === 'True') {
      this.#setCondition('Suspended', 'False', 'JobResumed', 'Job resumed');
      events.event(this.#job, 'Normal', 'Resumed', 'Job resumed');
      this.#status.startTime = timestamp(this.#tools.clock.now());
    }
  }

  /**
   * Counts ended pods in three steps that survive a crash between any two: their uids into the status, their
   * finalizers off, then the uids out of the status and into the counters.
   */
  async #count(): Promise<void> {
    const uncounted = this.#status.uncountedTerminatedPods ?? {};
    const known = new Set([...(uncounted.succeeded ?? []), ...(uncounted.failed ?? [])]);
    const present = new Map(this.#pods.map((pod) => [pod.metadata.uid, pod]));
    const ended = this.#pods.filter((pod) => isTracked(pod) && this.#isEnded(pod)).slice(0, mostPodsAtOnce);
    const completed = parseIndexes(this.#status.completedIndexes);
    const succeeded = [...(uncounted.succeeded ?? [])];
    const failed = [...(uncounted.failed ?? [])];
    for (const pod of ended) {
      if (known.has(pod.metadata.uid)) continue;
      const index = indexOf(pod);
      if (isSucceeded(pod) && this.#indexed) {
        if (index !== undefined && index < (this.#job.spec.completions ?? 0)) completed.add(index);
      } else if (isSucceeded(pod)) succeeded.push(pod.metadata.uid);
      else if (judgeFailure(this.#job, pod).action !== 'Ignore') failed.push(pod.metadata.uid);
    }
    if (this.#indexed) {
      this.#status.completedIndexes = completed.size > 0 ? formatIndexes(completed) : undefined;
      this.#status.succeeded = completed.size;
    }
    const failedForGood = this.#failedIndexes();
    if (failedForGood.size > 0) this.#status.failedIndexes = formatIndexes(failedForGood);
    if (succeeded.length + failed.length > known.size) {
      this.#status.uncountedTerminatedPods = { succeeded, failed };
      await this.#write();
    } else if (this.#indexed && ended.length > 0) await this.#write();
    await releasePods(ended, this.#tools);
    const isReleased = (uid: string) => {
      const pod = present.get(uid);
      return !pod || !isTracked(pod) || ended.includes(pod);
    };
    this.#status.succeeded = (this.#status.succeeded ?? 0) + succeeded.filter(isReleased).length;
    this.#status.failed = (this.#status.failed ?? 0) + failed.filter(isReleased).length;
    const rest = (uids: string[]) => uids.filter((uid) => !isReleased(uid));
    this.#status.uncountedTerminatedPods = {
      ...(rest(succeeded).length > 0 && { succeeded: rest(succeeded) }),
      ...(rest(failed).length > 0 && { failed: rest(failed) }),
    };
  }

  #verdict(): Verdict | undefined {
    const { spec } = this.#job;
    const met = conditionOf(this.#status, 'SuccessCriteriaMet');
    if (met) return { type: 'Complete', reason: met.reason ?? '', message: met.message ?? '' };
    const target = conditionOf(this.#status, 'FailureTarget');
    if (target) return { type: 'Failed', reason: target.reason ?? '', message: target.message ?? '' };
    for (const pod of this.#pods) {
      if (pod.status?.phase !== 'Failed') continue;
      const judged = judgeFailure(this.#job, pod);
      if (judged.action === 'FailJob') return { type: 'Failed', reason: 'PodFailurePolicy', message: judged.message };
    }
    const uncounted = this.#status.uncountedTerminatedPods?.failed?.length ?? 0;
    const failed = (this.#status.failed ?? 0) + uncounted;
    if (failed > (spec.backoffLimit ?? 6) || this.#restartsExceeded())
      return {
        type: 'Failed',
        reason: 'BackoffLimitExceeded',
        message: 'Job has reached the specified backoff limit',
      };
    const deadline = this.#deadlineMs();
    if (deadline !== undefined && deadline <= 0)
      return {
        type: 'Failed',
        reason: 'DeadlineExceeded',
        message: 'Job was active longer than specified deadline',
      };
    const rule = matchedSuccessRule(this.#job, parseIndexes(this.#status.completedIndexes));
    if (rule !== undefined)
      return { type: 'Complete', reason: 'SuccessPolicy', message: `Matched rules at index ${rule}` };
    if (this.#isComplete())
      return { type: 'Complete', reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' };
    return this.#verdictOfIndexes();
  }

  #verdictOfIndexes(): Verdict | undefined {
    const { completions = 0, maxFailedIndexes } = this.#job.spec;
    const failed = this.#failedIndexes().size;
    if (failed === 0) return undefined;
    const message = 'Job has exceeded the specified maximal number of failed indexes';
    if (maxFailedIndexes !== undefined && failed > maxFailedIndexes)
      return { type: 'Failed', reason: 'MaxFailedIndexesExceeded', message };
    if (failed + (this.#status.succeeded ?? 0) < completions) return undefined;
    return { type: 'Failed', reason: 'FailedIndexes', message: 'Job has failed indexes' };
  }

  /** Those of a Job with a limit for each index; none otherwise. */
  #failedIndexes(): Set<number> {
    const known = parseIndexes(this.#status.failedIndexes);
    return this.#perIndex ? failedIndexes(this.#job, this.#pods, known) : known;
  }

  /** With restartPolicy OnFailure, restarts in place count against the limit. */
  #restartsExceeded(): boolean {
    const { template, backoffLimit = 6 } = this.#job.spec;
    if (template.spec?.restartPolicy !== 'OnFailure') return false;
    let restarts = 0;
    for (const { status } of this.#pods)
      if (status?.phase === 'Running' || status?.phase === 'Pending')
        for (const { restartCount } of [...(status.containerStatuses ?? []), ...(status.initContainerStatuses ?? [])])
          restarts += restartCount;
    return backoffLimit === 0 ? restarts > 0 : restarts >= backoffLimit;
  }

  #isComplete(): boolean {
    const succeeded = this.#status.succeeded ?? 0;
    const { completions } = this.#job.spec;
    if (completions !== undefined) return succeeded >= completions;
    // Without a number, one success says that the work is done; the others may finish.
    return succeeded > 0 && this.#pods.every((pod) => this.#isEnded(pod));
  }

  /** Milliseconds until activeDeadlineSeconds have passed. */
  #deadlineMs(): number | undefined {
    const { activeDeadlineSeconds, suspend } = this.#job.spec;
    if (activeDeadlineSeconds === undefined || !this.#status.startTime || suspend) return undefined;
    return Date.parse(this.#status.startTime) + Number(activeDeadlineSeconds) * 1000 - this.#tools.clock.now();
  }

  async #scale(active: readonly Pod[]): Promise<{ running: number; after?: number; failure?: unknown }> {
    const { spec } = this.#job;
    const parallelism = spec.parallelism ?? 1;
    const succeeded = this.#status.succeeded ?? 0;
    const wanted =
      spec.completions === undefined
        ? succeeded > 0
          ? active.length
          : parallelism
        : Math.min(parallelism, spec.completions - succeeded - this.#failedIndexes().size);
    if (active.length > wanted) {
      const order = byDeletion(() => 0, this.#tools.clock.now());
      const doomed = [...active].sort(order).slice(0, active.length - wanted);
      const failure = await deletePods(this.#job, doomed, this.#tools);
      return { running: failure ? active.length : wanted, failure };
    }
    const terminating =
      spec.podReplacementPolicy === 'Failed'
        ? this.#pods.filter((pod) => pod.metadata.deletionTimestamp && !isPodTerminal(pod) && !active.includes(pod))
            .length
        : 0;
    const missing = Math.min(wanted - active.length - terminating, mostPodsAtOnce);
    if (missing <= 0) return { running: active.length };
    const waitMs = this.#perIndex ? 0 : this.#backoffMs();
    if (waitMs > 0) return { running: active.length, after: waitMs };
    const { indexes, after } = this.#indexed ? this.#freeIndexes(active, missing) : { indexes: [], after: undefined };
    const count = this.#indexed ? indexes.length : missing;
    const { succeeded: made, error } = await slowStart(count, (i) => this.#create(indexes[i]));
    return { running: active.length + made, after, failure: error };
  }

  /** The lowest indexes that may be tried now, and when the next may that has to wait. */
  #freeIndexes(active: readonly Pod[], count: number): { indexes: number[]; after?: number } {
    const taken = parseIndexes(this.#status.completedIndexes);
    for (const index of this.#failedIndexes()) taken.add(index);
    for (const pod of active) taken.add(indexOf(pod) ?? -1);
    const indexes: number[] = [];
    let after: number | undefined;
    for (let index = 0; index < (this.#job.spec.completions ?? 0) && indexes.length < count; index++) {
      if (taken.has(index)) continue;
      const waitMs = this.#perIndex ? indexWaitMs(this.#job, this.#pods, index, this.#tools.clock.now()) : 0;
      if (waitMs > 0) after = Math.min(after ?? waitMs, waitMs);
      else indexes.push(index);
    }
    return { indexes, ...(after !== undefined && { after }) };
  }

  async #create(index: number | undefined): Promise<void> {
    const { name } = this.#job.metadata;
    const failures = this.#perIndex && index !== undefined ? failuresOf(this.#job, this.#pods, index) : undefined;
    await createPod(this.#job, 'jobs', this.#job.spec.template, this.#tools, {
      change(pod) {
        pod.metadata.finalizers = [...(pod.metadata.finalizers ?? []), trackingFinalizer];
        if (index === undefined) return;
        pod.metadata.generateName = `${name}-${index}-`;
        pod.metadata.annotations = {
          ...pod.metadata.annotations,
          [indexAnnotation]: String(index),
          ...(failures !== undefined && { [failureCountAnnotation]: String(failures) }),
        };
        pod.metadata.labels = { ...pod.metadata.labels, [indexAnnotation]: String(index) };
        pod.spec.hostname ??= `${name}-${index}`;
        const fieldPath = `metadata.labels['${indexAnnotation}']`;
        const variable = { name: 'JOB_COMPLETION_INDEX', valueFrom: { fieldRef: { fieldPath } } };
        for (const container of [...pod.spec.containers, ...(pod.spec.initContainers ?? [])])
          if (!container.env?.some((known: any) => known.name === variable.name))
            container.env = [...(container.env ?? []), variable];
      },
    });
  }

  /** 10 s after a failure, twice that after each further one in a row, at most 10 minutes. */
  #backoffMs(): number {
    const lastSuccess = Math.max(0, ...this.#pods.filter(isSucceeded).map(endOf));
    const failures = this.#pods
      .filter((pod) => pod.status?.phase === 'Failed')
      .map(endOf)
      .filter((end) => end > lastSuccess);
    if (failures.length === 0) return 0;
    return Math.max(...failures) + backoffMs(failures.length) - this.#tools.clock.now();
  }

  #noteCounts(active: readonly Pod[], running: number): void {
    const gone = this.#job.spec.suspend ?? false;
    this.#status.active = running || undefined;
    this.#status.ready = gone ? 0 : active.filter(isPodReady).length;
    this.#status.terminating = this.#pods.filter((pod) => pod.metadata.deletionTimestamp && !isPodTerminal(pod)).length;
  }

  /** First what the end will be, then, when no pod is left running, the end. */
  #conclude(verdict: Verdict | undefined): void {
    if (!verdict) return;
    const { type, reason, message } = verdict;
    this.#setCondition(type === 'Complete' ? 'SuccessCriteriaMet' : 'FailureTarget', 'True', reason, message);
    if (this.#pods.some((pod) => !isPodTerminal(pod))) return;
    const { events, clock } = this.#tools;
    this.#setCondition(type, 'True', reason, message);
    this.#status.active = undefined;
    this.#status.ready = 0;
    if (type === 'Complete') {
      this.#status.completionTime = timestamp(clock.now());
      events.event(this.#job, 'Normal', 'Completed', 'Job completed');
    } else events.event(this.#job, 'Warning', reason, message);
  }

  #setCondition(type: string, status: string, reason: string, message: string): void {
    const conditions = this.#status.conditions ?? [];
    if (conditions.some((known) => known.type === type && known.status === status && known.reason === reason)) return;
    const now = timestamp(this.#tools.clock.now());
    const condition = { type, status, lastProbeTime: now, lastTransitionTime: now, reason, message };
    this.#status.conditions = [...conditions.filter((known) => known.type !== type), condition];
  }

  async #write(): Promise<void> {
    const plain = (status: JobStatus | undefined) =>
      Object.fromEntries(Object.entries(status ?? {}).filter(([, value]) => value !== undefined && value !== 0));
    if (deepEqual(plain(this.#status), plain(this.#job.status))) return;
    const written = await this.#tools.client.update(
      'jobs',
      { ...this.#job, status: structuredClone(this.#status) },
      { subresource: 'status' },
    );
    this.#job = { ...this.#job, metadata: written.metadata, status: written.status };
  }
}
