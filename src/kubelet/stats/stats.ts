// Resource usage of the node and its pods: /stats/summary and /metrics/resource.
// https://kubernetes.io/docs/reference/instrumentation/node-metrics/

import { formatTime, type Pod } from '../../api/api.ts';
import type { ContainerStats } from '../../container-runtime/container-runtime.ts';
import { must } from '../../machinery/must.ts';
import type { KubeletTools } from '../tools.ts';
import type { NodeUsage } from './node-usage.ts';

interface PodUsage {
  readonly pod: Pod;
  readonly containers: readonly (ContainerStats & { readonly startedAt: number })[];
}

/** Running pods with their running containers. */
async function podUsages(tools: KubeletTools, pods: readonly Pod[]): Promise<PodUsage[]> {
  const all = await tools.runtime.containerStats();
  return pods.flatMap((pod) => {
    const { containers } = tools.cache.get(pod.metadata.uid);
    const own = all.flatMap((stats) => {
      const status = containers.find((c) => c.id === stats.id && c.state === 'running');
      return status ? [{ ...stats, startedAt: status.startedAt }] : [];
    });
    return own.length > 0 ? [{ pod, containers: own }] : [];
  });
}

const usageOfNode = (tools: KubeletTools, pods: readonly PodUsage[]): Promise<NodeUsage> =>
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
    pods: running.map(({ pod, containers }) => {
      const { name, namespace, uid } = pod.metadata;
      return {
        podRef: { name, namespace, uid },
        startTime: pod.status?.startTime ?? null,
        containers: containers.map((s) => ({ name: s.name, startTime: formatTime(s.startedAt), ...usage([s]) })),
        ...usage(containers),
        ...volumesOf(tools, pod),
      };
    }),
  };
}

function volumesOf({ csi }: KubeletTools, pod: Pod): { volume?: object[] } {
  const volume = csi?.stats.summary(pod) ?? [];
  return volume.length > 0 ? { volume } : {};
}

/** /metrics/resource, which metrics-server reads. Times are in milliseconds. */
export async function resourceMetrics(tools: KubeletTools, pods: readonly Pod[]): Promise<string> {
  const running = await podUsages(tools, pods);
  const node = await usageOfNode(tools, running);
  const now = Math.round(tools.clock.now());
  const families: [name: string, type: string, help: string, samples: string[]][] = [
    ['node_cpu_usage_seconds_total', 'counter', 'Cumulative cpu time consumed by the node in core-seconds', []],
    ['node_memory_working_set_bytes', 'gauge', 'Current working set of the node in bytes', []],
    [
      'container_cpu_usage_seconds_total',
      'counter',
      'Cumulative cpu time consumed by the container in core-seconds',
      [],
    ],
    ['container_memory_working_set_bytes', 'gauge', 'Current working set of the container in bytes', []],
    ['container_start_time_seconds', 'gauge', 'Start time of the container since unix epoch in seconds', []],
    ['pod_cpu_usage_seconds_total', 'counter', 'Cumulative cpu time consumed by the pod in core-seconds', []],
    ['pod_memory_working_set_bytes', 'gauge', 'Current working set of the pod in bytes', []],
    ['resource_scrape_error', 'gauge', '1 if there was an error while getting container metrics, 0 otherwise', []],
  ];
  const add = (name: string, labels: Readonly<Record<string, string>>, value: number, timed = true) => {
    const text = Object.entries(labels).map(([label, of]) => `${label}=${JSON.stringify(of)}`);
    const where = text.length > 0 ? `{${text.join(',')}}` : '';
    must(
      families.find(([each]) => each === name),
      'name',
    )[3].push(`${name}${where} ${value}${timed ? ` ${now}` : ''}`);
  };
  add('node_cpu_usage_seconds_total', {}, node.cpuNanoseconds / 1e9);
  add('node_memory_working_set_bytes', {}, node.memoryWorkingSetBytes);
  for (const { pod, containers } of running) {
    const own = { namespace: pod.metadata.namespace ?? '', pod: pod.metadata.name };
    for (const { name, startedAt, ...stats } of containers) {
      const labels = { container: name, ...own };
      add('container_cpu_usage_seconds_total', labels, stats.cpuNanoseconds / 1e9);
      add('container_memory_working_set_bytes', labels, stats.memoryWorkingSetBytes);
      add('container_start_time_seconds', labels, startedAt / 1000, false);
    }
    const total = sum(containers);
    add('pod_cpu_usage_seconds_total', own, total.cpuNanoseconds / 1e9);
    add('pod_memory_working_set_bytes', own, total.memoryWorkingSetBytes);
  }
  add('resource_scrape_error', {}, 0, false);
  const blocks = families
    .filter(([, , , samples]) => samples.length > 0)
    .map(([name, type, help, samples]) => [
      `# HELP ${name} [STABLE] ${help}`,
      `# TYPE ${name} ${type}`,
      ...samples,
      '',
    ]);
  return blocks.map((lines) => lines.join('\n')).join('');
}
