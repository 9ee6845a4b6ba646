import { isPodTerminal, type Pod } from '../../api/api.ts';

/** Whether the pod has ended, or will never run, so that it needs no devices. */
export const isPodDone = (pod: Pod): boolean =>
  isPodTerminal(pod) || (pod.metadata.deletionTimestamp !== undefined && !pod.spec.nodeName);
