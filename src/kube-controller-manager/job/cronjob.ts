// Makes Jobs by the clock.
// https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/

import {
  type CronJob,
  controllerOf,
  ignoreNotFound,
  isAlreadyExists,
  isNamespaceTerminating,
  type Job,
  type ObjectReference,
} from '../../api/api.ts';
import { type Controller, controllerReference, own, ownedBy, type Tools, timestamp } from '../../client/client.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import { parseSchedule, type Schedule } from '../../machinery/time/cron-schedule.ts';
import { isTimeZone } from '../../machinery/time/time-zone.ts';

const scheduledAnnotation = 'batch.kubernetes.io/cronjob-scheduled-timestamp';
/** More missed starts than these, and something is wrong with the clock or the deadline. */
const mostMissed = 100;
/** Added to a start time, so that it has certainly passed. */
const slackMs = 100;

export const cronjob: Controller = {
  name: 'cronjob',
  watches: [own('cronjobs'), ownedBy('jobs', 'CronJob')],
  async reconcile(key, tools) {
    const cron = tools.lister('cronjobs').get(key);
    if (!cron) return;
    const jobs = tools
      .lister('jobs')
      .ownedBy(cron)
      .filter((job) => controllerOf(job)?.uid === cron.metadata.uid);
    const status = { ...cron.status, active: await settleActive(cron, jobs, tools) };
    noteSuccess(status, jobs);
    const after = cron.metadata.deletionTimestamp ? undefined : await start(cron, status, tools);
    await cleanUp(cron, jobs, tools);
    if (!deepEqual(plain(status), plain(cron.status)))
      await tools.client.update('cronjobs', { ...cron, status }, { subresource: 'status' });
    return after === undefined ? undefined : { after: after + slackMs };
  },
};

const plain = (status: CronJob['status'] | undefined) => ({
  ...status,
  active: status?.active?.map(({ uid }) => uid).sort() ?? [],
});

