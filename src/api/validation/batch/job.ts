// https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/

import { must } from '../../../machinery/must.ts';
import { labelSelector } from '../../../machinery/selectors/label-selector.ts';
import { dns1123LabelFaults } from '../../../machinery/text/names.ts';
import type { FieldError } from '../../errors.ts';
import { invalidValue, nonNegative, notSupported, required, tooLong, unchanged } from '../../fields.ts';
import type { Job, JobSpec, PodTemplateSpec } from '../../generated/types.ts';
import { internal, sameInternal, writtenForm } from '../../internal.ts';
import { specOf } from '../../spec-of.ts';
import { domainPrefixedPath } from '../names.ts';
import { validatePodTemplate } from '../pod/template.ts';
import { isSound, unchangedSelector, validateLabelSelector } from '../selector.ts';
import { validateSuccessPolicy } from './job-indexes.ts';
import { validateFailurePolicy } from './job-policies.ts';

const maxManagedBy = 63;
const maxIndexed = 100_000;
/** Beyond this many completions, indexes are counted more frugally. */
const manyCompletions = 100_000;
const fewerForMany = 10_000;

const uidLabels = ['controller-uid', 'batch.kubernetes.io/controller-uid'];
const nameLabels = ['job-name', 'batch.kubernetes.io/job-name'];

export const validateJob = (job: Job, old?: Job): FieldError[] => [
  ...validateGeneratedSelector(job, old),
  ...validateJobSpec(specOf(job), 'spec'),
  ...validateSelector(specOf(job)),
  ...validateHostname(job),
];

function validateHostname(job: Job): FieldError[] {
  const { name } = job.metadata;
  const { completionMode, completions = 0 } = specOf(job);
  if (completionMode !== 'Indexed' || completions <= 0) return [];
  const host = `${name}-${completions - 1}`;
  return dns1123LabelFaults(host).length
    ? [invalidValue('metadata.name', name, `will not able to create pod with invalid DNS label: ${host}`)]
    : [];
}

/** The job's labels for its pods, unless manualSelector is set. */
function validateGeneratedSelector(job: Job, old: Job | undefined): FieldError[] {
  const { metadata } = job;
  const { selector, template, manualSelector } = specOf(job);
  if (manualSelector || !selector) return [];
  const expected = Object.fromEntries([
    ...uidLabels.map((label) => [label, metadata.uid ?? '']),
    ...nameLabels.map((label) => [label, metadata.name ?? '']),
  ]);
  const labels = template?.metadata?.labels ?? {};
  const errors: FieldError[] = [];
  const before = old?.spec?.template?.metadata?.labels ?? {};
  // Jobs that were made before the prefixed labels have none.
  const isOld = old && !(uidLabels[1] in before && nameLabels[1] in before);
  const wanted = [uidLabels[0], nameLabels[0], ...(isOld ? [] : [uidLabels[1], nameLabels[1]])];
  for (const label of wanted) {
    const path = `spec.template.metadata.labels[${label}]`;
    const fault = `must be '${expected[label]}'`;
    if (!(label in labels)) errors.push(required(path, fault));
    else if (labels[label] !== expected[label]) errors.push(invalidValue(path, labels, fault));
  }
  if (isSound(selector) && !labelSelector(selector).matches(expected))
    errors.push(invalidValue('spec.selector', writtenForm(selector), '`selector` not auto-generated'));
  return errors;
}

function validateSelector({ selector, template }: JobSpec): FieldError[] {
  const errors = selector ? validateLabelSelector(selector, 'spec.selector') : [required('spec.selector')];
  const labels = template?.metadata?.labels;
  if ((!selector || isSound(selector)) && !labelSelector(selector).matches(labels))
    errors.push(invalidValue('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'));
  return errors;
}

const counts = [
  'parallelism',
  'completions',
  'activeDeadlineSeconds',
  'backoffLimit',
  'ttlSecondsAfterFinished',
  'backoffLimitPerIndex',
  'maxFailedIndexes',
] as const;

