import type { Pod } from '../api/api.ts';

/** The address of an ended pod may belong to another one. */
const hasEnded = ({ status }: Pod): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed';

export const isOnPodNetwork = (pod: Pod): boolean => !pod.spec.hostNetwork && !hasEnded(pod);

export function addressesOf({ status }: Pod): readonly string[] {
  if (status?.podIPs?.length) return status.podIPs.map(({ ip }) => ip);
  return status?.podIP ? [status.podIP] : [];
}
