// Predicates on pods, shared by controllers.

import { conditionOf, isPodReady, type Pod, type PodTemplateSpec } from '../../api/api.ts';

/** Restarts of the container that restarted most. */
const maxRestarts = (pod: Pod): number =>
  Math.max(0, ...(pod.status?.containerStatuses ?? []).map((status) => status.restartCount));

/** A pod to create. */
export type NewPod = Pick<Pod, 'spec'> & { metadata: Partial<Pod['metadata']> };

/** The parts of a template that a pod copies unchanged. */
export function podFromTemplate(template: PodTemplateSpec): NewPod {
  const { labels, annotations, finalizers } = template.metadata ?? {};
  return {
    metadata: {
      ...(labels && { labels }),
      ...(annotations && { annotations }),
      ...(finalizers && { finalizers }),
    },
    spec: template.spec as Pod['spec'],
  };
}

const phaseRank: Record<string, number> = { Pending: 0, Unknown: 1, Running: 2 };
const deletionCostAnnotation = 'controller.kubernetes.io/pod-deletion-cost';

const deletionCost = (pod: Pod): number => Number(pod.metadata.annotations?.[deletionCostAnnotation] ?? 0) || 0;
const millis = (time?: string): number => (time ? Date.parse(time) : 0);

/**
 * The order in which a controller deletes pods when it scales down: least useful first. `crowd` is the number of the
 * controller's pods on the same node.
 * https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#scaling-a-replicaset
 */
export function byDeletion(crowd: (pod: Pod) => number, nowMs: number): (a: Pod, b: Pod) => number {
  const criteria: ((pod: Pod) => number)[] = [
    (pod) => (pod.spec.nodeName ? 1 : 0),
    (pod) => phaseRank[pod.status?.phase ?? ''] ?? 0,
    (pod) => (isPodReady(pod) ? 1 : 0),
    deletionCost,
    (pod) => -crowd(pod),
    (pod) => (isPodReady(pod) ? logAge(nowMs - millis(conditionOf(pod, 'Ready')?.lastTransitionTime)) : 0),
    (pod) => -maxRestarts(pod),
    (pod) => logAge(nowMs - millis(pod.metadata.creationTimestamp)),
  ];
  return (a, b) => {
    for (const criterion of criteria) {
      const difference = criterion(a) - criterion(b);
      if (difference !== 0) return difference;
    }
    return a.metadata.uid < b.metadata.uid ? -1 : 1;
  };
}

/** Ages compare by magnitude only, so that among pods of similar age the random uid decides. */
const logAge = (ms: number): number => Math.floor(Math.log2(Math.max(ms, 0) / 1000 + 1));
