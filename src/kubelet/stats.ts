// What the node and its pods use: /stats/summary.
// https://kubernetes.io/docs/reference/instrumentation/node-metrics/

import { formatTime, type Pod } from '../api/api.ts';
import type { ContainerStats } from '../container-runtime/container-runtime.ts';
import type { KubeletTools } from './tools.ts';

/** The Summary object (stats/v1alpha1): CPU in nanoseconds so far, memory in bytes. */
export async function statsSummary(tools: KubeletTools, pods: readonly Pod[]): Promise<object> {
  const time = formatTime(tools.clock.now());
  const all = await tools.runtime.containerStats();
  const usage = (stats: readonly ContainerStats[]) => ({
    cpu: { time, usageCoreNanoSeconds: stats.reduce((sum, s) => sum + s.cpuNanoseconds, 0) },
    memory: {
      time,
      workingSetBytes: stats.reduce((sum, s) => sum + s.memoryWorkingSetBytes, 0),
      rssBytes: stats.reduce((sum, s) => sum + s.memoryRssBytes, 0),
    },
  });
  return {
    node: { nodeName: tools.config.nodeName, ...usage(all) },
    pods: pods.map((pod) => {
      const ids = new Set(tools.cache.get(pod.metadata.uid).sandboxes.map((s) => s.id));
      const own = all.filter((s) => ids.has(s.sandboxId));
      const { name, namespace, uid } = pod.metadata;
      return {
        podRef: { name, namespace, uid },
        ...usage(own),
        containers: own.map((s) => ({ name: s.name, ...usage([s]) })),
      };
    }),
  };
}
