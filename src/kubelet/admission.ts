// The node's last word on a pod that was bound to it.
// https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/

import type { Container, Pod } from '../api/api.ts';
import type { KubeletConfig } from './config.ts';
import { bytes, milli } from './resources.ts';
import { allocatableOf } from './start-container.ts';

const isActive = (pod: Pod) => pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed';

/** Why the node cannot take the pod, in Kubernetes' words; undefined when it can. */
export function refuse(
  pod: Pod,
  others: readonly Pod[],
  config: KubeletConfig,
): { reason: string; message: string } | undefined {
  const active = others.filter((other) => other.metadata.uid !== pod.metadata.uid && isActive(other));
  if (active.length + 1 > config.maxPods)
    return { reason: 'OutOfpods', message: insufficient('pods', 1, active.length, config.maxPods) };
  const capacity = allocatableOf({ config });
  const checks = [
    { name: 'cpu', of: (p: Pod) => requested(p, 'cpu'), capacity: capacity.cpuMillis },
    { name: 'memory', of: (p: Pod) => requested(p, 'memory'), capacity: capacity.memoryBytes },
  ];
  for (const check of checks) {
    const wanted = check.of(pod);
    const used = active.reduce((sum, other) => sum + check.of(other), 0);
    if (wanted > 0 && used + wanted > check.capacity)
      return { reason: `OutOf${check.name}`, message: insufficient(check.name, wanted, used, check.capacity) };
  }
  return undefined;
}

const insufficient = (resource: string, requested: number, used: number, capacity: number) =>
  `Node didn't have enough resource: ${resource}, requested: ${requested}, used: ${used}, capacity: ${capacity}`;

/** Containers together, or the largest init container, whichever is more; sidecars count with the containers. */
function requested(pod: Pod, resource: 'cpu' | 'memory'): number {
  const of = (container: Container) => {
    const value = container.resources?.requests?.[resource];
    return resource === 'cpu' ? milli(value) : bytes(value);
  };
  const sum = (list: readonly Container[]) => list.reduce((total, c) => total + of(c), 0);
  const sidecars = (pod.spec.initContainers ?? []).filter((c) => c.restartPolicy === 'Always');
  const inits = (pod.spec.initContainers ?? []).filter((c) => c.restartPolicy !== 'Always');
  return Math.max(sum(pod.spec.containers) + sum(sidecars), ...inits.map((c) => of(c) + sum(sidecars)));
}
