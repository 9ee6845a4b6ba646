import { afterEach, beforeEach, expect, test } from 'vitest';
import { startTestCluster, type TestCluster } from './shared/test-cluster.ts';

let cluster: TestCluster;
let client: TestCluster['client'];
let clock: TestCluster['clock'];
beforeEach(async () => {
  cluster = await startTestCluster();
  ({ client, clock } = cluster);
});
afterEach(() => cluster.stop());

test('an aggregated role is the sum of the roles it selects', async () => {
  const rule = (resource: string) => ({ apiGroups: [''], resources: [resource], verbs: ['get'] });
  const selector = { clusterRoleSelectors: [{ matchLabels: { sum: 'yes' } }] };
  await client.create('clusterroles', { metadata: { name: 'sum' }, aggregationRule: selector, rules: [] });
  await client.create('clusterroles', { metadata: { name: 'part1', labels: { sum: 'yes' } }, rules: [rule('pods')] });
  await client.create('clusterroles', { metadata: { name: 'part2', labels: { sum: 'yes' } }, rules: [rule('nodes')] });
  await clock.advance(100);
  expect((await client.get('clusterroles', { name: 'sum' })).rules).toEqual([rule('pods'), rule('nodes')]);
});
