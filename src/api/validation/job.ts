// https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/

import { parseSchedule, ScheduleError } from '../../machinery/cron-schedule.ts';
import { labelSelector } from '../../machinery/label-selector.ts';
import { domainPrefixedPathFaults } from '../../machinery/names.ts';
import { isTimeZone } from '../../machinery/time-zone.ts';
import type { FieldError } from '../errors.ts';
import {
  immutableField,
  invalidValue,
  invalidValues,
  nonNegative,
  notSupported,
  oneOf,
  required,
  sameValue,
} from '../fields.ts';
import type { CronJob, Job, JobSpec } from '../generated/types.ts';
import { internalTemplate } from './pod/internal.ts';
import { validateWorkloadTemplate } from './pod/template.ts';
import { validateLabelSelector } from './selector.ts';

const uidLabel = 'batch.kubernetes.io/controller-uid';

export function validateJob(job: Job): FieldError[] {
  const spec = job.spec!;
  return [...validateJobSpec(spec, 'spec'), ...validateSelector(job)];
}

function validateSelector(job: Job): FieldError[] {
  const { selector, template, manualSelector } = job.spec!;
  const errors: FieldError[] = [];
  if (!selector) errors.push(required('spec.selector'));
  else errors.push(...validateLabelSelector(selector, 'spec.selector'));
  if (!manualSelector && selector) {
    const own = { [uidLabel]: job.metadata.uid };
    const keys = Object.keys(selector.matchLabels ?? {});
    if (keys.length !== 1 || selector.matchLabels?.[uidLabel] !== own[uidLabel] || selector.matchExpressions?.length)
      errors.push(invalidValue('spec.selector', selector, '`selector` not auto-generated'));
  }
  if (!labelSelector(selector).matches(template?.metadata?.labels))
    errors.push(
      invalidValue(
        'spec.template.metadata.labels',
        template?.metadata?.labels,
        '`selector` does not match template `labels`',
      ),
    );
  return errors;
}

function validateJobSpec(spec: JobSpec, path: string): FieldError[] {
  const at = (field: string) => `${path}.${field}`;
  const errors: FieldError[] = [];
  for (const field of [
    'parallelism',
    'completions',
    'activeDeadlineSeconds',
    'backoffLimit',
    'ttlSecondsAfterFinished',
    'backoffLimitPerIndex',
    'maxFailedIndexes',
  ] as const)
    errors.push(...nonNegative(at(field), spec[field]));
  errors.push(...oneOf(at('completionMode'), spec.completionMode, ['NonIndexed', 'Indexed']));
  if (spec.completionMode === 'Indexed' && spec.completions === undefined)
    errors.push(required(at('completions'), 'when completion mode is Indexed'));
  if (spec.managedBy)
    errors.push(...invalidValues(at('managedBy'), spec.managedBy, domainPrefixedPathFaults(spec.managedBy)));
  errors.push(...oneOf(at('podReplacementPolicy'), spec.podReplacementPolicy, ['Failed', 'TerminatingOrFailed']));
  errors.push(...validateWorkloadTemplate(spec.template, at('template'), 'Job'));
  const restart = spec.template?.spec?.restartPolicy;
  const restartPath = at('template.spec.restartPolicy');
  if (!restart || restart === 'Always') errors.push(required(restartPath, 'valid values: "OnFailure", "Never"'));
  else if (restart !== 'OnFailure' && restart !== 'Never')
    errors.push(notSupported(restartPath, restart, ['OnFailure', 'Never']));
  else if (spec.podFailurePolicy && restart !== 'Never')
    errors.push(invalidValue(restartPath, restart, 'only "Never" is supported when podFailurePolicy is specified'));
  if (spec.podFailurePolicy) errors.push(...validateFailurePolicy(spec, at('podFailurePolicy')));
  return errors;
}

function validateFailurePolicy(spec: JobSpec, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const pod = spec.template?.spec;
  const names = [...(pod?.containers ?? []), ...(pod?.initContainers ?? [])].map(({ name }) => name);
  for (const [index, rule] of (spec.podFailurePolicy?.rules ?? []).entries()) {
    const at = `${path}.rules[${index}]`;
    errors.push(...oneOf(`${at}.action`, rule.action, ['Count', 'FailIndex', 'FailJob', 'Ignore']));
    const codes = rule.onExitCodes;
    if (!codes && !rule.onPodConditions?.length)
      errors.push(invalidValue(at, '', 'specifying one of OnExitCodes and OnPodConditions is required'));
    if (codes && rule.onPodConditions?.length)
      errors.push(invalidValue(at, '', 'specifying both OnExitCodes and OnPodConditions is not supported'));
    if (!codes) continue;
    errors.push(...oneOf(`${at}.onExitCodes.operator`, codes.operator, ['In', 'NotIn']));
    if (codes.containerName && !names.includes(codes.containerName))
      errors.push(
        invalidValue(
          `${at}.onExitCodes.containerName`,
          codes.containerName,
          'must be one of the container or initContainer names in the pod template',
        ),
      );
    if (!codes.values?.length)
      errors.push(invalidValue(`${at}.onExitCodes.values`, codes.values, 'at least one value is required'));
    for (const [i, code] of (codes.values ?? []).entries())
      if (codes.operator === 'In' && code === 0)
        errors.push(invalidValue(`${at}.onExitCodes.values[${i}]`, code, 'must not be 0 for the In operator'));
  }
  return errors;
}

