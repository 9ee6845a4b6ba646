// Resource usage of the node and its pods: /stats/summary and /metrics/resource.
// https://kubernetes.io/docs/reference/instrumentation/node-metrics/

import { formatTime, type Pod } from '../../api/api.ts';
import type { ContainerStats, ContainerStatus } from '../../container-runtime/container-runtime.ts';
import type { KubeletTools } from '../tools.ts';
import { Exposition, type FamilyDescription } from './exposition.ts';
import type { InterfaceUsage, NodeUsage } from './node-usage.ts';

export interface PodUsage {
  readonly pod: Pod;
  readonly containers: readonly (ContainerStats & Pick<ContainerStatus, 'startedAt' | 'pid'>)[];
}

/** Running pods with their running containers. */
export async function podUsages(tools: KubeletTools, pods: readonly Pod[]): Promise<PodUsage[]> {
  const all = await tools.runtime.containerStats();
  return pods.flatMap((pod) => {
    const { containers } = tools.cache.get(pod.metadata.uid);
    const own = all.flatMap((stats) => {
      const status = containers.find((c) => c.id === stats.id && c.state === 'running');
      if (!status) return [];
      const { startedAt, pid } = status;
      return [{ ...stats, startedAt, pid }];
    });
    return own.length > 0 ? [{ pod, containers: own }] : [];
  });
}

export const usageOfNode = (tools: KubeletTools, pods: readonly PodUsage[]): Promise<NodeUsage> =>
  tools.machine.meter.usage(pods.flatMap((p) => p.containers));

const sum = (stats: readonly ContainerStats[]) => ({
  cpuNanoseconds: stats.reduce((total, s) => total + s.cpuNanoseconds, 0),
  memoryWorkingSetBytes: stats.reduce((total, s) => total + s.memoryWorkingSetBytes, 0),
  memoryRssBytes: stats.reduce((total, s) => total + s.memoryRssBytes, 0),
});

/** The Summary object (stats/v1alpha1): CPU in nanoseconds so far, memory in bytes. */
export async function statsSummary(tools: KubeletTools, pods: readonly Pod[]): Promise<object> {
  const time = formatTime(tools.clock.now());
  const running = await podUsages(tools, pods);
  const node = await usageOfNode(tools, running);
  const { nodeName } = tools.config;
  const fs = await tools.machine.meter.fileSystem();
  const networks = await Promise.all(running.map((usage) => networkOf(tools, usage)));
  const usage = (stats: readonly ContainerStats[]) => {
    const { cpuNanoseconds, memoryWorkingSetBytes, memoryRssBytes } = sum(stats);
    return {
      cpu: { time, usageCoreNanoSeconds: cpuNanoseconds },
      memory: { time, workingSetBytes: memoryWorkingSetBytes, rssBytes: memoryRssBytes },
    };
  };
  return {
    node: {
      nodeName,
      ...(node.bootedAt > 0 && { startTime: formatTime(node.bootedAt) }),
      cpu: { time, usageCoreNanoSeconds: node.cpuNanoseconds },
      memory: { time, availableBytes: node.memoryAvailableBytes, workingSetBytes: node.memoryWorkingSetBytes },
      ...(fs && { fs: { time, ...fs } }),
    },
    pods: running.map(({ pod, containers }, index) => {
      const { name, namespace, uid } = pod.metadata;
      return {
        podRef: { name, namespace, uid },
        startTime: pod.status?.startTime ?? null,
        containers: containers.map((s) => ({ name: s.name, startTime: formatTime(s.startedAt), ...usage([s]) })),
        ...usage(containers),
        ...networkStats(networks[index], time),
        ...volumesOf(tools, pod),
      };
    }),
  };
}

/** Interfaces of a pod's network; none where it is the node's, or the runtime does not report them. */
export async function networkOf({ machine }: KubeletTools, { pod, containers }: PodUsage): Promise<InterfaceUsage[]> {
  const pid = containers.find((container) => container.pid !== undefined)?.pid;
  if (pod.spec.hostNetwork || pid === undefined) return [];
  return (await machine.meter.network?.(pid)) ?? [];
}

/** In the terms of stats/v1alpha1 NetworkStats: the first interface stands for the pod. */
function networkStats(interfaces: readonly InterfaceUsage[], time: string): { network?: object } {
  const [first] = interfaces;
  if (!first) return {};
  const stats = interfaces.map(({ name, rxBytes, rxErrors, txBytes, txErrors }) => ({
    ...{ name, rxBytes, rxErrors, txBytes, txErrors },
  }));
  return { network: { time, ...stats[0], interfaces: stats } };
}

function volumesOf({ csi }: KubeletTools, pod: Pod): { volume?: object[] } {
  const volume = csi?.stats.summary(pod) ?? [];
  return volume.length > 0 ? { volume } : {};
}

const resourceFamilies: readonly FamilyDescription[] = [
  ['node_cpu_usage_seconds_total', 'counter', '[STABLE] Cumulative cpu time consumed by the node in core-seconds'],
  ['node_memory_working_set_bytes', 'gauge', '[STABLE] Current working set of the node in bytes'],
  [
    'container_cpu_usage_seconds_total',
    'counter',
    '[STABLE] Cumulative cpu time consumed by the container in core-seconds',
  ],
  ['container_memory_working_set_bytes', 'gauge', '[STABLE] Current working set of the container in bytes'],
  ['container_start_time_seconds', 'gauge', '[STABLE] Start time of the container since unix epoch in seconds'],
  ['pod_cpu_usage_seconds_total', 'counter', '[STABLE] Cumulative cpu time consumed by the pod in core-seconds'],
  ['pod_memory_working_set_bytes', 'gauge', '[STABLE] Current working set of the pod in bytes'],
  ['resource_scrape_error', 'gauge', '[STABLE] 1 if there was an error while getting container metrics, 0 otherwise'],
];

/** /metrics/resource, which metrics-server reads. Times are in milliseconds. */
export async function resourceMetrics(tools: KubeletTools, pods: readonly Pod[]): Promise<string> {
  const running = await podUsages(tools, pods);
  const node = await usageOfNode(tools, running);
  const now = Math.round(tools.clock.now());
  const metrics = new Exposition(resourceFamilies);
  metrics.add('node_cpu_usage_seconds_total', {}, node.cpuNanoseconds / 1e9, now);
  metrics.add('node_memory_working_set_bytes', {}, node.memoryWorkingSetBytes, now);
  for (const { pod, containers } of running) {
    const own = { namespace: pod.metadata.namespace ?? '', pod: pod.metadata.name };
    for (const { name, startedAt, ...stats } of containers) {
      const labels = { container: name, ...own };
      metrics.add('container_cpu_usage_seconds_total', labels, stats.cpuNanoseconds / 1e9, now);
      metrics.add('container_memory_working_set_bytes', labels, stats.memoryWorkingSetBytes, now);
      metrics.add('container_start_time_seconds', labels, startedAt / 1000);
    }
    const total = sum(containers);
    metrics.add('pod_cpu_usage_seconds_total', own, total.cpuNanoseconds / 1e9, now);
    metrics.add('pod_memory_working_set_bytes', own, total.memoryWorkingSetBytes, now);
  }
  metrics.add('resource_scrape_error', {}, 0);
  return metrics.text();
}
