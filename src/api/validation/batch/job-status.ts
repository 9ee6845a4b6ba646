// Consistency and transitions of a job's status. Each rule checks only changes of this write, so that an accepted
// status does not block others.

import type { FieldError } from '../../errors.ts';
import { duplicate, invalidValue, omitted, required, sameValue } from '../../fields.ts';
import type { Job } from '../../generated/types.ts';
import { internal } from '../../internal.ts';
import { parseTime } from '../../time.ts';
import { counters } from '../workload.ts';
import { countIndexes, firstShared } from './job-indexes.ts';

const is = (job: Job, type: string, status = 'True'): boolean =>
  job.status?.conditions?.some((condition) => condition.type === type && condition.status === status) ?? false;
const isFinished = (job: Job): boolean => is(job, 'Complete') || is(job, 'Failed');

const conditions = 'status.conditions';
const plain = (why: string): FieldError => invalidValue(conditions, omitted, why);

const statusCounters = counters('active', 'succeeded', 'failed', 'ready', 'terminating');

export const validateJobStatus = (next: Job, old: Job): FieldError[] => [
  ...statusCounters(next.status, 'status'),
  ...validateUncounted(next),
  ...validateConditions(next, old),
  ...validateTimes(next, old),
  ...validateFinished(next, old),
  ...validateIndexes(next, old),
  ...validateChanges(next, old),
];

function validateUncounted({ status }: Job): FieldError[] {
  const seen = new Set<string>();
  return (['succeeded', 'failed'] as const).flatMap((list) =>
    (status?.uncountedTerminatedPods?.[list] ?? []).flatMap((uid, index) => {
      const at = `status.uncountedTerminatedPods.${list}[${index}]`;
      if (!uid) return [invalidValue(at, uid, 'must not be empty')];
      if (seen.has(uid)) return [duplicate(at, uid)];
      seen.add(uid);
      return [];
    }),
  );
}

function validateConditions(next: Job, old: Job): FieldError[] {
  const changed = (type: string) => is(next, type) !== is(old, type);
  const [complete, failed] = [is(next, 'Complete'), is(next, 'Failed')];
  const [target, success] = [is(next, 'FailureTarget'), is(next, 'SuccessCriteriaMet')];
  const failedIndexes = next.status?.failedIndexes !== old.status?.failedIndexes;
  const rules: readonly (readonly [when: boolean, is: boolean, fault: string])[] = [
    [
      changed('Complete') || changed('Failed'),
      complete && failed,
      'cannot set Complete=True and Failed=true conditions',
    ],
    [
      changed('Complete') || changed('FailureTarget'),
      complete && target,
      'cannot set Complete=True and FailureTarget=true conditions',
    ],
    [
      changed('Failed') || failedIndexes,
      failed && !target,
      'cannot set Failed=True condition without the FailureTarget=true condition',
    ],
    [
      changed('Complete') || changed('SuccessCriteriaMet'),
      complete && !success,
      'cannot set Complete=True condition without the SuccessCriteriaMet=true condition',
    ],
    [true, success && failed, 'cannot set SuccessCriteriaMet=True and Failed=true conditions'],
    [true, success && target, 'cannot set SuccessCriteriaMet=True and FailureTarget=true conditions'],
    [
      Boolean(next.spec?.successPolicy),
      !success && complete,
      'cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True',
    ],
  ];
  return rules.filter(([when, holds]) => when && holds).map(([, , fault]) => plain(fault));
}

function validateTimes(next: Job, old: Job): FieldError[] {
  const { completionTime, startTime } = next.status ?? {};
  const complete = is(next, 'Complete');
  const at = 'status.completionTime';
  const ended = completionTime !== old.status?.completionTime;
  const started = startTime !== old.status?.startTime;
  const errors: FieldError[] = [];
  if (complete !== is(old, 'Complete') || ended) {
    if (completionTime && !complete)
      errors.push(
        invalidValue(at, completionTime, 'cannot set completionTime when there is no Complete=True condition'),
      );
    if (!completionTime && complete) errors.push(required(at, 'completionTime is required for Complete jobs'));
  }
  const isBefore = startTime && completionTime && (parseTime(completionTime) ?? 0) < (parseTime(startTime) ?? 0);
  if ((started || ended) && isBefore)
    errors.push(invalidValue(at, completionTime, 'must be equal to or after `startTime`'));
  return errors;
}

