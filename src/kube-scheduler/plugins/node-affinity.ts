import { matchesNode, matchesTerm, type Pod } from '../../api/api.ts';
import { type Plugin, scaleToMax } from '../framework.ts';

const rejection = { reason: "node(s) didn't match Pod's node affinity/selector", resolvable: false };

const required = (pod: Pod) => pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;

/** https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/ */
export const nodeAffinity: Plugin = {
  name: 'NodeAffinity',
  weight: 2,
  prepareFilter({ pod }) {
    if (!required(pod) && Object.keys(pod.spec.nodeSelector ?? {}).length === 0) return 'skip';
    return { filter: ({ node }) => (matchesNode(pod.spec, node) ? undefined : rejection) };
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
    if (event.type === 'node-added') return matchesNode(pod.spec, event.node);
    if (event.type === 'node-changed')
      return event.aspects.includes('labels') && matchesNode(pod.spec, event.node) && !matchesNode(pod.spec, event.old);
    return event.type === 'pod-updated';
  },
};
