import { afterEach, beforeEach, expect, test } from 'vitest';
import { startTestCluster, type TestCluster } from './shared/test-cluster.ts';

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await startTestCluster();
});
afterEach(() => cluster.stop());

const template = { metadata: { labels: { app: 'x' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };
const controller = { replicas: 0, selector: { app: 'x' }, template };
const job = { suspend: true, template: { spec: { ...template.spec, restartPolicy: 'Never' } } };
const ingress = { defaultBackend: { service: { name: 's', port: { number: 80 } } } };

test.each([
  { resource: 'replicationcontrollers', quota: 'replicationcontrollers', spec: controller },
  { resource: 'replicationcontrollers', quota: 'count/replicationcontrollers', spec: controller },
  {
    resource: 'deployments',
    quota: 'count/deployments.apps',
    spec: { ...controller, selector: { matchLabels: { app: 'x' } } },
  },
  { resource: 'jobs', quota: 'count/jobs.batch', spec: job },
  { resource: 'ingresses', quota: 'count/ingresses.networking.k8s.io', spec: ingress },
] as const)('the quota $quota follows creation and deletion of $resource', async ({ resource, quota, spec }) => {
  const { client, clock } = cluster;
  const metadata = { name: 'o', namespace: 'default' };
  await client.create('resourcequotas', { metadata, spec: { hard: { [quota]: '1' } } } as any);
  const used = async () => (await client.get('resourcequotas', metadata)).status?.used?.[quota];
  /** Controllers ask over several turns of the event loop, which virtual time does not wait for. */
  const becomes = async (amount: string) => {
    for (let seconds = 0; seconds < 20 && (await used()) !== amount; seconds++) await clock.advance(1000);
    expect(await used()).toBe(amount);
  };
  await becomes('0');
  await client.create(resource, { metadata, spec } as any);
  await becomes('1');
  await client.delete(resource, metadata);
  await becomes('0');
});
