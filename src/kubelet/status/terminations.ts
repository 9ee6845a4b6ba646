// Counts the ends of containers, once each.

import type { PodStatus } from '../../api/api.ts';
import type { Metrics } from '../../machinery/metrics.ts';

const lists = [
  ['initContainerStatuses', 'init_container'],
  ['containerStatuses', 'container'],
  ['ephemeralContainerStatuses', 'ephemeral_container'],
] as const;

/** Gets each new status of a pod, and the one before it. */
export function terminationCounter(metrics: Metrics): (before: PodStatus | undefined, next: PodStatus) => void {
  const total = metrics.counter('kubelet_terminated_containers_total', 'Cumulative number of container terminations.');
  return (before, next) => {
    for (const [list, type] of lists)
      for (const { name, state } of next[list] ?? []) {
        if (!state?.terminated || before?.[list]?.find((c) => c.name === name)?.state?.terminated) continue;
        const { exitCode, reason = '' } = state.terminated;
        total.add(1, { container_type: type, exit_code: String(exitCode), reason });
      }
  };
}
