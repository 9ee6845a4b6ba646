import { defaultPodTemplate } from '../../defaults/pod-spec.ts';
import type { CronJob } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { validateCronJob, validateCronJobUpdate } from '../../validation/batch/cronjob.ts';
import { jobWarnings } from '../../validation/batch/job-warnings.ts';
import { dropDisabledTemplateFields, nameWarnings } from '../../validation/workload.ts';
import { age, containerImages, containerNames, none, selectorText } from '../cells.ts';

export const cronJob: KindBehaviour<CronJob> = {
  podTemplate: 'spec.jobTemplate.spec.template',
  emptyFields: 'validated',
  hasGeneration: true,
  cells: {
    Schedule: (c) => c.spec?.schedule ?? '',
    Timezone: (c) => c.spec?.timeZone ?? none,
    Suspend: (c) => (c.spec?.suspend ? 'True' : 'False'),
    Active: (c) => c.status?.active?.length ?? 0,
    'Last Schedule': (c, now) => (c.status?.lastScheduleTime ? age(c.status.lastScheduleTime, now) : none),
    Containers: (c) => containerNames(c.spec?.jobTemplate?.spec?.template?.spec),
    Images: (c) => containerImages(c.spec?.jobTemplate?.spec?.template?.spec),
    Selector: (c) => selectorText(c.spec?.jobTemplate?.spec?.selector),
  },
  strategy: {
    setDefaults(c) {
      const spec = (c.spec ??= {} as NonNullable<CronJob['spec']>);
      spec.concurrencyPolicy ??= 'Allow';
      spec.suspend ??= false;
      spec.successfulJobsHistoryLimit ??= 3;
      spec.failedJobsHistoryLimit ??= 1;
      defaultPodTemplate(spec.jobTemplate?.spec?.template);
    },
    prepareForCreate: (c) => dropDisabledTemplateFields(templateOf(c)),
    prepareForUpdate: (next, old) => dropDisabledTemplateFields(templateOf(next), templateOf(old)),
    validate: validateCronJob,
    validateUpdate: validateCronJobUpdate,
    warnings: (c, old) => [
      ...nameWarnings(c.metadata, Boolean(old)),
      ...jobWarnings(c, old, c.spec?.jobTemplate?.spec, 'spec.jobTemplate.spec'),
      ...(old && c.spec?.schedule.includes('TZ')
        ? [
            'cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details',
          ]
        : []),
    ],
  },
};

const templateOf = (c: CronJob) => c.spec?.jobTemplate?.spec?.template;
