import { isPodTerminal, type Pod } from '../../api/api.ts';

/** Whether the pod runs no more, or never will: it needs no devices. */
export const isPodDone = (pod: Pod): boolean =>
  isPodTerminal(pod) || (pod.metadata.deletionTimestamp !== undefined && !pod.spec.nodeName);
