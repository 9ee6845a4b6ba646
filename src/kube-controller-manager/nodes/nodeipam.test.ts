import { afterEach, beforeEach, expect, test } from 'vitest';
import { startTestCluster, type TestCluster } from '../shared/test-cluster.ts';
import { startNodes } from './test-nodes.ts';

let cluster: TestCluster;
let client: TestCluster['client'];
let clock: TestCluster['clock'];
beforeEach(async () => {
  cluster = await startTestCluster();
  ({ client, clock } = cluster);
});
afterEach(() => cluster.stop());

test('nodes get ranges of addresses, and those of deleted nodes are given out again', async () => {
  await startNodes(cluster, 4);
  await clock.settle();
  const ranges = async () => (await client.list('nodes')).items.map((node) => node.spec.podCIDR);
  expect(await ranges()).toEqual(['10.244.0.0/24', '10.244.1.0/24', '10.244.2.0/24', '10.244.3.0/24']);
  await client.delete('nodes', { name: 'n1' });
  await clock.settle();
  await client.create('nodes', { metadata: { name: 'new' } });
  await clock.settle();
  expect((await client.get('nodes', { name: 'new' })).spec.podCIDRs).toEqual(['10.244.1.0/24']);
});
