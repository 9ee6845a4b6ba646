import { afterEach, beforeEach, expect, test } from 'vitest';
import { notFound } from '../api/api.ts';
import type { Tools } from '../client/client.ts';
import { silentLogger } from '../machinery/logger.ts';
import { VirtualClock } from '../machinery/time/clock.ts';
import { startNodes } from './nodes/test-nodes.ts';
import { podgc } from './podgc.ts';
import { startTestCluster, type TestCluster } from './shared/test-cluster.ts';
import { reconcileOnce } from './test-turns.ts';

let cluster: TestCluster;
let client: TestCluster['client'];
let clock: TestCluster['clock'];
beforeEach(async () => {
  cluster = await startTestCluster();
  ({ client, clock } = cluster);
});
afterEach(() => cluster.stop());

test('pods of a deleted node are deleted', async () => {
  const nodes = await startNodes(cluster, 2);
  await nodes.pass(20);
  await client.delete('nodes', { name: 'n0' });
  await clock.advance(100_000);
  expect(await cluster.names('pods', 'default')).toEqual(['p1']);
});

const unscheduled = (name: string) => ({ metadata: { namespace: 'x', name, deletionTimestamp: 'now' }, spec: {} });

test('a pod whose deletion is refused does not delay others', async () => {
  const pods = ['a', 'b', 'c'].map(unscheduled);
  const deleted = await reconcileOnce(podgc(), 'pods', { pods }, ({ name }) => name === 'a');
  expect(deleted.map(({ name }) => name)).toEqual(['b', 'c']);
});

test('30,000 pods that each name another missing node are compared in linear time', async () => {
  const clock = new VirtualClock();
  const pods = Array.from({ length: 30_000 }, (_, i) => ({
    metadata: { namespace: 'x', name: `p${i}`, uid: `u${i}` },
    spec: { nodeName: `n${i}` },
    status: { phase: 'Running' },
  }));
  const lister = (resource: string) => ({ get: () => undefined, list: () => (resource === 'pods' ? pods : []) });
  let deleted = 0;
  const client = {
    get: () => Promise.reject(notFound({ group: '', resource: 'nodes' }, 'n')),
    patch: async () => pods[0],
    delete: async () => void deleted++,
  };
  const tools = { lister, client, clock, logger: silentLogger } as unknown as Tools;
  const controller = podgc();
  await controller.reconcile('pods', tools);
  await clock.advance(41_000);
  const started = process.threadCpuUsage();
  await controller.reconcile('pods', tools);
  expect(deleted).toBe(30_000);
  // Comparing all pods with all nodes takes 5 s and more.
  expect(process.threadCpuUsage(started).user).toBeLessThan(2_000_000);
});
