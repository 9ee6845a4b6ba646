import { afterEach, beforeEach, expect, test } from 'vitest';
import { startNodes } from './nodes/test-nodes.ts';
import { startTestCluster, type TestCluster } from './shared/test-cluster.ts';

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
