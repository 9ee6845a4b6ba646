import { afterEach, beforeEach, expect, test } from 'vitest';
import { startTestCluster, type TestCluster } from '../shared/test-cluster.ts';

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await startTestCluster();
});
afterEach(() => cluster.stop());

const at = (name: string) => ({ name, namespace: 'default' });
const annotation = 'deployment.kubernetes.io/revision';
const template = (image: string) => ({
  metadata: { labels: { app: 'x' } },
  spec: { containers: [{ name: 'c', image }] },
});
const selector = { matchLabels: { app: 'x' } };

test.each([
  { has: '3546343826724305832', gets: '3546343826724305833' },
  { has: '7', gets: '8' },
  { has: 'seven', gets: '1' },
  { has: '9223372036854775808', gets: '1' },
])('an adopted set of revision $has: the next revision is $gets', async ({ has, gets }) => {
  const { client, clock } = cluster;
  const metadata = { name: 'old', namespace: 'default', labels: { app: 'x' }, annotations: { [annotation]: has } };
  await client.create('replicasets', { metadata, spec: { replicas: 1, selector, template: template('one') } } as any);
  await clock.settle();
  const spec = { replicas: 1, selector, template: template('two') };
  await client.create('deployments', { metadata: { name: 'd', namespace: 'default' }, spec } as any);
  await cluster.runPods();
  const deployment = await client.get('deployments', at('d'));
  expect(deployment.metadata.annotations?.[annotation]).toBe(gets);
});
