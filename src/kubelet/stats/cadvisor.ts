// /metrics/cadvisor: usage of containers and pods under cAdvisor's names, which dashboards and alerts of Kubernetes use.
// https://github.com/google/cadvisor/blob/master/docs/storage/prometheus.md

import type { Pod } from '../../api/api.ts';
import { milliValue, wholeValue } from '../../machinery/quantity.ts';
import { allContainers } from '../pods/pod-actions.ts';
import type { KubeletTools } from '../tools.ts';
import { Exposition, type FamilyDescription } from './exposition.ts';
import type { InterfaceUsage } from './node-usage.ts';
import { networkOf, type PodUsage, podUsages, usageOfNode } from './stats.ts';

const families: readonly FamilyDescription[] = [
  ['container_cpu_usage_seconds_total', 'counter', 'Cumulative cpu time consumed in seconds.'],
  ['container_fs_usage_bytes', 'gauge', 'Number of bytes that are consumed by the container on this filesystem.'],
  ['container_last_seen', 'gauge', 'Last time a container was seen by the exporter'],
  ['container_memory_rss', 'gauge', 'Size of RSS in bytes.'],
  [
    'container_memory_usage_bytes',
    'gauge',
    'Current memory usage in bytes, including all memory regardless of when it was accessed',
  ],
  ['container_memory_working_set_bytes', 'gauge', 'Current working set in bytes.'],
  ['container_network_receive_bytes_total', 'counter', 'Cumulative count of bytes received'],
  ['container_network_receive_errors_total', 'counter', 'Cumulative count of errors encountered while receiving'],
  ['container_network_receive_packets_dropped_total', 'counter', 'Cumulative count of packets dropped while receiving'],
  ['container_network_receive_packets_total', 'counter', 'Cumulative count of packets received'],
  ['container_network_transmit_bytes_total', 'counter', 'Cumulative count of bytes transmitted'],
  ['container_network_transmit_errors_total', 'counter', 'Cumulative count of errors encountered while transmitting'],
  [
    'container_network_transmit_packets_dropped_total',
    'counter',
    'Cumulative count of packets dropped while transmitting',
  ],
  ['container_network_transmit_packets_total', 'counter', 'Cumulative count of packets transmitted'],
  ['container_scrape_error', 'gauge', '1 if there was an error while getting container metrics, 0 otherwise'],
  ['container_spec_cpu_period', 'gauge', 'CPU period of the container.'],
  ['container_spec_cpu_quota', 'gauge', 'CPU quota of the container.'],
  ['container_spec_cpu_shares', 'gauge', 'CPU share of the container.'],
  ['container_spec_memory_limit_bytes', 'gauge', 'Memory limit for the container.'],
  ['container_start_time_seconds', 'gauge', 'Start time of the container since unix epoch in seconds.'],
  ['machine_cpu_cores', 'gauge', 'Number of logical CPU cores.'],
  ['machine_memory_bytes', 'gauge', 'Amount of memory installed on the machine.'],
];

/** Microseconds, as the kubelet sets it. */
const cpuPeriod = 100_000;
const leastShares = 2;

/** CPU in seconds, memory in bytes; times of samples are in milliseconds. */
export async function cadvisorMetrics(tools: KubeletTools, pods: readonly Pod[]): Promise<string> {
  const running = await podUsages(tools, pods);
  const node = await usageOfNode(tools, running);
  const networks = await Promise.all(running.map((usage) => networkOf(tools, usage)));
  const now = Math.round(tools.clock.now());
  const metrics = new Exposition(families);
  const { capacity } = tools.config;
  metrics.add('machine_cpu_cores', {}, capacity.cpuMillis / 1000);
  metrics.add('machine_memory_bytes', {}, capacity.memoryBytes);
  const root = { container: '', id: '/', image: '', name: '', namespace: '', pod: '' };
  metrics.add('container_cpu_usage_seconds_total', { ...root, cpu: 'total' }, node.cpuNanoseconds / 1e9, now);
  metrics.add('container_memory_working_set_bytes', root, node.memoryWorkingSetBytes, now);
  for (const [index, usage] of running.entries()) addPod(metrics, usage, networks[index], now);
  metrics.add('container_scrape_error', {}, 0);
  return metrics.text();
}

function addPod(
  metrics: Exposition,
  { pod, containers }: PodUsage,
  interfaces: readonly InterfaceUsage[],
  now: number,
) {
  const { namespace = '', name, uid } = pod.metadata;
  const ofPod = { namespace, pod: name };
  for (const container of containers) {
    const image = allContainers(pod).find((of) => of.name === container.name)?.image ?? '';
    const place = { id: `/kubepods/pod${uid}/${container.id}`, image, name: container.id };
    const labels = { container: container.name, ...place, ...ofPod };
    metrics.add('container_cpu_usage_seconds_total', { ...labels, cpu: 'total' }, container.cpuNanoseconds / 1e9, now);
    metrics.add('container_memory_working_set_bytes', labels, container.memoryWorkingSetBytes, now);
    metrics.add('container_memory_rss', labels, container.memoryRssBytes, now);
    metrics.add(
      'container_memory_usage_bytes',
      labels,
      container.memoryUsageBytes ?? container.memoryWorkingSetBytes,
      now,
    );
    metrics.add('container_start_time_seconds', labels, container.startedAt / 1000, now);
    metrics.add('container_last_seen', labels, Math.floor(now / 1000), now);
    const { writableLayer } = container;
    if (writableLayer && 'usedBytes' in writableLayer)
      metrics.add('container_fs_usage_bytes', { ...labels, device: '' }, writableLayer.usedBytes, now);
    addSpec(metrics, pod, container.name, labels, now);
  }
  const labels = { container: '', id: `/kubepods/pod${uid}`, image: '', name: '' };
  for (const of of interfaces)
    for (const [direction, bytes, packets, errors, dropped] of [
      ['receive', of.rxBytes, of.rxPackets, of.rxErrors, of.rxDropped],
      ['transmit', of.txBytes, of.txPackets, of.txErrors, of.txDropped],
    ] as const)
      for (const [counter, value] of Object.entries({ bytes, packets, errors, packets_dropped: dropped })) {
        const family = `container_network_${direction}_${counter}_total`;
        metrics.add(family, { ...labels, interface: of.name, ...ofPod }, value, now);
      }
}

/** The limits that the container has now. */
function addSpec(
  metrics: Exposition,
  pod: Pod,
  name: string,
  labels: Readonly<Record<string, string>>,
  now: number,
): void {
  const ofName = (container: { readonly name: string }) => container.name === name;
  const { requests = {}, limits = {} } =
    pod.status?.containerStatuses?.find(ofName)?.resources ?? allContainers(pod).find(ofName)?.resources ?? {};
  const cores = (quantity: string) => milliValue(quantity) / 1000;
  metrics.add('container_spec_cpu_period', labels, cpuPeriod, now);
  if (limits['cpu']) metrics.add('container_spec_cpu_quota', labels, Math.round(cores(limits['cpu']) * cpuPeriod), now);
  const shares = Math.floor(cores(requests['cpu'] ?? limits['cpu'] ?? '0') * 1024);
  metrics.add('container_spec_cpu_shares', labels, Math.max(leastShares, shares), now);
  metrics.add('container_spec_memory_limit_bytes', labels, wholeValue(limits['memory'] ?? '0'), now);
}