export function validateJobSpec(spec: JobSpec, path: string): FieldError[] {
  const at = (field: string) => `${path}.${field}`;
  const errors: FieldError[] = counts.flatMap((field) => nonNegative(at(field), spec[field]));
  if (spec.maxFailedIndexes !== undefined && spec.backoffLimitPerIndex === undefined)
    errors.push(required(at('backoffLimitPerIndex'), 'when maxFailedIndexes is specified'));
  if (spec.managedBy !== undefined) {
    errors.push(...domainPrefixedPath(spec.managedBy, at('managedBy')));
    if (spec.managedBy.length > maxManagedBy) errors.push(tooLong(at('managedBy'), maxManagedBy));
  }
  errors.push(...validateMode(spec, path));
  if (spec.podFailurePolicy) errors.push(...validateFailurePolicy(spec, at('podFailurePolicy')));
  if (spec.successPolicy)
    errors.push(
      ...(spec.completionMode === 'Indexed'
        ? validateSuccessPolicy(spec, at('successPolicy'))
        : [
            invalidValue(
              at('successPolicy'),
              internal('batch.SuccessPolicy', spec.successPolicy),
              'requires indexed completion mode',
            ),
          ]),
    );
  const replacement = spec.podReplacementPolicy as string | undefined;
  const supported = spec.podFailurePolicy ? ['Failed'] : ['Failed', 'TerminatingOrFailed'];
  if (replacement !== undefined && !supported.includes(replacement))
    errors.push(notSupported(at('podReplacementPolicy'), replacement, supported));
  return [...errors, ...validatePodTemplate(spec.template, at('template')), ...validateRestartPolicy(spec, path)];
}

function validateMode(spec: JobSpec, path: string): FieldError[] {
  const at = (field: string) => `${path}.${field}`;
  const mode = spec.completionMode as string | undefined;
  const modes = ['NonIndexed', 'Indexed'];
  const errors: FieldError[] = [];
  if (mode !== undefined && !modes.includes(mode)) errors.push(notSupported(at('completionMode'), mode, modes));
  if (mode === 'Indexed') errors.push(...validateIndexed(spec, path));
  if (mode === undefined || mode === 'NonIndexed')
    for (const field of ['backoffLimitPerIndex', 'maxFailedIndexes'] as const)
      if (spec[field] !== undefined)
        errors.push(invalidValue(at(field), spec[field], 'requires indexed completion mode'));
  return errors;
}

function validateIndexed(spec: JobSpec, path: string): FieldError[] {
  const { completions, parallelism, maxFailedIndexes, backoffLimitPerIndex } = spec;
  const errors: FieldError[] = [];
  const fault = (field: 'parallelism' | 'maxFailedIndexes', why: string) =>
    errors.push(invalidValue(`${path}.${field}`, spec[field], `must be less than or equal to ${why}`));
  if (completions === undefined) errors.push(required(`${path}.completions`, 'when completion mode is Indexed'));
  if (parallelism !== undefined && parallelism > maxIndexed)
    fault('parallelism', `${maxIndexed} when completion mode is Indexed`);
  if (completions !== undefined && maxFailedIndexes !== undefined && maxFailedIndexes > completions)
    fault('maxFailedIndexes', 'completions');
  if (maxFailedIndexes !== undefined && maxFailedIndexes > maxIndexed) fault('maxFailedIndexes', String(maxIndexed));
  if (completions === undefined || completions <= manyCompletions || backoffLimitPerIndex === undefined) return errors;
  const limit = `${fewerForMany} when completions are above ${manyCompletions} and used with backoff limit per index`;
  if (maxFailedIndexes === undefined)
    errors.push(required(`${path}.maxFailedIndexes`, `must be specified when completions is above ${manyCompletions}`));
  if (parallelism !== undefined && parallelism > fewerForMany) fault('parallelism', limit);
  if (maxFailedIndexes !== undefined && maxFailedIndexes > fewerForMany) fault('maxFailedIndexes', limit);
  return errors;
}

function validateRestartPolicy(spec: JobSpec, path: string): FieldError[] {
  const policy = spec.template?.spec?.restartPolicy as string | undefined;
  const at = `${path}.template.spec.restartPolicy`;
  if (!policy || policy === 'Always') return [required(at, 'valid values: "OnFailure", "Never"')];
  if (policy !== 'OnFailure' && policy !== 'Never') return [notSupported(at, policy, ['OnFailure', 'Never'])];
  return spec.podFailurePolicy && policy !== 'Never'
    ? [invalidValue(at, policy, 'only "Never" is supported when podFailurePolicy is specified')]
    : [];
}

