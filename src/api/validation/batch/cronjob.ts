// https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/cron-job-v1/

import { parseSchedule, ScheduleError } from '../../../machinery/time/cron-schedule.ts';
import { isTimeZone } from '../../../machinery/time/time-zone.ts';
import type { FieldError } from '../../errors.ts';
import { invalidValue, nonNegative, notSupported, required } from '../../fields.ts';
import type { CronJob, JobSpec } from '../../generated/types.ts';
import { writtenForm } from '../../internal.ts';
import { specOf } from '../../spec-of.ts';
import { choice } from '../rules.ts';
import { validateJobSpec } from './job.ts';

/** Names of its jobs have eleven characters more. */
const maxName = 52;
const concurrency = choice('Allow', 'Forbid', 'Replace');

export function validateCronJob(cron: CronJob): FieldError[] {
  const { name = '' } = cron.metadata;
  return [
    ...validateSpec(cron),
    ...(name.length > maxName
      ? [invalidValue('metadata.name', name, `must be no more than ${maxName} characters`)]
      : []),
  ];
}

export const validateCronJobUpdate = (next: CronJob, old: CronJob): FieldError[] => validateSpec(next, old);

function validateSpec(cron: CronJob, old?: CronJob): FieldError[] {
  const spec = specOf(cron);
  return [
    ...(spec.schedule ? validateSchedule(cron, old) : [required('spec.schedule')]),
    ...nonNegative('spec.startingDeadlineSeconds', spec.startingDeadlineSeconds),
    ...(spec.timeZone !== undefined && spec.timeZone !== old?.spec?.timeZone ? validateTimeZone(spec.timeZone) : []),
    ...concurrency(spec.concurrencyPolicy, 'spec.concurrencyPolicy'),
    ...validateTemplate(spec.jobTemplate),
    ...nonNegative('spec.successfulJobsHistoryLimit', spec.successfulJobsHistoryLimit),
    ...nonNegative('spec.failedJobsHistoryLimit', spec.failedJobsHistoryLimit),
  ];
}

function validateTemplate(template: NonNullable<CronJob['spec']>['jobTemplate'] | undefined): FieldError[] {
  const spec = template?.spec ?? ({} as JobSpec);
  const path = 'spec.jobTemplate.spec';
  const errors = validateJobSpec(spec, path);
  if (spec.selector)
    errors.push(invalidValue(`${path}.selector`, writtenForm(spec.selector), '`selector` will be auto-generated'));
  if (spec.manualSelector) errors.push(notSupported(`${path}.manualSelector`, true, ['nil', 'false']));
  return errors;
}

function validateSchedule(cron: CronJob, old: CronJob | undefined): FieldError[] {
  const path = 'spec.schedule';
  const { schedule, timeZone } = specOf(cron);
  const fault = scheduleFault(schedule);
  const errors = fault === undefined ? [] : [invalidValue(path, schedule, fault)];
  if (!schedule.includes('TZ')) return errors;
  // Schedules that named a zone themselves were accepted once.
  if (!old?.spec?.schedule.includes('TZ'))
    errors.push(invalidValue(path, schedule, 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead'));
  else if (timeZone !== undefined)
    errors.push(invalidValue(path, schedule, 'cannot use both timeZone field and TZ or CRON_TZ in schedule'));
  return errors;
}

const zonePart = /^[A-Za-z.\-_0-9+]{1,14}$/;

function validateTimeZone(zone: string): FieldError[] {
  const path = 'spec.timeZone';
  if (zone === '') return [invalidValue(path, zone, 'timeZone must be nil or non-empty string')];
  const parts = zone.split('/');
  const unknown = invalidValue(path, zone, `unknown time zone ${zone}`);
  if (parts.some((part) => part === '.' || part === '..' || part.startsWith('-') || !zonePart.test(part)))
    return [unknown];
  const errors: FieldError[] = [];
  if (zone.toLowerCase() === 'local')
    errors.push(
      invalidValue(path, zone, 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones'),
    );
  if (zone !== 'Local' && !isTimeZone(zone)) errors.push(unknown);
  return errors;
}

/** Undefined when there is none. */
function scheduleFault(schedule: string): string | undefined {
  try {
    parseSchedule(schedule);
    return undefined;
  } catch (error) {
    if (error instanceof ScheduleError) return error.message;
    throw error;
  }
}
