// The taints for a node's problems, and the tolerations of pods.
// https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/

import { conditionOf, type Node, type Pod, type Taint, tolerates } from '../../api/api.ts';
import { timestamp } from '../../client/client.ts';

export const notReadyTaint = 'node.kubernetes.io/not-ready';
export const unreachableTaint = 'node.kubernetes.io/unreachable';
const unschedulableTaint = 'node.kubernetes.io/unschedulable';

/** Condition, the status in which it taints, and the taint. */
const taintOfCondition: readonly [type: string, status: string, taint: string][] = [
  ['Ready', 'False', notReadyTaint],
  ['Ready', 'Unknown', unreachableTaint],
  ['MemoryPressure', 'True', 'node.kubernetes.io/memory-pressure'],
  ['DiskPressure', 'True', 'node.kubernetes.io/disk-pressure'],
  ['NetworkUnavailable', 'True', 'node.kubernetes.io/network-unavailable'],
  ['PIDPressure', 'True', 'node.kubernetes.io/pid-pressure'],
];
const conditionTaints = new Set([...taintOfCondition.map(([, , taint]) => taint), unschedulableTaint]);

/** The node's taints with the NoSchedule taints of its conditions; the same array without a change. */
export function withConditionTaints(node: Node, nowMs: number): readonly Taint[] {
  const taints = node.spec.taints ?? [];
  const wanted = new Set(
    taintOfCondition.flatMap(([type, status, taint]) => (conditionOf(node, type)?.status === status ? [taint] : [])),
  );
  if (node.spec.unschedulable) wanted.add(unschedulableTaint);
  const isOurs = (taint: Taint) => taint.effect === 'NoSchedule' && conditionTaints.has(taint.key);
  const missing = [...wanted].filter((key) => !taints.some((taint) => isOurs(taint) && taint.key === key));
  const kept = taints.filter((taint) => !isOurs(taint) || wanted.has(taint.key));
  if (missing.length === 0 && kept.length === taints.length) return taints;
  const timeAdded = timestamp(nowMs);
  return [...kept, ...missing.map((key) => ({ key, effect: 'NoSchedule' as const, timeAdded }))];
}

/** The taints with NoExecute for the given reason instead of for any other; without a reason, for none. */
export function withNoExecute(node: Node, key: string | undefined, nowMs: number): readonly Taint[] {
  const taints = node.spec.taints ?? [];
  const isOurs = (taint: Taint) =>
    taint.effect === 'NoExecute' && (taint.key === notReadyTaint || taint.key === unreachableTaint);
  const kept = taints.filter((taint) => !isOurs(taint) || taint.key === key);
  const missing = key !== undefined && !kept.some(isOurs);
  if (!missing && kept.length === taints.length) return taints;
  return missing ? [...kept, { key: key as string, effect: 'NoExecute' as const, timeAdded: timestamp(nowMs) }] : kept;
}

/**
 * Seconds that the pod may stay on a node with these NoExecute taints: Infinity without a limit, 0 if it does not
 * tolerate one of them.
 */
export function toleratedSeconds(pod: Pod, taints: readonly Taint[]): number {
  let shortest = Number.POSITIVE_INFINITY;
  for (const taint of taints) {
    const tolerations = (pod.spec.tolerations ?? []).filter((toleration) => tolerates([toleration], taint));
    if (tolerations.length === 0) return 0;
    for (const { tolerationSeconds } of tolerations)
      if (tolerationSeconds !== undefined) shortest = Math.min(shortest, Math.max(0, Number(tolerationSeconds)));
  }
  return shortest;
}
