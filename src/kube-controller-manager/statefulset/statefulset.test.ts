import { afterEach, beforeEach, expect, test } from 'vitest';
import { startTestCluster, type TestCluster } from '../shared/test-cluster.ts';

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await startTestCluster();
});
afterEach(() => cluster.stop());

const at = (name: string) => ({ name, namespace: 'default' });
const create = (replicas: number, fields: object = {}) =>
  cluster.client.create('statefulsets', {
    metadata: { name: 's', namespace: 'default' },
    spec: {
      replicas,
      serviceName: 's',
      selector: { matchLabels: { app: 'x' } },
      template: { metadata: { labels: { app: 'x' } }, spec: { containers: [{ name: 'c', image: 'one' }] } },
      ...fields,
    },
  } as any);
const scale = (replicas: number) =>
  cluster.client.patch('statefulsets', at('s'), { type: 'merge', body: { spec: { replicas } } });
const pods = async () => (await cluster.client.list('pods')).items.map(({ metadata }) => metadata.name);
const unhealthy = (...names: string[]) => cluster.runPods(({ metadata }) => !names.includes(metadata.name));

test.each([
  { case: 'all are unhealthy', broken: ['s-0', 's-1', 's-2'], left: ['s-0', 's-1', 's-2'] },
  { case: 'two are unhealthy', broken: ['s-0', 's-1'], left: ['s-0', 's-1'] },
  { case: 'only the lowest is unhealthy', broken: ['s-0'], left: [] },
  { case: 'the highest is unhealthy, and no other', broken: ['s-2'], left: [] },
])('scaling an ordered set to zero when $case leaves $left', async ({ broken, left }) => {
  await create(3);
  await cluster.runPods();
  await unhealthy(...broken);
  await scale(0);
  await unhealthy(...broken);
  expect(await pods()).toEqual(left);
});

test('a parallel set scales down whatever the health of its pods', async () => {
  await create(3, { podManagementPolicy: 'Parallel' });
  await unhealthy('s-0', 's-1', 's-2');
  await scale(0);
  await unhealthy('s-0', 's-1', 's-2');
  expect(await pods()).toEqual([]);
});

test('scaling up waits for the pods below', async () => {
  await create(1);
  await unhealthy('s-0');
  await scale(3);
  await unhealthy('s-0');
  expect(await pods()).toEqual(['s-0']);
  await cluster.runPods();
  expect(await pods()).toEqual(['s-0', 's-1', 's-2']);
});

test.each(['Failed', 'Succeeded'])('a pod that is %s is replaced by one of the same name', async (phase) => {
  await create(1);
  await cluster.clock.settle();
  const first = await cluster.client.get('pods', at('s-0'));
  await cluster.client.patch(
    'pods',
    at('s-0'),
    { type: 'merge', body: { status: { phase } } },
    { subresource: 'status' },
  );
  await cluster.clock.advance(2000);
  const second = await cluster.client.get('pods', at('s-0'));
  expect(second.metadata.uid).not.toBe(first.metadata.uid);
  expect(second.status.phase).toBe('Pending');
});

test('a claim that was deleted while its pod is pending is made again', async () => {
  const claim = {
    metadata: { name: 'data' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  };
  await create(1, { volumeClaimTemplates: [claim] });
  await cluster.clock.settle();
  await cluster.client.patch('persistentvolumeclaims', at('data-s-0'), {
    type: 'merge',
    body: { metadata: { finalizers: null } },
  });
  await cluster.client.delete('persistentvolumeclaims', at('data-s-0'));
  await cluster.client.patch('statefulsets', at('s'), {
    type: 'merge',
    body: { metadata: { labels: { look: 'again' } } },
  });
  await cluster.clock.advance(1000);
  expect((await cluster.client.list('persistentvolumeclaims')).items.map(({ metadata }) => metadata.name)).toEqual([
    'data-s-0',
  ]);
});