/** A job that has ended has no pods. */
function validateFinished(next: Job, old: Job): FieldError[] {
  if (!isFinished(next)) return validateReady(next, old);
  const [status, was] = [next.status ?? {}, old.status ?? {}];
  const ended = !isFinished(old);
  const errors: FieldError[] = [];
  const { active = 0, terminating = 0, uncountedTerminatedPods: uncounted } = status;
  if ((ended || active !== (was.active ?? 0)) && active > 0)
    errors.push(invalidValue('status.active', active, 'active>0 is invalid for finished job'));
  const neverRan = next.spec?.suspend && next.spec.completions === 0;
  if ((ended || status.startTime !== was.startTime) && !neverRan && !status.startTime)
    errors.push(required('status.startTime', 'startTime is required for finished job'));
  const isUncounted = (uncounted?.failed?.length ?? 0) + (uncounted?.succeeded?.length ?? 0) > 0;
  if ((ended || !sameValue(uncounted ?? null, was.uncountedTerminatedPods ?? null)) && isUncounted)
    errors.push(
      invalidValue(
        'status.uncountedTerminatedPods',
        internal('batch.UncountedTerminatedPods', uncounted),
        'must be empty for finished job',
      ),
    );
  if ((ended || terminating !== (was.terminating ?? 0)) && terminating > 0)
    errors.push(invalidValue('status.terminating', terminating, 'terminating>0 is invalid for finished job'));
  return [...errors, ...validateReady(next, old)];
}

function validateReady({ status }: Job, old: Job): FieldError[] {
  const { ready, active = 0 } = status ?? {};
  const changed = ready !== old.status?.ready || active !== (old.status?.active ?? 0);
  return changed && ready !== undefined && ready > active
    ? [invalidValue('status.ready', ready, 'cannot set more ready pods than active')]
    : [];
}

function validateIndexes(next: Job, old: Job): FieldError[] {
  const { completions, backoffLimitPerIndex, completionMode } = next.spec ?? {};
  const { completedIndexes = '', failedIndexes } = next.status ?? {};
  const completedChanged = completedIndexes !== (old.status?.completedIndexes ?? '');
  const failedChanged = failedIndexes !== old.status?.failedIndexes;
  const errors: FieldError[] = [];
  const check = (field: string, text: string) => {
    const counted = countIndexes(text, completions ?? 0);
    if ('fault' in counted)
      errors.push(invalidValue(`status.${field}`, text, `error parsing ${field}: ${counted.fault}`));
  };
  if (completedChanged && completions !== undefined) check('completedIndexes', completedIndexes);
  if (failedChanged && completions !== undefined && backoffLimitPerIndex !== undefined && failedIndexes !== undefined)
    check('failedIndexes', failedIndexes);
  if (completedChanged && completedIndexes && completionMode !== 'Indexed')
    errors.push(
      invalidValue(
        'status.completedIndexes',
        completedIndexes,
        'cannot set non-empty completedIndexes when non-indexed completion mode',
      ),
    );
  if (failedChanged && backoffLimitPerIndex === undefined && failedIndexes !== undefined)
    errors.push(
      invalidValue(
        'status.failedIndexes',
        failedIndexes,
        'cannot set non-null failedIndexes when backoffLimitPerIndex is null',
      ),
    );
  if ((!failedChanged && !completedChanged) || completions === undefined || failedIndexes === undefined) return errors;
  const shared = firstShared(completedIndexes, failedIndexes, completions);
  if (shared !== undefined)
    errors.push(
      invalidValue(
        'status.failedIndexes',
        failedIndexes,
        `failedIndexes and completedIndexes overlap at index: ${shared}`,
      ),
    );
  return errors;
}

function validateChanges(next: Job, old: Job): FieldError[] {
  const [status, was] = [next.status ?? {}, old.status ?? {}];
  const errors: FieldError[] = [];
  for (const type of ['Failed', 'Complete', 'FailureTarget'])
    if (is(old, type) && !is(next, type)) errors.push(plain(`cannot disable the terminal ${type}=True condition`));
  const { completionMode, completions, parallelism, suspend } = next.spec ?? {};
  if ((status.failed ?? 0) < (was.failed ?? 0))
    errors.push(invalidValue('status.failed', status.failed ?? 0, 'cannot decrease the failed counter'));
  // When scaled down, an indexed job drops the indexes above its size.
  const isElastic = completionMode === 'Indexed' && completions === parallelism;
  if (!isElastic && (status.succeeded ?? 0) < (was.succeeded ?? 0))
    errors.push(invalidValue('status.succeeded', status.succeeded ?? 0, 'cannot decrease the succeeded counter'));
  if (status.completionTime && was.completionTime && status.completionTime !== was.completionTime)
    errors.push(invalidValue('status.completionTime', status.completionTime, 'field is immutable'));
  const isResuming = is(old, 'Suspended') && is(next, 'Suspended', 'False');
  if (was.startTime && status.startTime !== was.startTime && !suspend && !isResuming)
    errors.push(invalidValue('status.startTime', status.startTime, 'field is immutable for unsuspended job once set'));
  if (is(old, 'SuccessCriteriaMet') && !is(next, 'SuccessCriteriaMet'))
    errors.push(plain('cannot disable the SuccessCriteriaMet=True condition'));
  if (is(old, 'Complete') && !is(old, 'SuccessCriteriaMet') && is(next, 'SuccessCriteriaMet'))
    errors.push(plain('cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions'));
  return errors;
}