const endOf = (job: Job): 'Complete' | 'Failed' | undefined =>
  job.status?.conditions?.find(({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True')
    ?.type as 'Complete' | 'Failed' | undefined;

/** The Jobs of the status that still run; records events for those that ended, vanished, or were made by others. */
async function settleActive(cron: CronJob, jobs: readonly Job[], tools: Tools): Promise<ObjectReference[]> {
  const { client, events } = tools;
  const recorded = cron.status?.active ?? [];
  const gone = new Set<string | undefined>();
  for (const job of jobs) {
    const { name, uid } = job.metadata;
    const end = endOf(job);
    const isRecorded = recorded.some((one) => one.uid === uid);
    if (!end && !isRecorded) {
      const text = `Saw a job that the controller did not create or forgot: ${name}`;
      events.event(cron, 'Warning', 'UnexpectedJob', text);
    } else if (end && isRecorded) {
      events.event(cron, 'Normal', 'SawCompletedJob', `Saw completed job: ${name}, condition: ${end}`);
      gone.add(uid);
    }
  }
  for (const { uid, name = '', namespace } of recorded) {
    if (jobs.some((job) => job.metadata.uid === uid)) continue;
    // The cache may be stale.
    const job = await client.get('jobs', { name, namespace }).catch(ignoreNotFound);
    if (job) continue;
    events.event(cron, 'Normal', 'MissingJob', `Active job went missing: ${name}`);
    gone.add(uid);
  }
  return recorded.filter(({ uid }) => !gone.has(uid));
}

function noteSuccess(status: NonNullable<CronJob['status']>, jobs: readonly Job[]): void {
  for (const job of jobs) {
    const ended = job.status?.completionTime;
    if (endOf(job) !== 'Complete' || !ended) continue;
    if (!status.lastSuccessfulTime || Date.parse(ended) > Date.parse(status.lastSuccessfulTime))
      status.lastSuccessfulTime = ended;
  }
}

function referenceTo({ metadata: { name, namespace, uid, resourceVersion } }: Job): ObjectReference {
  return { apiVersion: 'batch/v1', kind: 'Job', name, namespace, uid, resourceVersion };
}

/** Keeps the newest finished Jobs, up to the limits. */
async function cleanUp(cron: CronJob, jobs: readonly Job[], tools: Tools): Promise<void> {
  const { successfulJobsHistoryLimit = 3, failedJobsHistoryLimit = 1 } = cron.spec;
  for (const [end, limit] of [
    ['Complete', successfulJobsHistoryLimit] as const,
    ['Failed', failedJobsHistoryLimit] as const,
  ]) {
    const ended = jobs.filter((job) => endOf(job) === end && !job.metadata.deletionTimestamp);
    const started = (job: Job) => job.status?.startTime ?? job.metadata.creationTimestamp;
    const oldestFirst = ended.sort((a, b) => (started(a) < started(b) ? -1 : 1));
    for (const job of oldestFirst.slice(0, Math.max(0, ended.length - limit)))
      await remove(cron, referenceTo(job), tools);
  }
}

async function remove(
  cron: CronJob,
  { name = '', namespace }: ObjectReference,
  { client, events }: Tools,
): Promise<void> {
  await client
    .delete('jobs', { name, namespace }, { propagationPolicy: 'Background' })
    .then(() => events.event(cron, 'Normal', 'SuccessfulDelete', `Deleted job ${name}`), ignoreNotFound);
}

/** Starts the due Job and updates `status`; resolves with the milliseconds until the next start. */
async function start(cron: CronJob, status: NonNullable<CronJob['status']>, tools: Tools): Promise<number | undefined> {
  const { clock, events } = tools;
  const { spec } = cron;
  if (spec.timeZone !== undefined && !isTimeZone(spec.timeZone)) {
    const why = `invalid timeZone: ${JSON.stringify(spec.timeZone)}: unknown time zone ${spec.timeZone}`;
    events.event(cron, 'Warning', 'UnknownTimeZone', why);
    return undefined;
  }
  if (spec.suspend) return undefined;
  if (spec.schedule.includes('TZ')) {
    const why = `CRON_TZ or TZ used in schedule ${JSON.stringify(spec.schedule)} is not officially supported`;
    const see = 'see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details';
    events.event(cron, 'Warning', 'UnsupportedSchedule', `${why}, ${see}`);
  }
  let schedule: Schedule;
  try {
    schedule = parseSchedule(spec.schedule, spec.timeZone);
  } catch (error) {
    events.event(
      cron,
      'Warning',
      'UnparseableSchedule',
      `unparseable schedule: ${JSON.stringify(spec.schedule)} : ${(error as Error).message}`,
    );
    return undefined;
  }
  const now = clock.now();
  const { due, missed } = mostRecent(cron, status, schedule, now);
  if (missed === 'all') {
    const why = 'time difference between two schedules is less than 1 second';
    events.event(cron, 'Warning', 'InvalidSchedule', `invalid schedule: ${spec.schedule} : ${why}`);
    return undefined;
  }
  const next = schedule.next(now);
  const untilNext = next === undefined ? undefined : next - now;
  if (due === undefined) return untilNext;
  if (missed === 'many') {
    const why = 'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew';
    events.event(cron, 'Warning', 'TooManyMissedTimes', why);
  }
  if (spec.startingDeadlineSeconds !== undefined && due + Number(spec.startingDeadlineSeconds) * 1000 < now) {
    const time = new Date(due).toUTCString().replace('GMT', '+0000');
    events.event(cron, 'Warning', 'MissSchedule', `Missed scheduled time to start a job: ${time}`);
    return untilNext;
  }
  const time = timestamp(due);
  const active = status.active ?? [];
  if (active.some(({ name }) => name === nameOf(cron, due)) || status.lastScheduleTime === time) return untilNext;
  if (spec.concurrencyPolicy === 'Forbid' && active.length > 0) {
    const why = 'Not starting job because prior execution is running and concurrency policy is Forbid';
    events.event(cron, 'Normal', 'JobAlreadyActive', why);
    return untilNext;
  }
  if (spec.concurrencyPolicy === 'Replace') {
    for (const job of active) await remove(cron, job, tools);
    status.active = [];
  }
  const job = await create(cron, due, tools);
  if (!job) return untilNext;
  status.active = [...(status.active ?? []), referenceTo(job)];
  status.lastScheduleTime = time;
  return untilNext;
}

/** Starts missed since the last one; `all`: the schedule has no second time. */
interface Missed {
  readonly due?: number;
  readonly missed: 'none' | 'few' | 'many' | 'all';
}

/** The latest missed start. The number of missed ones is estimated from two of them, without iterating. */
function mostRecent(cron: CronJob, status: CronJob['status'], schedule: Schedule, now: number): Missed {
  let since = Date.parse(status?.lastScheduleTime ?? cron.metadata.creationTimestamp);
  const { startingDeadlineSeconds } = cron.spec;
  if (startingDeadlineSeconds !== undefined) since = Math.max(since, now - Number(startingDeadlineSeconds) * 1000);
  const first = schedule.next(since);
  const second = first === undefined ? undefined : schedule.next(first);
  if (first !== undefined && now < first) return { missed: 'none' };
  if (first === undefined || second === undefined || second - first < 1000) return { missed: 'all' };
  if (now < second) return { due: first, missed: 'none' };
  const count = Math.floor((now - first) / (second - first)) + 1;
  const due = schedule.last(first + (count - 2) * (second - first), now);
  return { ...(due !== undefined && { due }), missed: count > mostMissed ? 'many' : 'few' };
}

const nameOf = (cron: CronJob, due: number): string => `${cron.metadata.name}-${Math.floor(due / 60_000)}`;

/** Resolves with the Job; undefined if a Job of that name has another owner or none. */
async function create(cron: CronJob, due: number, { client, events }: Tools): Promise<Job | undefined> {
  const { metadata, spec } = cron.spec.jobTemplate;
  const { namespace } = cron.metadata;
  const name = nameOf(cron, due);
  try {
    const created = await client.create('jobs', {
      metadata: {
        name,
        namespace,
        labels: metadata?.labels,
        annotations: { ...metadata?.annotations, [scheduledAnnotation]: timestamp(due) },
        ownerReferences: [controllerReference(cron, 'cronjobs')],
      },
      spec,
    });
    events.event(cron, 'Normal', 'SuccessfulCreate', `Created job ${name}`);
    return created;
  } catch (error) {
    if (isNamespaceTerminating(error)) return undefined;
    if (isAlreadyExists(error)) {
      // It was created here, and a crash prevented the status update.
      const job = await client.get('jobs', { name, namespace });
      return controllerOf(job)?.uid === cron.metadata.uid ? job : undefined;
    }
    events.event(cron, 'Warning', 'FailedCreate', `Error creating job: ${(error as Error).message}`);
    throw error;
  }
}
