import { expect, test } from 'vitest';
import type { Pod } from '../../api/api.ts';
import type { KubeletTools } from '../tools.ts';
import { cadvisorMetrics } from './cadvisor.ts';
import { interfacesOf } from './node-usage.ts';

const resources = { requests: { cpu: '250m' }, limits: { cpu: '1500m', memory: '64Mi' } };
const pod = {
  metadata: { name: 'p', namespace: 'ns', uid: 'u' },
  spec: { containers: [{ name: 'c', image: 'i:1', resources }] },
} as unknown as Pod;
const stats = {
  ...{ id: 'x', name: 'c', cpuNanoseconds: 1_500_000_000, memoryWorkingSetBytes: 1000, memoryRssBytes: 900 },
  ...{ memoryUsageBytes: 1200, writableLayer: { usedBytes: 70 } },
};
const received = { rxBytes: 1, rxPackets: 2, rxErrors: 3, rxDropped: 4 };
const sent = { txBytes: 5, txPackets: 6, txErrors: 7, txDropped: 8 };
const toolsFor = (network?: (pid: number) => Promise<object[]>) =>
  ({
    clock: { now: () => 5000 },
    config: { nodeName: 'n', capacity: { cpuMillis: 2000, memoryBytes: 9000, ephemeralStorageBytes: 0 } },
    machine: { meter: { usage: async () => ({ cpuNanoseconds: 9e9, memoryWorkingSetBytes: 5000 }), network } },
    cache: { get: () => ({ containers: [{ id: 'x', state: 'running', startedAt: 2000, image: 'i:1', pid: 7 }] }) },
    runtime: { containerStats: async () => [stats] },
  }) as unknown as KubeletTools;
const samples = async (tools: KubeletTools, of: Pod = pod) =>
  (await cadvisorMetrics(tools, [of])).split('\n').filter((line) => line !== '' && !line.startsWith('#'));

test('containers, with their limits, under the names that dashboards use', async () => {
  const labels = 'container="c",id="/kubepods/podu/x",image="i:1",name="x",namespace="ns",pod="p"';
  const root = 'container="",id="/",image="",name="",namespace="",pod=""';
  expect(await samples(toolsFor())).toEqual([
    `container_cpu_usage_seconds_total{${root},cpu="total"} 9 5000`,
    `container_cpu_usage_seconds_total{${labels},cpu="total"} 1.5 5000`,
    `container_fs_usage_bytes{${labels},device=""} 70 5000`,
    `container_last_seen{${labels}} 5 5000`,
    `container_memory_rss{${labels}} 900 5000`,
    `container_memory_usage_bytes{${labels}} 1200 5000`,
    `container_memory_working_set_bytes{${root}} 5000 5000`,
    `container_memory_working_set_bytes{${labels}} 1000 5000`,
    'container_scrape_error 0',
    `container_spec_cpu_period{${labels}} 100000 5000`,
    `container_spec_cpu_quota{${labels}} 150000 5000`,
    `container_spec_cpu_shares{${labels}} 256 5000`,
    `container_spec_memory_limit_bytes{${labels}} 67108864 5000`,
    `container_start_time_seconds{${labels}} 2 5000`,
    'machine_cpu_cores 2',
    'machine_memory_bytes 9000',
  ]);
});

test('the network belongs to the pod, and not to one in the network of the node', async () => {
  const tools = toolsFor(async (pid) => (pid === 7 ? [{ name: 'eth0', ...received, ...sent }] : []));
  const labels = 'container="",id="/kubepods/podu",image="",name="",interface="eth0",namespace="ns",pod="p"';
  const network = (lines: string[]) => lines.filter((line) => line.startsWith('container_network_'));
  expect(network(await samples(tools))).toEqual([
    `container_network_receive_bytes_total{${labels}} 1 5000`,
    `container_network_receive_errors_total{${labels}} 3 5000`,
    `container_network_receive_packets_dropped_total{${labels}} 4 5000`,
    `container_network_receive_packets_total{${labels}} 2 5000`,
    `container_network_transmit_bytes_total{${labels}} 5 5000`,
    `container_network_transmit_errors_total{${labels}} 7 5000`,
    `container_network_transmit_packets_dropped_total{${labels}} 8 5000`,
    `container_network_transmit_packets_total{${labels}} 6 5000`,
  ]);
  const onHost = { ...pod, spec: { ...pod.spec, hostNetwork: true } } as Pod;
  expect(network(await samples(tools, onHost))).toEqual([]);
});

test('interfaces as the kernel lists them', () =>
  expect(
    interfacesOf(`Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
  eth0:       1       2    3    4    0     0          0         0        5       6    7    8    0     0       0          0
`),
  ).toEqual([{ name: 'eth0', ...received, ...sent }]));
