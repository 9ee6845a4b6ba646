// Makes Jobs by the clock.
// https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/

import { type CronJob, isAlreadyExists, isNotFound, type Job, type ObjectReference } from '../api/api.ts';
import {
  type Controller,
  controllerOf,
  controllerReference,
  own,
  ownedBy,
  type Tools,
  timestamp,
} from '../client/client.ts';
import { parseSchedule, type Schedule } from '../machinery/cron-schedule.ts';
import { deepEqual } from '../machinery/equal.ts';
import { isTimeZone } from '../machinery/time-zone.ts';
import { isNamespaceTerminating } from './create-pods.ts';

const scheduledAnnotation = 'batch.kubernetes.io/cronjob-scheduled-timestamp';
/** More missed starts than these, and something is wrong with the clock or the deadline. */
const mostMissed = 100;
/** A moment past the start, so that it certainly has come. */
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
    const status = { ...cron.status, active: settleActive(cron, jobs, tools) };
    await cleanUp(cron, jobs, tools);
    const after = cron.metadata.deletionTimestamp ? undefined : await start(cron, jobs, status, tools);
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

/** The Jobs that run now; tells of those that have ended or vanished. */
function settleActive(cron: CronJob, jobs: readonly Job[], { events }: Tools): ObjectReference[] {
  const known = cron.status?.active ?? [];
  const active: ObjectReference[] = [];
  for (const job of jobs) {
    const end = endOf(job);
    const wasActive = known.some(({ uid }) => uid === job.metadata.uid);
    if (end && wasActive) {
      const text = `Saw completed job: ${job.metadata.name}, condition: ${end}`;
      events.event(cron, 'Normal', 'SawCompletedJob', text);
    } else if (!end) active.push(referenceTo(job));
  }
  for (const { uid, name } of known)
    if (!jobs.some((job) => job.metadata.uid === uid))
      events.event(cron, 'Normal', 'MissingJob', `Active job went missing: ${name}`);
  return active;
}

function referenceTo({ metadata: { name, namespace, uid, resourceVersion } }: Job): ObjectReference {
  return { apiVersion: 'batch/v1', kind: 'Job', name, namespace, uid, resourceVersion };
}

/** Keeps the newest of the finished Jobs, as many as the limits say. */
async function cleanUp(cron: CronJob, jobs: readonly Job[], tools: Tools): Promise<void> {
  const { successfulJobsHistoryLimit = 3, failedJobsHistoryLimit = 1 } = cron.spec;
  for (const [end, limit] of [
    ['Complete', successfulJobsHistoryLimit] as const,
    ['Failed', failedJobsHistoryLimit] as const,
  ]) {
    const ended = jobs.filter((job) => endOf(job) === end && !job.metadata.deletionTimestamp);
    const started = (job: Job) => job.status?.startTime ?? job.metadata.creationTimestamp;
    const oldestFirst = ended.sort((a, b) => (started(a) < started(b) ? -1 : 1));
    for (const job of oldestFirst.slice(0, Math.max(0, ended.length - limit))) await remove(cron, job, tools);
  }
}

async function remove(cron: CronJob, job: Job, { client, events }: Tools): Promise<void> {
  const { name, namespace } = job.metadata;
  await client.delete('jobs', { name, namespace }, { propagationPolicy: 'Background' }).then(
    () => events.event(cron, 'Normal', 'SuccessfulDelete', `Deleted job ${name}`),
    (error) => {
      if (!isNotFound(error)) throw error;
    },
  );
}

/** Starts what is due, noting it in `status`; resolves with the milliseconds until the next start. */
async function start(
  cron: CronJob,
  jobs: readonly Job[],
  status: CronJob['status'],
  tools: Tools,
): Promise<number | undefined> {
  const { clock, events } = tools;
  const { spec } = cron;
  if (spec.timeZone !== undefined && !isTimeZone(spec.timeZone)) {
    const why = `invalid timeZone: ${JSON.stringify(spec.timeZone)}: unknown time zone ${spec.timeZone}`;
    events.event(cron, 'Warning', 'UnknownTimeZone', why);
    return undefined;
  }
  if (spec.suspend) return undefined;
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
  const text = timestamp(due);
  if (
    jobs.some(
      (job) => job.metadata.annotations?.[scheduledAnnotation] === text || job.metadata.name === nameOf(cron, due),
    )
  )
    return untilNext;
  if (spec.startingDeadlineSeconds !== undefined && due + Number(spec.startingDeadlineSeconds) * 1000 < now) {
    const time = new Date(due).toUTCString().replace('GMT', '+0000');
    events.event(cron, 'Warning', 'MissSchedule', `Missed scheduled time to start a job: ${time}`);
    return untilNext;
  }
  const active = jobs.filter((job) => !endOf(job));
  if (spec.concurrencyPolicy === 'Forbid' && active.length > 0) {
    const why = 'Not starting job because prior execution is running and concurrency policy is Forbid';
    events.event(cron, 'Normal', 'JobAlreadyActive', why);
    return untilNext;
  }
  if (spec.concurrencyPolicy === 'Replace') {
    for (const job of active) await remove(cron, job, tools);
    status.active = [];
  }
  const created = await create(cron, due, tools);
  if (created) status.active = [...(status.active ?? []), referenceTo(created)];
  status.lastScheduleTime = text;
  return untilNext;
}

/** Starts that have come since the last one that was made; `all`: the schedule has no second time. */
interface Missed {
  readonly due?: number;
  readonly missed: 'none' | 'few' | 'many' | 'all';
}

/** The latest start that has come. How many were missed is estimated from two of them: none is walked through. */
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

async function create(cron: CronJob, due: number, { client, events }: Tools): Promise<Job | undefined> {
  const { metadata, spec } = cron.spec.jobTemplate;
  const name = nameOf(cron, due);
  try {
    const created = await client.create('jobs', {
      metadata: {
        name,
        namespace: cron.metadata.namespace,
        labels: metadata?.labels,
        annotations: { ...metadata?.annotations, [scheduledAnnotation]: timestamp(due) },
        ownerReferences: [controllerReference(cron, 'cronjobs')],
      },
      spec,
    });
    events.event(cron, 'Normal', 'SuccessfulCreate', `Created job ${name}`);
    return created;
  } catch (error) {
    if (isAlreadyExists(error) || isNamespaceTerminating(error)) return undefined;
    events.event(cron, 'Warning', 'FailedCreate', `Error creating job: ${(error as Error).message}`);
    throw error;
  }
}