export function validateJobUpdate(next: Job, old: Job): FieldError[] {
  const [spec, before] = [specOf(next), specOf(old)];
  return [
    ...validateJob(next, old),
    // Kubernetes checks the updated spec once more, and lists its faults twice.
    ...validateJobSpec(spec, 'spec'),
    ...validateSelector(spec),
    ...validateCompletions(spec, before),
    ...unchangedSelector(spec.selector, before.selector),
    ...validateTemplateUpdate(next, old),
    ...unchanged('spec.completionMode', spec.completionMode, before.completionMode),
    ...unchangedStruct(
      'spec.podFailurePolicy',
      'batch.PodFailurePolicy',
      spec.podFailurePolicy,
      before.podFailurePolicy,
    ),
    ...unchanged('spec.backoffLimitPerIndex', spec.backoffLimitPerIndex, before.backoffLimitPerIndex),
    ...unchanged('spec.managedBy', spec.managedBy, before.managedBy),
    ...unchangedStruct('spec.successPolicy', 'batch.SuccessPolicy', spec.successPolicy, before.successPolicy),
  ];
}

const immutable = 'field is immutable';

const unchangedStruct = (path: string, type: string, next: unknown, old: unknown): FieldError[] =>
  sameInternal(`*${type}`, next, old) ? [] : [invalidValue(path, internal(`*${type}`, next), immutable)];

/** An indexed job may be scaled, together with its parallelism. */
function validateCompletions(spec: JobSpec, before: JobSpec): FieldError[] {
  const path = 'spec.completions';
  if (spec.completionMode !== 'Indexed') return unchanged(path, spec.completions, before.completions);
  const { completions, parallelism } = spec;
  return completions === before.completions || completions === undefined || completions === parallelism
    ? []
    : [invalidValue(path, completions, 'can only be modified in tandem with spec.parallelism')];
}

const isTrue = (job: Job, type: string): boolean =>
  job.status?.conditions?.some((condition) => condition.type === type && condition.status === 'True') ?? false;

/** While a job is suspended without running pods, the scheduling fields and resources of its template are mutable. */
function validateTemplateUpdate(next: Job, old: Job): FieldError[] {
  const [template, before] = [specOf(next).template, structuredClone(specOf(old).template)];
  const { status, spec } = old;
  const isIdle = must(spec, 'spec').suspend && (!status?.startTime || isTrue(old, 'Suspended')) && !status?.active;
  if (!isIdle) {
    if (sameInternal('core.PodTemplateSpec', template, before)) return [];
    return [invalidValue('spec.template', internal('core.PodTemplateSpec', template), immutable)];
  }
  allowScheduling(template, before);
  for (const field of ['containers', 'initContainers'] as const) {
    const [now, was] = [template.spec?.[field] ?? [], before.spec?.[field] ?? []];
    if (now.length === was.length)
      for (const [index, container] of was.entries())
        if (container.name === now[index].name) copyField(container, now[index], 'resources');
  }
  return sameInternal('core.PodSpec', template.spec, before.spec)
    ? []
    : [invalidValue('spec.template.spec', internal('core.PodSpec', template.spec), immutable)];
}

function copyField<T, K extends keyof T>(to: T, from: T | undefined, field: K): void {
  if (from?.[field] === undefined) delete to[field];
  else to[field] = from[field];
}

function allowScheduling(template: PodTemplateSpec, before: PodTemplateSpec): void {
  const spec = (before.spec ??= { containers: [] });
  for (const field of ['nodeSelector', 'tolerations', 'schedulingGates'] as const)
    copyField(spec, template.spec, field);
  const affinity = { ...spec.affinity };
  copyField(affinity, template.spec?.affinity, 'nodeAffinity');
  if (Object.keys(affinity).length || template.spec?.affinity) spec.affinity = affinity;
  else delete spec.affinity;
}
