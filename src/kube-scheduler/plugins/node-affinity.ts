import type { Node, Pod } from '../../api/api.ts';
import { type Plugin, scaleToMax } from '../framework.ts';
import { matchesNodeSelector, matchesTerm } from '../node-selector.ts';

const rejection = { reason: "node(s) didn't match Pod's node affinity/selector", resolvable: false };

const required = (pod: Pod) => pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;

/** nodeSelector and required node affinity: both must hold. */
export function matchesPod(pod: Pod, node: Node): boolean {
  for (const key in pod.spec.nodeSelector) if (node.metadata.labels?.[key] !== pod.spec.nodeSelector[key]) return false;
  const selector = required(pod);
  return !selector || matchesNodeSelector(selector, node);
}

/** https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/ */
export const nodeAffinity: Plugin = {
  name: 'NodeAffinity',
  weight: 2,
  prepareFilter({ pod }) {
    if (!required(pod) && Object.keys(pod.spec.nodeSelector ?? {}).length === 0) return 'skip';
    return { filter: ({ node }) => (matchesPod(pod, node) ? undefined : rejection) };
  },
  prepareScore({ pod }) {
    const preferred = pod.spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    if (preferred.length === 0) return 'skip';
    return {
      score: ({ node }) =>
        preferred.reduce(
          (sum, { weight, preference }) => sum + (weight && matchesTerm(preference, node) ? weight : 0),
          0,
        ),
      normalize: scaleToMax,
    };
  },
  wakes(event, { pod }) {
    if (event.type === 'node-added') return matchesPod(pod, event.node);
    if (event.type === 'node-changed')
      return event.what.includes('labels') && matchesPod(pod, event.node) && !matchesPod(pod, event.old);
    return event.type === 'pod-updated';
  },
};
