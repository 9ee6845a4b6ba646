import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { at, startTestCluster, type TestCluster } from '../shared/test-cluster.ts';

let cluster: TestCluster;
let client: TestCluster['client'];
let clock: TestCluster['clock'];
beforeEach(async () => {
  cluster = await startTestCluster();
  ({ client, clock } = cluster);
});
afterEach(() => cluster.stop());

async function ownedSecret(name: string, owners: { metadata: { name: string; uid: string } }[], blocks = false) {
  return client.create('secrets', {
    metadata: {
      name,
      namespace: 'default',
      ownerReferences: owners.map(({ metadata: { name, uid } }) => ({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        name,
        uid,
        blockOwnerDeletion: blocks,
      })),
    },
  });
}
const configMap = (name: string) => client.create('configmaps', { metadata: { name, namespace: 'default' } });

test('background: dependents go after their owner, and only those that have lost every owner', async () => {
  const [a, b] = [await configMap('a'), await configMap('b')];
  await ownedSecret('of-a', [a]);
  await ownedSecret('of-both', [a, b]);
  await clock.settle();
  await client.delete('configmaps', at('a'), { propagationPolicy: 'Background' });
  await clock.advance(100);
  expect(await cluster.names('secrets', 'default')).toEqual(['of-both']);
  const { ownerReferences } = (await client.get('secrets', at('of-both'))).metadata;
  expect(ownerReferences?.map((owner) => owner.name)).toEqual(['b']);
});

test('foreground: the owner stays until its blocking dependents are gone', async () => {
  const a = await configMap('a');
  const held = await ownedSecret('held', [a], true);
  await client.update('secrets', { ...held, metadata: { ...held.metadata, finalizers: ['test.io/hold'] } });
  await clock.settle();
  await client.delete('configmaps', at('a'), { propagationPolicy: 'Foreground' });
  await clock.advance(100);
  expect((await client.get('configmaps', at('a'))).metadata.finalizers).toEqual(['foregroundDeletion']);
  expect((await client.get('secrets', at('held'))).metadata.deletionTimestamp).toBeDefined();
  await client.patch('secrets', at('held'), { type: 'merge', body: { metadata: { finalizers: null } } });
  await clock.advance(100);
  expect(await cluster.names('configmaps', 'default')).toEqual([]);
});

test('orphan: dependents stay, without the owner', async () => {
  const a = await configMap('a');
  await ownedSecret('orphan', [a]);
  await clock.settle();
  await client.delete('configmaps', at('a'), { propagationPolicy: 'Orphan' });
  await clock.advance(100);
  expect(await cluster.names('configmaps', 'default')).toEqual([]);
  expect((await client.get('secrets', at('orphan'))).metadata.ownerReferences ?? []).toEqual([]);
});

test('a ring of owners does not hold itself up', async () => {
  const maps = [await configMap('r0'), await configMap('r1'), await configMap('r2')];
  for (const [i, map] of maps.entries()) {
    const { name, uid } = maps[(i + 2) % 3].metadata;
    const ownerReferences = [
      { apiVersion: 'v1', kind: 'ConfigMap', name, uid, controller: true, blockOwnerDeletion: true },
    ];
    await client.update('configmaps', { ...map, metadata: { ...map.metadata, ownerReferences } });
  }
  await clock.settle();
  await client.delete('configmaps', at('r0'), { propagationPolicy: 'Foreground' });
  await clock.advance(10_000);
  expect(await cluster.names('configmaps', 'default')).toEqual([]);
});

test('a dependent with an owner that stays, stays, though another owner waits for it', async () => {
  const [a, b] = [await configMap('a'), await configMap('b')];
  await ownedSecret('of-both', [a, b], true);
  await clock.settle();
  await client.delete('configmaps', at('a'), { propagationPolicy: 'Foreground' });
  await clock.advance(1000);
  expect(await cluster.names('configmaps', 'default')).toEqual(['b']);
  const { ownerReferences } = (await client.get('secrets', at('of-both'))).metadata;
  expect(ownerReferences?.map((owner) => owner.name)).toEqual(['b']);
});

test('a dependent of a deleted owner is deleted', async () => {
  await ownedSecret('late', [{ metadata: { name: 'never', uid: '11111111-1111-4111-8111-111111111111' } }]);
  await clock.advance(100);
  expect(await cluster.names('secrets', 'default')).toEqual([]);
});

// https://github.com/kubernetes/enhancements/issues/2336: a wrong reference must not harm other dependents.
describe('a reference that is wrong', () => {
  const dependent = (namespace: string, name: string, owner: object) =>
    client.create('secrets', {
      metadata: { name, namespace, ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', ...owner }] as any },
    });

  test.each<[string, string, object]>([
    ['in its namespace', 'other', {}],
    ['in its kind', 'default', { kind: 'Secret' }],
    ['in its group', 'default', { apiVersion: 'apps/v1', kind: 'Deployment' }],
    ['in its name', 'default', { name: 'other' }],
  ])('%s: its object is deleted, and those with the right one stay', async (_, namespace, wrong) => {
    await client.create('namespaces', { metadata: { name: 'other' } });
    const { name, uid } = (await configMap('a')).metadata;
    await clock.settle();
    await dependent(namespace, 'wrong', { name, uid, ...wrong });
    await clock.advance(1000);
    expect(await cluster.names('secrets', namespace)).toEqual([]);
    await dependent('default', 'right', { name, uid });
    await clock.advance(1000);
    expect(await cluster.names('secrets', 'default')).toEqual(['right']);
  });

  test('a cluster-scoped object of a namespaced owner stays', async () => {
    const { name, uid } = (await configMap('a')).metadata;
    const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name, uid }];
    await client.create('priorityclasses', { metadata: { name: 'p', ownerReferences }, value: 1 });
    await clock.advance(60_000);
    expect((await client.get('priorityclasses', { name: 'p' })).metadata.deletionTimestamp).toBeUndefined();
  });
});
