import { labelValueFaults } from '../../../machinery/text/names.ts';
import { humanDuration } from '../../../machinery/time/duration.ts';
import { defaultPodTemplate } from '../../defaults/pod-spec.ts';
import type { Job, JobSpec, ObjectMeta, PodTemplateSpec } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { specOf } from '../../spec-of.ts';
import { parseTime } from '../../time.ts';
import { validateJob, validateJobUpdate } from '../../validation/batch/job.ts';
import { validateJobStatus } from '../../validation/batch/job-status.ts';
import { jobWarnings } from '../../validation/batch/job-warnings.ts';
import { dropDisabledTemplateFields, nameWarnings } from '../../validation/workload.ts';
import { templateCells } from '../cells.ts';

const condition = (job: Job, type: string) =>
  job.status?.conditions?.some((c) => c.type === type && c.status === 'True') ?? false;

export const job: KindBehaviour<Job> = {
  podTemplate: 'spec.template',
  hasGeneration: true,
  emptyFields: 'validated',
  cells: {
    Status: (j) => {
      if (condition(j, 'Complete')) return 'Complete';
      if (condition(j, 'Failed')) return 'Failed';
      if (j.metadata.deletionTimestamp) return 'Terminating';
      if (condition(j, 'Suspended')) return 'Suspended';
      if (condition(j, 'FailureTarget')) return 'FailureTarget';
      if (condition(j, 'SuccessCriteriaMet')) return 'SuccessCriteriaMet';
      return 'Running';
    },
    Completions: (j) => {
      const done = j.status?.succeeded ?? 0;
      if (j.spec?.completions !== undefined) return `${done}/${j.spec.completions}`;
      const parallelism = j.spec?.parallelism ?? 0;
      return parallelism > 1 ? `${done}/1 of ${parallelism}` : `${done}/1`;
    },
    Duration: (j, now) => {
      const start = j.status?.startTime ? parseTime(j.status.startTime) : undefined;
      if (start === undefined) return '';
      const end = j.status?.completionTime ? parseTime(j.status.completionTime) : undefined;
      return humanDuration((end ?? now) - start);
    },
    ...templateCells,
  },
  selectableFields: { 'status.successful': (j) => String(j.status?.succeeded ?? 0) },
  strategy: {
    defaultPropagation: 'orphan',
    deletionWarnings: ({ propagationPolicy, orphanDependents }) =>
      propagationPolicy || orphanDependents !== undefined
        ? []
        : [
            'child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning',
          ],
    setDefaults(j) {
      defaultJobSpec((j.spec ??= {} as JobSpec));
      if (j.spec.template?.metadata?.labels && !Object.keys(j.metadata.labels ?? {}).length)
        // A shared object: later labels of the template apply to the job too.
        j.metadata.labels = j.spec.template.metadata.labels;
    },
    prepareForCreate(j) {
      generateSelector(j);
      dropDisabledTemplateFields(j.spec?.template);
    },
    prepareForUpdate: (next, old) => dropDisabledTemplateFields(next.spec?.template, old.spec?.template),
    validate: (j) => validateJob(j),
    metadataOnUpdate: ['whole', 'change'],
    validateUpdate: validateJobUpdate,
    warnings: (j, old) => [...nameWarnings(j.metadata, Boolean(old)), ...jobWarnings(j, old, j.spec)],
    subresources: { status: { validateUpdate: validateJobStatus } },
  },
};

function defaultJobSpec(spec: JobSpec): void {
  if (spec.completions === undefined && spec.parallelism === undefined) {
    spec.completions = 1;
    spec.parallelism = 1;
  }
  spec.parallelism ??= 1;
  if (spec.backoffLimit === undefined) spec.backoffLimit = spec.backoffLimitPerIndex === undefined ? 6 : 2 ** 31 - 1;
  spec.completionMode ??= 'NonIndexed';
  spec.suspend ??= false;
  spec.podReplacementPolicy ??= spec.podFailurePolicy ? 'Failed' : 'TerminatingOrFailed';
  spec.manualSelector ??= false;
  for (const rule of spec.podFailurePolicy?.rules ?? [])
    for (const pattern of rule.onPodConditions ?? []) pattern.status ||= 'True';
  defaultPodTemplate(spec.template);
}

/** The generated selector matches the job's uid, unless manualSelector is set. */
function generateSelector(j: Job): void {
  const spec = specOf(j);
  if (spec.manualSelector) return;
  const template = (spec.template ??= {} as PodTemplateSpec);
  const metadata = (template.metadata ??= {} as ObjectMeta);
  const isShared = j.metadata.labels !== undefined && j.metadata.labels === metadata.labels;
  const labels = (metadata.labels ??= {});
  for (const label of ['batch.kubernetes.io/controller-uid', 'controller-uid']) labels[label] ??= j.metadata.uid;
  for (const label of ['batch.kubernetes.io/job-name', 'job-name']) labels[label] ??= j.metadata.name ?? '';
  const selector = (spec.selector ??= {});
  (selector.matchLabels ??= {})['batch.kubernetes.io/controller-uid'] ??= j.metadata.uid;
  // Kubernetes applies its defaults again when it has stored the object: the template has labels by then. So validation
  // does not see them as labels of the job, and reports a name that is no label value for the template alone.
  const hasNone = !Object.keys(j.metadata.labels ?? {}).length;
  if (isShared || (hasNone && labelValueFaults(j.metadata.name ?? '').length === 0)) j.metadata.labels = { ...labels };
}
