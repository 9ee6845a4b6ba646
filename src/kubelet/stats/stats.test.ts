import { expect, test } from 'vitest';
import type { Pod } from '../../api/api.ts';
import { simulatedMachine } from '../machine/simulated-machine.ts';
import { ownMetrics } from '../server/server.ts';
import type { KubeletTools } from '../tools.ts';
import { cpuOf, memoryOf } from './node-usage.ts';
import { resourceMetrics, statsSummary } from './stats.ts';

test('busy time of the processors, without idle and iowait', () =>
  expect(cpuOf('cpu  100 20 30 4000 500 6 7 8 9 9\ncpu0 1 1 1\nbtime 1700000000\n')).toEqual({
    cpuNanoseconds: 171 * 1e7,
    bootedAt: 1_700_000_000_000,
  }));

test('memory that is in use', () =>
  expect(memoryOf('MemTotal:       1000 kB\nMemFree: 1 kB\nMemAvailable:    400 kB\n')).toEqual({
    memoryWorkingSetBytes: 600 * 1024,
    memoryAvailableBytes: 400 * 1024,
  }));

const pod = {
  metadata: { name: 'p', namespace: 'ns', uid: 'u' },
  spec: { containers: [] },
  status: { startTime: '2026-01-01T00:00:00Z' },
} as unknown as Pod;
const stats = { id: 'x', name: 'c', cpuNanoseconds: 1_500_000_000, memoryWorkingSetBytes: 1000, memoryRssBytes: 900 };
const tools = {
  clock: { now: () => 5000 },
  config: { nodeName: 'n' },
  machine: simulatedMachine({ capacity: { cpuMillis: 0, memoryBytes: 10_000, ephemeralStorageBytes: 0 } }, {}),
  cache: { get: () => ({ containers: [{ id: 'x', state: 'running', startedAt: 2000 }] }) },
  runtime: { containerStats: async () => [stats] },
} as unknown as KubeletTools;

test("a summary has the containers' usage", async () =>
  expect(await statsSummary(tools, [pod])).toMatchObject({
    node: { nodeName: 'n', cpu: { usageCoreNanoSeconds: 1_500_000_000 }, memory: { workingSetBytes: 1000 } },
    pods: [
      {
        podRef: { name: 'p', namespace: 'ns', uid: 'u' },
        containers: [{ name: 'c', startTime: '1970-01-01T00:00:02Z', memory: { rssBytes: 900 } }],
        cpu: { usageCoreNanoSeconds: 1_500_000_000 },
      },
    ],
  }));

test('metrics that metrics-server reads', async () => {
  const text = await resourceMetrics(tools, [pod]);
  expect(text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))).toEqual([
    'node_cpu_usage_seconds_total 1.5 5000',
    'node_memory_working_set_bytes 1000 5000',
    'container_cpu_usage_seconds_total{container="c",namespace="ns",pod="p"} 1.5 5000',
    'container_memory_working_set_bytes{container="c",namespace="ns",pod="p"} 1000 5000',
    'container_start_time_seconds{container="c",namespace="ns",pod="p"} 2',
    'pod_cpu_usage_seconds_total{namespace="ns",pod="p"} 1.5 5000',
    'pod_memory_working_set_bytes{namespace="ns",pod="p"} 1000 5000',
    'resource_scrape_error 0',
  ]);
  expect(text).toContain('# TYPE node_cpu_usage_seconds_total counter\n');
});

test("the API server's metrics are not the kubelet's", () =>
  expect(
    ownMetrics('# HELP apiserver_x X\n# TYPE apiserver_x counter\napiserver_x 1\n# HELP kubelet_y Y\nkubelet_y 2\n'),
  ).toBe('# HELP kubelet_y Y\nkubelet_y 2\n'));
