import { isPodTerminal, type Pod } from '../api/api.ts';

/** The address of an ended pod may belong to another one. */
export const isOnPodNetwork = (pod: Pod): boolean => !pod.spec.hostNetwork && !isPodTerminal(pod);

export function addressesOf({ status }: Pod): readonly string[] {
  if (status?.podIPs?.length) return status.podIPs.map(({ ip }) => ip);
  return status?.podIP ? [status.podIP] : [];
}
