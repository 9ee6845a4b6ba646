import { type Node, type Pod, type Taint, tolerates } from '../../api/api.ts';
import { spendEffort } from '../../machinery/time/effort.ts';
import { type Plugin, scaleToMax } from '../framework.ts';

const rejection = { reason: 'node(s) had untolerated taint(s)', resolvable: false };
const forbids = (taint: Taint) => taint.effect === 'NoSchedule' || taint.effect === 'NoExecute';

const isTolerated = (tolerations: Pod['spec']['tolerations'], taint: Taint): boolean => {
  spendEffort(tolerations?.length ?? 0);
  return tolerates(tolerations, taint);
};

const isRepelled = (taints: readonly Taint[], { tolerations }: Pod['spec']): boolean =>
  taints.some((taint) => forbids(taint) && !isTolerated(tolerations, taint));

/** Taints and tolerations: NoSchedule and NoExecute filter, PreferNoSchedule counts against a node. */
export const taintToleration: Plugin = {
  name: 'TaintToleration',
  weight: 3,
  prepareFilter({ pod: { spec } }) {
    return {
      filter: ({ taints }) => (taints.length > 0 && isRepelled(taints, spec) ? rejection : undefined),
    };
  },
  prepareScore({ pod: { spec } }, nodes) {
    if (!nodes.some(({ taints }) => taints.some((t) => t.effect === 'PreferNoSchedule'))) return 'skip';
    const tolerations = spec.tolerations?.filter((t) => !t.effect || t.effect === 'PreferNoSchedule');
    return {
      score: ({ taints }) =>
        taints.filter((t) => t.effect === 'PreferNoSchedule' && !isTolerated(tolerations, t)).length,
      normalize: (scores: Float64Array) => scaleToMax(scores, true),
    };
  },
  wakes(event, { pod }) {
    const repels = ({ spec }: Node) => isRepelled(spec?.taints ?? [], pod.spec);
    if (event.type === 'node-added') return !repels(event.node);
    if (event.type === 'node-changed') return repels(event.old) && !repels(event.node);
    return event.type === 'pod-updated' && event.pod.metadata.uid === pod.metadata.uid;
  },
};
