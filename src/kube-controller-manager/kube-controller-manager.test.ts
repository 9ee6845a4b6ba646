import { afterEach, beforeEach, expect, test } from 'vitest';
import { startKubeControllerManager } from './kube-controller-manager.ts';
import { startTestCluster, type TestCluster } from './shared/test-cluster.ts';

let cluster: TestCluster;
let client: TestCluster['client'];
let clock: TestCluster['clock'];
beforeEach(async () => {
  // The leading manager makes service accounts, not the cluster.
  cluster = await startTestCluster({ disabled: ['serviceaccount'] });
  ({ client, clock } = cluster);
});
afterEach(() => cluster.stop());

test('of two managers one works, and the other takes over at once when that one stops', async () => {
  const { context } = cluster;
  await client.create('namespaces', { metadata: { name: 'kube-system' } });
  const one = await startKubeControllerManager(context, { leaderElection: { identity: 'one' } });
  await clock.advance(100);
  const two = await startKubeControllerManager(context, { leaderElection: { identity: 'two' } });
  await clock.advance(30_000);
  const lease = async () =>
    (await client.get('leases', { namespace: 'kube-system', name: 'kube-controller-manager' })).spec;
  expect((await lease()).holderIdentity).toBe('one');
  await one.stop();
  expect((await lease()).holderIdentity).toBe('');
  await clock.advance(5_000);
  expect(await lease()).toMatchObject({ holderIdentity: 'two', leaseTransitions: 1 });
  await client.create('namespaces', { metadata: { name: 'fresh' } });
  await clock.advance(100);
  await client.get('serviceaccounts', { namespace: 'fresh', name: 'default' });
  await two.stop();
});
