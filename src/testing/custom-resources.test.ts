import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isNotFound } from '../api/api.ts';
import { startCluster, type TestCluster } from './testing.ts';

/** Generic controllers with custom resources, in a complete cluster. */

const lamps = { group: 'test.example', version: 'v1', resource: 'lamps', namespaced: true } as const;

const definition = (versions: readonly string[] = ['v1']) => ({
  metadata: { name: 'lamps.test.example' },
  spec: {
    group: 'test.example',
    scope: 'Namespaced' as const,
    names: { plural: 'lamps', kind: 'Lamp' },
    versions: versions.map((name, index) => ({
      name,
      served: true,
      storage: index === 0,
      schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
    })),
  },
});
const lamp = (name: string, namespace: string, metadata: object = {}) => ({
  apiVersion: 'test.example/v1',
  kind: 'Lamp',
  metadata: { name, namespace, ...metadata },
  spec: { colour: 'red' },
});

let cluster: TestCluster;
const namespaced = (name: string) => cluster.client.create('namespaces', { metadata: { name } });
const gone = (resource: Parameters<TestCluster['client']['get']>[0], name: object) => () =>
  cluster.client.get(resource, name as never).then(
    () => false,
    (error) => isNotFound(error) || Promise.reject(error),
  );

beforeAll(async () => {
  cluster = await startCluster({ nodes: 1 });
  await cluster.client.create('customresourcedefinitions', definition() as never);
  await cluster.until(() =>
    cluster.client.list(lamps).then(
      () => true,
      () => false,
    ),
  );
});
afterAll(() => cluster.stop());

describe('custom resources', () => {
  test('own objects that the garbage collector deletes after them', async () => {
    const { client } = cluster;
    await namespaced('owners');
    const owner = await client.create(lamps, lamp('owner', 'owners') as never);
    const reference = { apiVersion: 'test.example/v1', kind: 'Lamp', name: 'owner', uid: owner.metadata.uid as string };
    const ownerReferences = [{ ...reference, blockOwnerDeletion: true }];
    await client.create('configmaps', { metadata: { name: 'owned', namespace: 'owners', ownerReferences } });
    await client.create(lamps, lamp('owned', 'owners', { ownerReferences }) as never);
    await client.delete(lamps, { name: 'owner', namespace: 'owners' });
    await cluster.until(gone('configmaps', { name: 'owned', namespace: 'owners' }));
    await cluster.until(gone(lamps, { name: 'owned', namespace: 'owners' }));
  });

  test('wait for their dependents when deleted in the foreground', async () => {
    const { client } = cluster;
    await namespaced('foreground');
    const owner = await client.create(lamps, lamp('owner', 'foreground') as never);
    const reference = { apiVersion: 'test.example/v1', kind: 'Lamp', name: 'owner', uid: owner.metadata.uid as string };
    const metadata = {
      ownerReferences: [{ ...reference, blockOwnerDeletion: true }],
      finalizers: ['test.example/hold'],
    };
    await client.create('configmaps', { metadata: { name: 'owned', namespace: 'foreground', ...metadata } });
    await client.delete(lamps, { name: 'owner', namespace: 'foreground' }, { propagationPolicy: 'Foreground' });
    const owned = { name: 'owned', namespace: 'foreground' };
    await cluster.until(async () => !!(await client.get('configmaps', owned)).metadata.deletionTimestamp);
    expect((await client.get(lamps, { name: 'owner', namespace: 'foreground' })).metadata.finalizers).toEqual([
      'foregroundDeletion',
    ]);
    await client.patch('configmaps', owned, { type: 'merge', body: { metadata: { finalizers: null } } });
    await cluster.until(gone(lamps, { name: 'owner', namespace: 'foreground' }));
  });

  test('go with their namespace', async () => {
    await namespaced('ending');
    await cluster.client.create(lamps, lamp('a', 'ending') as never);
    await cluster.client.delete('namespaces', { name: 'ending' });
    await cluster.until(gone('namespaces', { name: 'ending' }));
    expect((await cluster.client.list(lamps, { namespace: 'ending' })).items).toEqual([]);
  });

  test('are served in a version that is added, as the same objects', async () => {
    const { client } = cluster;
    await client.create(lamps, lamp('two', 'default') as never);
    await client.patch(
      'customresourcedefinitions',
      { name: 'lamps.test.example' },
      {
        type: 'merge',
        body: { spec: definition(['v1', 'v2']).spec },
      },
    );
    const v2 = { ...lamps, version: 'v2' };
    await cluster.until(() =>
      client.list(v2).then(
        () => true,
        () => false,
      ),
    );
    expect(await client.get(v2, { name: 'two', namespace: 'default' })).toMatchObject({
      apiVersion: 'test.example/v2',
      spec: { colour: 'red' },
    });
  });

  test('go with their definition, which leaves discovery', async () => {
    const { client } = cluster;
    await client.create(lamps, lamp('last', 'default') as never);
    await client.delete('customresourcedefinitions', { name: 'lamps.test.example' });
    await cluster.until(gone('customresourcedefinitions', { name: 'lamps.test.example' }));
    const { groups } = await client.raw<any>('GET', '/apis');
    expect(groups.map(({ name }: { name: string }) => name)).not.toContain('test.example');
  });
});

test('a quota that admission charges and the controller counts comes out right', async () => {
  const { client } = cluster;
  await namespaced('counted');
  const quota = { name: 'q', namespace: 'counted' };
  await client.create('resourcequotas', { metadata: quota, spec: { hard: { 'count/configmaps': '4' } } } as never);
  await cluster.until(async () => !!(await client.get('resourcequotas', quota)).status?.used?.['count/configmaps']);
  const codes = await Promise.all(
    Array.from({ length: 8 }, (_, i) =>
      client.create('configmaps', { metadata: { name: `c${i}`, namespace: 'counted' } }).then(
        () => 201,
        (error) => error.code,
      ),
    ),
  );
  const { items } = await client.list('configmaps', { namespace: 'counted' });
  expect(items).toHaveLength(4);
  expect(codes.filter((code) => code === 403)).toHaveLength(4);
  await client.delete('configmaps', {
    name: items.find(({ metadata }) => /^c\d/.test(metadata.name as string))!.metadata.name as string,
    namespace: 'counted',
  });
  await cluster.until(
    async () => (await client.get('resourcequotas', quota)).status?.used?.['count/configmaps'] === '3',
  );
});
