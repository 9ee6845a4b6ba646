import { tolerates } from '../../api/api.ts';
import type { Plugin } from '../framework.ts';

const taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' } as const;
const rejection = { reason: 'node(s) were unschedulable', resolvable: false };

/** Keeps pods off cordoned nodes. */
export const nodeUnschedulable: Plugin = {
  name: 'NodeUnschedulable',
  prepareFilter: ({ pod }) =>
    tolerates(pod.spec.tolerations, taint)
      ? 'skip'
      : { filter: ({ node }) => (node.spec?.unschedulable ? rejection : undefined) },
  wakes: (event) => event.type === 'node-added' || (event.type === 'node-changed' && event.aspects.includes('taints')),
};
