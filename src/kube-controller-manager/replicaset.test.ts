import { expect, test } from 'vitest';
import { web, workloads } from './shared/test-workloads.ts';

const cluster = workloads();
const { pods, settle } = cluster;

test('a replica set replaces lost pods, adopts orphans, releases non-matching pods, and deletes the least useful', async () => {
  const { template, selector } = web('one').spec;
  await cluster.client.create('pods', {
    metadata: { name: 'orphan', namespace: 'default', labels: { app: 'web' } },
    spec: template.spec,
  } as any);
  await cluster.clock.settle();
  const spec = { replicas: 3, selector, template };
  const set = await cluster.client.create('replicasets', { metadata: { name: 'set', namespace: 'default' }, spec });
  await cluster.clock.settle();
  const orphan = await cluster.client.get('pods', { namespace: 'default', name: 'orphan' });
  expect(orphan.metadata.ownerReferences).toMatchObject([{ kind: 'ReplicaSet', name: 'set', controller: true }]);
  expect(await pods()).toHaveLength(3);
  await settle();
  await cluster.client.delete('pods', { namespace: 'default', name: 'orphan' });
  await cluster.clock.settle();
  expect(await pods()).toHaveLength(3);
  const fresh = (await pods()).find((pod) => pod.status?.phase !== 'Running');
  await cluster.client.update('replicasets', {
    ...(await cluster.client.get('replicasets', { namespace: 'default', name: 'set' })),
    spec: { ...spec, replicas: 2 },
  });
  await cluster.clock.settle();
  expect((await pods()).map((pod) => pod.metadata.name)).not.toContain(fresh?.metadata.name);
  expect(await pods()).toHaveLength(2);
  const live = await cluster.client.get('replicasets', { namespace: 'default', name: 'set' });
  expect(live.status).toMatchObject({ replicas: 2, readyReplicas: 2, fullyLabeledReplicas: 2 });
  expect(live.metadata.uid).toBe(set.metadata.uid);
});

test('a set that may not make pods reports it, and retries later', async () => {
  const { template, selector } = web('one').spec;
  cluster.server.before = ({ method, path }) => {
    if (method === 'POST' && path.endsWith('/pods')) throw new Error('no quota');
  };
  const spec = { replicas: 3, selector, template };
  await cluster.client.create('replicasets', { metadata: { name: 'set', namespace: 'default' }, spec });
  await cluster.clock.settle();
  const live = await cluster.client.get('replicasets', { namespace: 'default', name: 'set' });
  expect(live.status.conditions).toMatchObject([
    { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: 'no quota' },
  ]);
  cluster.server.before = () => {};
  await cluster.clock.advance(10_000);
  expect(await pods()).toHaveLength(3);
});
