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

test('a namespace is emptied, reports its remaining content, and is deleted', async () => {
  await client.create('namespaces', { metadata: { name: 'team' } });
  await clock.settle();
  await client.create('configmaps', { metadata: { name: 'x', namespace: 'team', finalizers: ['test.io/hold'] } });
  await client.create('secrets', { metadata: { name: 's', namespace: 'team' } });
  await client.delete('namespaces', { name: 'team' });
  await clock.advance(1000);
  expect(await cluster.names('secrets', 'team')).toEqual([]);
  const { conditions, phase } = (await client.get('namespaces', { name: 'team' })).status;
  expect(phase).toBe('Terminating');
  expect(conditions?.filter((condition) => condition.status === 'True').map((condition) => condition.message)).toEqual([
    'Some resources are remaining: configmaps. has 1 resource instances',
    'Some content in the namespace has finalizers remaining: test.io/hold in 1 resource instances',
  ]);
  const patch = { type: 'merge', body: { metadata: { finalizers: null } } } as const;
  await client.patch('configmaps', { namespace: 'team', name: 'x' }, patch);
  await clock.advance(6000);
  expect(await cluster.names('namespaces')).toEqual(['default', 'kube-node-lease']);
});

test('a namespace remains while a group version cannot be discovered', async () => {
  await cluster.stop();
  cluster = await startTestCluster({}, async ({ path }) => (path === '/apis/apps/v1' ? { code: 503 } : undefined));
  ({ client, clock } = cluster);
  await client.create('namespaces', { metadata: { name: 'team' } });
  await clock.settle();
  await client.delete('namespaces', { name: 'team' });
  await clock.advance(1000);
  expect((await client.get('namespaces', { name: 'team' })).status.conditions).toContainEqual(
    expect.objectContaining({
      type: 'NamespaceDeletionDiscoveryFailure',
      message:
        'Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: apps/v1: stale GroupVersion discovery: apps/v1',
    }),
  );
});

test('content of several pages is counted whole, and its finalizers are named up to a limit', async () => {
  await client.create('namespaces', { metadata: { name: 'team' } });
  await clock.settle();
  for (let i = 0; i < 1_100; i++) {
    const finalizers = [`test.io/hold-${String(i % 150).padStart(3, '0')}`];
    await client.create('configmaps', { metadata: { name: `c-${i}`, namespace: 'team', finalizers } });
  }
  await client.delete('namespaces', { name: 'team' });
  await clock.advance(1000);
  const { conditions } = (await client.get('namespaces', { name: 'team' })).status;
  const messages = conditions?.filter((condition) => condition.status === 'True').map(({ message }) => message ?? '');
  expect(messages?.[0]).toBe('Some resources are remaining: configmaps. has 1100 resource instances');
  expect(messages?.[1]).toMatch(/: test.io\/hold-000 in 8 resource instances, .*, 50 more$/);
  expect(messages?.[1].split(', ')).toHaveLength(101);
});