export function validateJobUpdate(next: Job, old: Job): FieldError[] {
  const errors: FieldError[] = [];
  const [spec, before] = [next.spec!, old.spec!];
  if (spec.completionMode !== 'Indexed' && spec.completions !== before.completions)
    errors.push(immutableField('spec.completions', spec.completions));
  if (!sameValue(spec.selector ?? null, before.selector ?? null))
    errors.push(immutableField('spec.selector', spec.selector));
  if (!sameValue(templateOf(spec, old), templateOf(before, old)))
    errors.push(immutableField('spec.template', internalTemplate(spec.template)));
  for (const field of [
    'completionMode',
    'podFailurePolicy',
    'backoffLimitPerIndex',
    'managedBy',
    'successPolicy',
  ] as const)
    if (!sameValue(spec[field] ?? null, before[field] ?? null))
      errors.push(immutableField(`spec.${field}`, spec[field]));
  // Kubernetes checks the updated spec once more, and lists these faults twice.
  errors.push(...validateSelector(next));
  return errors;
}

/** What a status may say together. */
export function validateJobStatus(next: Job, old: Job): FieldError[] {
  const errors: FieldError[] = [];
  const is = (job: Job, type: string) =>
    job.status?.conditions?.some((c) => c.type === type && c.status === 'True') ?? false;
  const { active = 0, completionTime } = next.status ?? {};
  const [complete, failed] = [is(next, 'Complete'), is(next, 'Failed')];
  if ((complete || failed) && active > 0)
    errors.push(invalidValue('status.active', active, 'active>0 is invalid for finished job'));
  if (complete && !completionTime)
    errors.push(required('status.completionTime', 'completionTime is required for Complete jobs'));
  if (completionTime && !complete)
    errors.push(
      invalidValue(
        'status.completionTime',
        completionTime,
        'completionTime cannot be set when there is no Complete=True condition',
      ),
    );
  const plain = (message: string): FieldError => ({
    type: 'FieldValueInvalid',
    field: 'status.conditions',
    message: `Invalid value: ${message}`,
  });
  if (complete && !is(old, 'Complete') && !is(next, 'SuccessCriteriaMet'))
    errors.push(plain('cannot set Complete=True condition without the SuccessCriteriaMet=true condition'));
  if (failed && !is(old, 'Failed') && !is(next, 'FailureTarget'))
    errors.push(plain('cannot set Failed=True condition without the FailureTarget=true condition'));
  if (complete && failed) errors.push(plain('cannot set Complete=True and Failed=true conditions'));
  return errors;
}

/** While a job is suspended and never started, where its pods may run can still change. */
function templateOf(spec: JobSpec, old: Job): any {
  if (!old.spec?.suspend || old.status?.startTime) return spec.template;
  const template: any = structuredClone(spec.template);
  for (const field of ['nodeSelector', 'affinity', 'tolerations', 'schedulingGates']) delete template.spec?.[field];
  for (const field of ['labels', 'annotations']) delete template.metadata?.[field];
  return template;
}

export function validateCronJob(cron: CronJob): FieldError[] {
  const spec = cron.spec!;
  const errors: FieldError[] = [];
  if ((cron.metadata.name ?? '').length > 52)
    errors.push(invalidValue('metadata.name', cron.metadata.name, 'must be no more than 52 characters'));
  if (!spec.schedule) errors.push(required('spec.schedule'));
  else errors.push(...validateSchedule(spec.schedule));
  if (spec.timeZone !== undefined) errors.push(...validateTimeZone(spec.timeZone));
  errors.push(...nonNegative('spec.startingDeadlineSeconds', spec.startingDeadlineSeconds));
  errors.push(...oneOf('spec.concurrencyPolicy', spec.concurrencyPolicy, ['Allow', 'Forbid', 'Replace']));
  errors.push(...nonNegative('spec.successfulJobsHistoryLimit', spec.successfulJobsHistoryLimit));
  errors.push(...nonNegative('spec.failedJobsHistoryLimit', spec.failedJobsHistoryLimit));
  if (spec.jobTemplate?.spec) errors.push(...validateJobSpec(spec.jobTemplate.spec, 'spec.jobTemplate.spec'));
  return errors;
}

function validateSchedule(schedule: string): FieldError[] {
  const path = 'spec.schedule';
  const errors: FieldError[] = [];
  try {
    parseSchedule(schedule);
  } catch (error) {
    if (!(error instanceof ScheduleError)) throw error;
    errors.push(invalidValue(path, schedule, error.message));
  }
  if (schedule.includes('TZ'))
    errors.push(invalidValue(path, schedule, 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead'));
  return errors;
}

function validateTimeZone(zone: string): FieldError[] {
  const path = 'spec.timeZone';
  if (zone === '') return [invalidValue(path, zone, 'timeZone must be nil or non-empty string')];
  const unknown = [invalidValue(path, zone, `unknown time zone ${zone}`)];
  // https://data.iana.org/time-zones/theory.html#naming; digits and + are in old names.
  if (!zone.split('/').every((part) => /^(?!\.{1,2}$)[A-Za-z._0-9+][A-Za-z._0-9+-]{0,13}$/.test(part))) return unknown;
  if (zone.toLowerCase() === 'local')
    return [
      invalidValue(path, zone, 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones'),
    ];
  return isTimeZone(zone) ? [] : unknown;
}
