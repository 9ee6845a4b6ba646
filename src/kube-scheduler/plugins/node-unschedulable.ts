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
      : { filter: ({ isCordoned }) => (isCordoned ? rejection : undefined) },
  wakes(event, { pod }) {
    if (event.type === 'node-added') return !event.node.spec?.unschedulable;
    if (event.type === 'node-changed') return event.old.spec?.unschedulable === true && !event.node.spec?.unschedulable;
    return (
      event.type === 'pod-updated' &&
      event.pod.metadata.uid === pod.metadata.uid &&
      tolerates(event.pod.spec.tolerations, taint)
    );
  },
};
