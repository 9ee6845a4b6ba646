import type { Pod } from '../../api/api.ts';
import { isMirror, isStatic } from '../static-pods/pod-source.ts';

/** The cluster depends on pods of this priority; evicted static pods would not come back. */
const criticalPriority = 2_000_000_000;

export const isCritical = (pod: Pod): boolean =>
  isStatic(pod) || isMirror(pod) || (pod.spec.priority ?? 0) >= criticalPriority;
