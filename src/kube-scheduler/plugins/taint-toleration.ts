import { type Taint, tolerates } from '../../api/api.ts';
import { type Plugin, scaleToMax } from '../framework.ts';

const rejection = { reason: 'node(s) had untolerated taint(s)', resolvable: false };
const forbids = (taint: Taint) => taint.effect === 'NoSchedule' || taint.effect === 'NoExecute';

/** Taints and tolerations: NoSchedule and NoExecute filter, PreferNoSchedule counts against a node. */
export const taintToleration: Plugin = {
  name: 'TaintToleration',
  weight: 3,
  prepareFilter({ pod: { spec } }) {
    return {
      filter({ node }) {
        const { taints } = node.spec ?? {};
        if (!taints) return undefined;
        for (const taint of taints) if (forbids(taint) && !tolerates(spec.tolerations, taint)) return rejection;
        return undefined;
      },
    };
  },
  prepareScore({ pod: { spec } }, nodes) {
    if (!nodes.some(({ node }) => node.spec?.taints?.some((t) => t.effect === 'PreferNoSchedule'))) return 'skip';
    const tolerations = spec.tolerations?.filter((t) => !t.effect || t.effect === 'PreferNoSchedule');
    return {
      score: ({ node }) =>
        node.spec?.taints?.filter((t) => t.effect === 'PreferNoSchedule' && !tolerates(tolerations, t)).length ?? 0,
      normalize: (scores: Float64Array) => scaleToMax(scores, true),
    };
  },
  wakes: (event) =>
    event.type === 'node-added' ||
    (event.type === 'node-changed' && event.aspects.includes('taints')) ||
    event.type === 'pod-updated',
};
