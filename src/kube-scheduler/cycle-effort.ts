// The scheduler shares a process with the API server: the work for one pod has a bound. It grows with the cluster, so that
// only pods exceed it whose own rules are long, and one pod's rules do not keep others from being scheduled.

import { TooMuchEffort, withEffort } from '../machinery/time/effort.ts';
import type { SchedulerCache } from './cache.ts';
import { CycleError } from './framework.ts';

/** A step compares one rule with one pod or node: less than a microsecond. */
const leastSteps = 300_000;
const stepsOfPod = 20;
/** A score of tolerations, compared with several taints. */
const stepsOfNode = 100;
/** Rules of placed pods about others: all of them are compared with each pod. */
const stepsOfRule = 2;

const stepsFor = ({ nodes, size, affinityRules }: SchedulerCache): number =>
  leastSteps + stepsOfNode * nodes.length + stepsOfPod * size + stepsOfRule * affinityRules;

/** Runs synchronous work for one pod. Throws CycleError if it takes too much. */
export function withinCycle<Result>(cache: SchedulerCache, work: () => Result): Result {
  try {
    return withEffort(stepsFor(cache), work);
  } catch (error) {
    if (!(error instanceof TooMuchEffort)) throw error;
    throw new CycleError(
      "the pod's affinity, topology spread, toleration, port and volume rules take too much work to evaluate",
    );
  }
}

/** Same, with the error as a result. */
export function attempt<Result>(cache: SchedulerCache, work: () => Result): Result | Error {
  try {
    return withinCycle(cache, work);
  } catch (error) {
    return error as Error;
  }
}
