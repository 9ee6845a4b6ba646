import { afterEach, expect, test } from 'vitest';
import { startCluster, type TestCluster } from './testing.ts';

let cluster: TestCluster;
afterEach(() => cluster.stop());

const at = (name: string) => ({ namespace: 'default', name });
const image = 'example.com/app:1';

test('simulated Jobs end by themselves, and init containers let the others start', async () => {
  cluster = await startCluster();
  const { client } = cluster;
  const containers = [{ name: 'main', image }];
  await client.create('jobs', {
    metadata: at('done'),
    spec: { template: { spec: { restartPolicy: 'Never', containers } } },
  } as any);
  await client.create('jobs', {
    metadata: at('broken'),
    spec: {
      backoffLimit: 0,
      template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image, command: ['false'] }] } },
    },
  } as any);
  await client.create('pods', {
    metadata: at('web'),
    spec: { securityContext: { runAsNonRoot: true }, initContainers: [{ name: 'first', image }], containers },
  } as any);
  await cluster.until(async () => (await client.get('jobs', at('done'))).status?.succeeded === 1);
  await cluster.until(async () => (await client.get('jobs', at('broken'))).status?.failed === 1);
  await cluster.until(async () => (await client.get('pods', at('web'))).status?.phase === 'Running');
});

test('a simulated pod waits for the config maps, secrets and claims in its volumes', async () => {
  cluster = await startCluster();
  const { client } = cluster;
  const volumes = [
    { name: 'a', configMap: { name: 'settings' } },
    { name: 'b', projected: { sources: [{ secret: { name: 'key' } }, { secret: { name: 'no', optional: true } }] } },
  ];
  await client.create('pods', { metadata: at('web'), spec: { containers: [{ name: 'main', image }], volumes } } as any);
  const why = async () =>
    (await client.list('events', { namespace: 'default' })).items
      .filter((e) => e.reason === 'FailedMount')
      .map((e) => e.message);
  const missing = (volume: string, source: string) =>
    `MountVolume.SetUp failed for volume "${volume}" : ${source} not found`;
  await cluster.until(async () => (await why()).includes(missing('a', 'configmap "settings"')));
  await client.create('configmaps', { metadata: at('settings') } as any);
  await cluster.until(async () => (await why()).includes(missing('b', 'secret "key"')));
  await client.create('secrets', { metadata: at('key') } as any);
  await cluster.until(async () => (await client.get('pods', at('web'))).status?.phase === 'Running');
});

test('a pod that is being deleted serves until it has stopped', async () => {
  cluster = await startCluster();
  const { client } = cluster;
  const labels = { app: 'web' };
  const annotations = { 'simulated.coracle.local/termination-ms': '8000' };
  const readinessProbe = { httpGet: { path: '/', port: 80 }, periodSeconds: 1 };
  await client.create('services', { metadata: at('web'), spec: { selector: labels, ports: [{ port: 80 }] } } as any);
  await client.create('pods', {
    metadata: { ...at('web'), labels, annotations },
    spec: { containers: [{ name: 'main', image, readinessProbe }] },
  } as any);
  const conditions = async () =>
    (
      await client.list('endpointslices', { namespace: 'default', labelSelector: 'kubernetes.io/service-name=web' })
    ).items
      .flatMap(({ endpoints }) => endpoints ?? [])
      .map((endpoint) => endpoint.conditions);
  await cluster.until(async () => (await conditions())[0]?.ready === true);
  await client.delete('pods', at('web'));
  await cluster.until(async () => (await conditions())[0]?.terminating === true);
  await cluster.advance(3_000);
  expect(await conditions()).toEqual([{ ready: false, serving: true, terminating: true }]);
  await cluster.until(async () => (await conditions()).length === 0);
});

test('a pod that its node refuses fails, and a StatefulSet makes it again until the node takes it', async () => {
  cluster = await startCluster();
  const { client } = cluster;
  const [node] = (await client.list('nodes')).items;
  const nodeName = node?.metadata.name;
  const containers = [{ name: 'main', image, ports: [{ name: 'web', containerPort: 21017, hostPort: 21017 }] }];
  await client.create('pods', { metadata: at('first'), spec: { nodeName, containers } } as any);
  await cluster.until(async () => (await client.get('pods', at('first'))).status?.phase === 'Running');

  await client.create('pods', { metadata: at('second'), spec: { nodeName, containers } } as any);
  await cluster.until(async () => (await client.get('pods', at('second'))).status?.phase === 'Failed');
  const why = "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports";
  expect((await client.get('pods', at('second'))).status).toMatchObject({
    reason: 'NodePorts',
    message: `Pod was rejected: ${why}`,
  });
  const events = (await client.list('events', { namespace: 'default' })).items;
  expect(events.find(({ reason }) => reason === 'NodePorts')).toMatchObject({ type: 'Warning', message: why });

  const labels = { app: 'set' };
  await client.create('statefulsets', {
    metadata: at('set'),
    spec: {
      serviceName: 'set',
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { nodeName, containers } },
    },
  } as any);
  const seen = new Set<string>();
  await cluster.until(async () => {
    const pod = (await client.list('pods')).items.find(({ metadata }) => metadata.name === 'set-0');
    if (pod) seen.add(pod.metadata.uid);
    return seen.size > 1;
  });
  await client.delete('pods', at('first'), { gracePeriodSeconds: 0 });
  await cluster.until(async () => {
    const pod = (await client.list('pods')).items.find(({ metadata }) => metadata.name === 'set-0');
    return pod?.status?.phase === 'Running';
  });
});
