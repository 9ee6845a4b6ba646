import { afterEach, beforeEach, expect, test } from 'vitest';
import { at, selector, startTestCluster, type TestCluster, template } from './shared/test-cluster.ts';

let cluster: TestCluster;
let client: TestCluster['client'];
let clock: TestCluster['clock'];
beforeEach(async () => {
  cluster = await startTestCluster();
  ({ client, clock } = cluster);
});
afterEach(() => cluster.stop());

test('a disruption budget follows its pods', async () => {
  const spec = { replicas: 4, selector, template: template('one') };
  await client.create('replicasets', { metadata: { name: 'r', namespace: 'default' }, spec } as any);
  const budget = { maxUnavailable: '50%', selector };
  await client.create('poddisruptionbudgets', { metadata: { name: 'b', namespace: 'default' }, spec: budget } as any);
  await clock.settle();
  const read = async () => (await client.get('poddisruptionbudgets', at('b'))).status;
  expect(await read()).toMatchObject({ expectedPods: 4, desiredHealthy: 2, currentHealthy: 0, disruptionsAllowed: 0 });
  await cluster.runPods();
  expect(await read()).toMatchObject({
    expectedPods: 4,
    currentHealthy: 4,
    disruptionsAllowed: 2,
    conditions: [{ type: 'DisruptionAllowed', status: 'True', reason: 'SufficientPods' }],
  });
});
