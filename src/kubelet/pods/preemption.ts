// Which pods make way for a critical pod that the node has no resources for. Pure.
// https://kubernetes.io/docs/tasks/administer-cluster/guaranteed-scheduling-critical-addon-pods/

import type { Pod } from '../../api/api.ts';
import { isCritical } from '../eviction/critical.ts';
import { qosOf } from '../resources/resources.ts';
import { amountOf } from './amounts.ts';
import type { Refusal, Shortage } from './refusal.ts';

export const preempting = {
  reason: 'Preempting',
  message: 'Preempted in order to admit critical pod',
  disruption: 'Pod was preempted by Kubelet to accommodate a critical pod.',
} as const;

/** `counted`: pods that have their share of the node; those in `running` can be preempted, the others already stop. */
interface Occupants {
  readonly counted: readonly Pod[];
  readonly running: readonly Pod[];
}

/** Replaces a refusal with shortages: the pod waits until others have made way, or no set of pods can. */
export function preemption(
  pod: Pod,
  { counted, running }: Occupants,
  refuse: (others: readonly Pod[]) => Refusal | undefined,
): Refusal | undefined {
  const refusal = refuse(counted);
  if (!refusal?.shortages) return refusal;
  const { reason, message } = refusal;
  const left = refuse(running)?.shortages ?? [];
  const victims = victimsOf(pod, running, left);
  if (victims) return { reason, message, preempts: victims.map(({ metadata }) => metadata.uid) };
  const missing = left.map(({ resource, amount }) => `(res: ${resource}, q: ${amount}), `).join('');
  const why = `error finding a set of pods to preempt: no set of running pods found to reclaim resources: [${missing}]`;
  return {
    reason: 'UnexpectedAdmissionError',
    message: `Unexpected error while attempting to recover from admission failure: preemption: ${why}`,
  };
}

/** As few and as lowly pods as possible; undefined if all of them are not enough. */
function victimsOf(pod: Pod, running: readonly Pod[], shortages: readonly Shortage[]): readonly Pod[] | undefined {
  const candidates = running.filter((other) => other.metadata.uid !== pod.metadata.uid && isBelow(other, pod));
  if (without(shortages, candidates).length > 0) return undefined;
  const [low, middle, high] = ['BestEffort', 'Burstable', 'Guaranteed'].map((qos) =>
    candidates.filter((other) => qosOf(other) === qos),
  );
  const fromHigh = nearest(high, without(shortages, [...low, ...middle]));
  const fromMiddle = nearest(middle, without(shortages, [...low, ...fromHigh]));
  const fromLow = nearest(low, without(shortages, [...fromMiddle, ...fromHigh]));
  return [...fromLow, ...fromMiddle, ...fromHigh];
}

function isBelow(other: Pod, pod: Pod): boolean {
  if (!isCritical(other)) return true;
  const [own, others] = [pod.spec.priority, other.spec.priority];
  return own !== undefined && others !== undefined && own > others;
}

function without(shortages: readonly Shortage[], pods: readonly Pod[]): readonly Shortage[] {
  return shortages
    .map(({ resource, amount }) => ({
      resource,
      amount: amount - pods.reduce((sum, pod) => sum + amountOf(pod, resource), 0),
    }))
    .filter(({ amount }) => amount > 0);
}

/** One pod after the other, each the one that meets most of the shortages that are left. */
function nearest(pods: readonly Pod[], shortages: readonly Shortage[]): readonly Pod[] {
  const left = [...pods];
  const chosen: Pod[] = [];
  for (let missing = shortages; missing.length > 0 && left.length > 0; missing = without(shortages, chosen)) {
    const best = left.reduce((a, b) => (isNearer(b, a, missing) ? b : a));
    left.splice(left.indexOf(best), 1);
    chosen.push(best);
  }
  return chosen;
}

function isNearer(a: Pod, b: Pod, shortages: readonly Shortage[]): boolean {
  const difference = distance(a, shortages) - distance(b, shortages);
  if (difference !== 0) return difference < 0;
  for (const resource of ['memory', 'cpu']) {
    const larger = amountOf(a, resource) - amountOf(b, resource);
    if (larger !== 0) return larger < 0;
  }
  return true;
}

const distance = (pod: Pod, shortages: readonly Shortage[]): number =>
  shortages.reduce((sum, { resource, amount }) => {
    const missing = Math.max(0, amount - amountOf(pod, resource));
    return sum + (missing / amount) ** 2;
  }, 0);
