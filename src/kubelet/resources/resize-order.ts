// The order in which deferred resizes are tried again, as Kubernetes': priority, QoS class, then the longest wait.

import { conditionOf, type Pod } from '../../api/api.ts';
import { qosOf } from './resources.ts';

const classes = ['Guaranteed', 'Burstable', 'BestEffort'];

const deferredAt = (pod: Pod): number =>
  Date.parse(conditionOf(pod, 'PodResizePending')?.lastTransitionTime ?? '') || 0;

export const byResizeOrder = (a: Pod, b: Pod): number =>
  (b.spec.priority ?? 0) - (a.spec.priority ?? 0) ||
  classes.indexOf(qosOf(a)) - classes.indexOf(qosOf(b)) ||
  deferredAt(a) - deferredAt(b);
