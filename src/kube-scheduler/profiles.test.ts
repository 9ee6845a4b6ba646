// Several profiles from a configuration file, on a simulated cluster.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { startCluster, type TestCluster } from '../testing/testing.ts';

let cluster: TestCluster | undefined;
let directory: string;
afterEach(async () => {
  await cluster?.stop();
  cluster = undefined;
  await rm(directory, { recursive: true });
});

async function start(configuration: object): Promise<TestCluster> {
  directory = await mkdtemp(path.join(os.tmpdir(), 'coracle-scheduler-'));
  const schedulerConfig = path.join(directory, 'scheduler.yaml');
  const head = { apiVersion: 'kubescheduler.config.k8s.io/v1', kind: 'KubeSchedulerConfiguration' };
  await writeFile(schedulerConfig, JSON.stringify({ ...head, ...configuration }));
  return (cluster = await startCluster({ nodes: 3, schedulerConfig }));
}

const addPods = async (schedulerName: string, count: number) => {
  for (let i = 0; i < count; i++)
    await cluster?.client.create('pods', {
      metadata: { name: `${schedulerName}-${i}`, namespace: 'default' },
      spec: { schedulerName, containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: '500m' } } }] },
    } as never);
};
const nodesOf = async (schedulerName: string) => {
  const list = await cluster?.client.list('pods', { namespace: 'default' });
  return (list?.items ?? [])
    .filter(({ spec }) => spec.schedulerName === schedulerName)
    .map(({ spec }) => spec.nodeName);
};
const areAllPlaced = async (name: string) => (await nodesOf(name)).every(Boolean);

test('each profile schedules the pods of its name by its own plugins', async () => {
  const scoringBy = (type: string) => [
    { name: 'NodeResourcesFit', args: { scoringStrategy: { type, resources: [{ name: 'cpu', weight: 1 }] } } },
  ];
  const plugins = { score: { disabled: [{ name: '*' }], enabled: [{ name: 'NodeResourcesFit', weight: 3 }] } };
  const { until } = await start({
    profiles: [
      { schedulerName: 'packing', plugins, pluginConfig: scoringBy('MostAllocated') },
      { schedulerName: 'spreading', plugins, pluginConfig: scoringBy('LeastAllocated') },
      { schedulerName: 'first', plugins: { multiPoint: { disabled: [{ name: 'NodeResourcesFit' }] } } },
    ],
  });
  await addPods('spreading', 3);
  await until(() => areAllPlaced('spreading'));
  expect(new Set(await nodesOf('spreading')).size).toBe(3);
  await addPods('packing', 6);
  await until(() => areAllPlaced('packing'));
  expect(new Set(await nodesOf('packing')).size).toBe(1);
  await addPods('first', 1);
  await until(() => areAllPlaced('first'));
  // There is no profile of the default name any more.
  await addPods('default-scheduler', 1);
  await cluster?.advance(60_000);
  expect(await nodesOf('default-scheduler')).toEqual([undefined]);
});

test('a faulty file stops the start, with all faults', async () => {
  await expect(start({ podInitialBackoffSeconds: 0, percentageOfNodesToScore: 101 })).rejects.toThrow(
    /^--scheduler-config .*scheduler.yaml cannot be used: percentageOfNodesToScore: Invalid value: 101: .*; podInitialBackoffSeconds: /,
  );
});
