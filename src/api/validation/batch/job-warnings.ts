import type { JobSpec } from '../../generated/types.ts';
import type { ApiObject } from '../../kind.ts';
import { templateWarnings } from '../workload.ts';

const manyCompletions = 100_000;
const manyPods = 10_000;

/** Warnings for a job, or for the jobs of a CronJob, when it is new or has changed. */
export function jobWarnings(
  next: ApiObject,
  old: ApiObject | undefined,
  spec: JobSpec | undefined,
  path = 'spec',
): string[] {
  if (old && next.metadata.generation === old.metadata.generation) return [];
  const { completionMode, completions = 0, parallelism = 0 } = spec ?? {};
  return [
    ...(completionMode === 'Indexed' && completions > manyCompletions && parallelism > manyPods
      ? [
          `${path}: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail`,
        ]
      : []),
    ...templateWarnings(next, old, spec?.template, `${path}.template`),
  ];
}
