import { afterEach, beforeEach, expect, test } from 'vitest';
import { at, selector, startTestCluster, type TestCluster, template } from '../shared/test-cluster.ts';

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await startTestCluster();
});
afterEach(() => cluster.stop());

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

test("a parallel set scales down regardless of its pods' health", async () => {
  await create(3, { podManagementPolicy: 'Parallel' });
  await unhealthy('s-0', 's-1', 's-2');
  await scale(0);
  await unhealthy('s-0', 's-1', 's-2');
  expect(await pods()).toEqual([]);
});

test('a parallel set of more replicas than one round creates gets all', async () => {
  await create(502, { podManagementPolicy: 'Parallel' });
  await cluster.clock.settle();
  expect(await pods()).toHaveLength(502);
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

const images = async () =>
  (await cluster.client.list('pods')).items.map(
    (pod) => `${pod.metadata.name.replace(/^d-.*/, 'd')} ${pod.spec.containers[0].image}`,
  );

test('a stateful set makes its pods in order, with storage, rolls from the top, and shrinks from the top', async () => {
  const { client, clock } = cluster;
  const claim = {
    metadata: { name: 'data' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  };
  const spec = { replicas: 3, serviceName: 's', selector, template: template('one'), volumeClaimTemplates: [claim] };
  await client.create('statefulsets', { metadata: { name: 's', namespace: 'default' }, spec } as any);
  await clock.settle();
  expect(await images()).toEqual(['s-0 one']);
  await cluster.runPods();
  expect(await images()).toEqual(['s-0 one', 's-1 one', 's-2 one']);
  const pod = await client.get('pods', at('s-1'));
  expect(pod.spec).toMatchObject({ hostname: 's-1', subdomain: 's' });
  expect(pod.metadata.labels).toMatchObject({
    'apps.kubernetes.io/pod-index': '1',
    'statefulset.kubernetes.io/pod-name': 's-1',
  });
  expect(pod.spec.volumes).toContainEqual({ name: 'data', persistentVolumeClaim: { claimName: 'data-s-1' } });
  expect((await client.list('persistentvolumeclaims')).items.map(({ metadata }) => metadata.name)).toEqual([
    'data-s-0',
    'data-s-1',
    'data-s-2',
  ]);
  await client.patch('statefulsets', at('s'), {
    type: 'merge',
    body: { spec: { template: template('two'), updateStrategy: { rollingUpdate: { partition: 1 } } } },
  });
  await cluster.runPods();
  expect(await images()).toEqual(['s-0 one', 's-1 two', 's-2 two']);
  await client.patch('statefulsets', at('s'), {
    type: 'merge',
    body: { spec: { updateStrategy: { rollingUpdate: { partition: 0 } } } },
  });
  await cluster.runPods();
  expect(await images()).toEqual(['s-0 two', 's-1 two', 's-2 two']);
  const { status } = await client.get('statefulsets', at('s'));
  expect(status).toMatchObject({ replicas: 3, readyReplicas: 3, updatedReplicas: 3, currentReplicas: 3 });
  expect(status.currentRevision).toBe(status.updateRevision);
  await client.patch('statefulsets', at('s'), { type: 'merge', body: { spec: { replicas: 1 } } });
  await cluster.runPods();
  expect(await images()).toEqual(['s-0 two']);
});
