// Which successes of an Indexed Job are enough: spec.successPolicy.
// https://kubernetes.io/docs/concepts/workloads/controllers/job/#success-policy

import type { Job } from '../../api/api.ts';
import { countCommon, countIndexes, type Indexes, parseIndexes } from './indexes.ts';

/** The number of the first rule that the succeeded indexes meet. */
export function matchedSuccessRule({ spec }: Job, succeeded: Indexes): number | undefined {
  if (succeeded.length === 0) return undefined;
  const found = (spec.successPolicy?.rules ?? []).findIndex(({ succeededIndexes, succeededCount }) => {
    if (succeededIndexes === undefined)
      return succeededCount !== undefined && countIndexes(succeeded) >= succeededCount;
    const wanted = parseIndexes(succeededIndexes, spec.completions ?? 0);
    const met = countCommon(wanted, succeeded);
    return (
      wanted.length > 0 && (met === countIndexes(wanted) || (succeededCount !== undefined && met >= succeededCount))
    );
  });
  return found < 0 ? undefined : found;
}
