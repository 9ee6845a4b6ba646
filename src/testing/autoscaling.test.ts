// Autoscaling over the usage that simulated nodes report, in virtual time.

import { afterEach, expect, test } from 'vitest';
import { startCluster, type TestCluster } from './testing.ts';

let cluster: TestCluster;
afterEach(() => cluster.stop());

const at = (name: string) => ({ namespace: 'default', name });
const metrics = { group: 'metrics.k8s.io', version: 'v1beta1' };
const podMetrics = { ...metrics, resource: 'pods', namespaced: true };
const nodeMetrics = { ...metrics, resource: 'nodes', namespaced: false };

async function deploy(): Promise<void> {
  const labels = { app: 'web' };
  const annotations = {
    'simulated.coracle.local/cpu-millicores': '800',
    'simulated.coracle.local/memory-bytes': '67108864',
  };
  const containers = [{ name: 'main', image: 'example.com/app:1', resources: { requests: { cpu: '1' } } }];
  await cluster.client.create('deployments', {
    metadata: at('web'),
    spec: { selector: { matchLabels: labels }, template: { metadata: { labels, annotations }, spec: { containers } } },
  } as any);
  await cluster.until(async () => (await cluster.client.get('deployments', at('web'))).status?.readyReplicas === 1);
}

/** A read after a pause waits for two scrapes. */
async function read<T>(reading: Promise<T>): Promise<T> {
  let isDone = false;
  void reading.finally(() => {
    isDone = true;
  });
  await cluster.until(() => isDone);
  return reading;
}

test('nodes and pods have the usage of their containers', async () => {
  cluster = await startCluster({ nodes: 2 });
  await deploy();
  await cluster.advance(60_000);
  const { items: pods } = await read(cluster.client.list(podMetrics, { namespace: 'default' }));
  expect(pods).toMatchObject([
    {
      metadata: { namespace: 'default', labels: { app: 'web' } },
      window: '1s',
      containers: [{ name: 'main', usage: { cpu: '800m', memory: '64Mi' } }],
    },
  ]);
  await cluster.advance(20_000);
  const { items: nodes } = await cluster.client.list(nodeMetrics);
  expect(nodes).toHaveLength(2);
  const busy = nodes.find((node) => (node as any).usage.memory === '64Mi');
  expect(busy).toMatchObject({ window: '15s', usage: { cpu: '800m' } });
  await expect(cluster.client.get(podMetrics, at('none'))).rejects.toThrow(
    'podmetrics.metrics.k8s.io "default/none" not found',
  );
  await expect(cluster.client.get(nodeMetrics, { name: 'none' })).rejects.toThrow(
    'nodemetrics.metrics.k8s.io "none" not found',
  );
  await cluster.node('node-1').stop();
  await cluster.node('node-2').stop();
  await cluster.advance(60_000);
  expect((await cluster.client.list(nodeMetrics)).items).toEqual([]);
});

test('a viewer reads the metrics, and others do not', async () => {
  cluster = await startCluster();
  const subject = { kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'ada' };
  await cluster.client.create('clusterrolebindings', {
    metadata: { name: 'ada' },
    roleRef: { kind: 'ClusterRole', apiGroup: 'rbac.authorization.k8s.io', name: 'view' },
    subjects: [subject],
  } as any);
  await cluster.advance(1_000);
  const as = (name: string) => cluster.clientFor({ name, groups: ['system:authenticated'] }).list(podMetrics);
  expect((await read(as('ada'))).items).toEqual([]);
  await expect(as('bob')).rejects.toThrow('pods.metrics.k8s.io is forbidden');
});

test('an autoscaler follows the usage up within one period, and down after five minutes', async () => {
  cluster = await startCluster({ nodes: 2 });
  await deploy();
  // The usage of a pod that has just started does not count.
  await cluster.advance(301_000);
  const target = (averageUtilization: number) => [
    { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } } },
  ];
  await cluster.client.create('horizontalpodautoscalers', {
    metadata: at('web'),
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      maxReplicas: 4,
      metrics: target(50),
    },
  } as any);
  const replicas = async () => (await cluster.client.get('deployments', at('web'))).status?.readyReplicas;
  expect(await cluster.until(async () => (await replicas()) === 2)).toBeLessThan(20_000);
  await cluster.until(async () => (await replicas()) === 4, 1_200_000);
  const body = { spec: { metrics: target(200) } };
  await cluster.client.patch('horizontalpodautoscalers', at('web'), { type: 'merge', body });
  const tookMs = await cluster.until(async () => (await replicas()) === 2);
  expect(tookMs).toBeGreaterThan(280_000);
  expect(tookMs).toBeLessThan(345_000);
});
