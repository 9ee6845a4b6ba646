// How long containers may take to end.

import type { Pod } from '../../api/api.ts';
import { containerNamed, type KillContainer } from './pod-actions.ts';

/** Left after a preStop hook that took all of the grace, and for pods that the API no longer has. */
export const shortestGraceSeconds = 2;

export const graceOf = (pod: Pod): number =>
  Number(pod.metadata.deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30);

/** Grace of a container that is to be restarted: a probe may have its own. */
export function killGrace(pod: Pod, { name, reason }: KillContainer): number {
  if (reason === 'Changed' || reason === 'Resize') return graceOf(pod);
  const probe = reason === 'Unhealthy' ? 'livenessProbe' : 'startupProbe';
  return Number(containerNamed(pod, name)?.[probe]?.terminationGracePeriodSeconds ?? graceOf(pod));
}
