// The metrics of the resource managers, with Kubernetes' names.

import type { Metrics } from '../../machinery/metrics.ts';
import type { StaticCpus } from './static-cpus.ts';

export interface ManagerMetrics {
  /** The topology manager admits a pod. */
  aligned(isAdmitted: boolean): void;
  /** A container gets CPUs or memory for itself, or cannot. */
  pinned(resource: 'cpu' | 'memory', isGiven: boolean): void;
}

export function managerMetrics(metrics: Metrics, cpus: StaticCpus | undefined): ManagerMetrics {
  const count = (name: string, help: string) => metrics.counter(`kubelet_${name}`, help).add();
  if (cpus) {
    const own = metrics.gauge(
      'kubelet_cpu_manager_exclusive_cpu_allocation_count',
      'The total number of CPUs exclusively allocated to containers running on this node',
    );
    const shared = metrics.gauge(
      'kubelet_cpu_manager_shared_pool_size_millicores',
      'The size of the shared CPU pool for non-guaranteed QoS pods, in millicores.',
    );
    metrics.onCollect(() => {
      const { exclusive, free } = cpus.counts();
      own.set(exclusive);
      shared.set(free * 1000);
    });
  }
  const pinning = {
    cpu: { name: 'cpu_manager', help: 'The number of cpu core allocations which required pinning' },
    memory: { name: 'memory_manager', help: 'The number of memory pages allocations which required pinning' },
  };
  return {
    aligned(isAdmitted) {
      count(
        'topology_manager_admission_requests_total',
        'The number of admission requests where resources have to be aligned.',
      );
      if (!isAdmitted)
        count(
          'topology_manager_admission_errors_total',
          'The number of admission request failures where resources could not be aligned.',
        );
    },
    pinned(resource, isGiven) {
      const { name, help } = pinning[resource];
      count(`${name}_pinning_requests_total`, `${help}.`);
      if (!isGiven)
        count(`${name}_pinning_errors_total`, `${help}${resource === 'cpu' ? ' failed.' : ' that failed.'}`);
    },
  };
}
