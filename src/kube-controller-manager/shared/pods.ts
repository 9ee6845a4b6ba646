// What several controllers ask of pods.

import { conditionOf, isPodReady, type Pod, type PodTemplateSpec } from '../../api/api.ts';

/** Restarts of the container that restarted most. */
const maxRestarts = (pod: Pod): number =>
  Math.max(0, ...(pod.status?.containerStatuses ?? []).map((status) => status.restartCount));

/** What of a template goes into a pod as it is. */
export function podFromTemplate(template: PodTemplateSpec): Pick<Pod, 'spec'> & { metadata: Partial<Pod['metadata']> } {
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
 * Orders pods by which should go first when a controller scales down: those that would be missed least. `crowd` is
 * the number of the controller's pods on the same node.
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

/** Ages count by magnitude only, so that among pods of about the same age chance (the uid) decides. */
const logAge = (ms: number): number => Math.floor(Math.log2(Math.max(ms, 0) / 1000 + 1));
