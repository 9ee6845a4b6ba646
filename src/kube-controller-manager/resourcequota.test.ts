import { afterEach, beforeEach, expect, test } from 'vitest';
import { at, selector, startTestCluster, type TestCluster, template } from './shared/test-cluster.ts';

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await startTestCluster();
});
afterEach(() => cluster.stop());

const controller = { replicas: 0, selector: { app: 'x' }, template: template('i') };
const job = { suspend: true, template: { spec: { ...template('i').spec, restartPolicy: 'Never' } } };
const ingress = { defaultBackend: { service: { name: 's', port: { number: 80 } } } };

test.each([
  { resource: 'replicationcontrollers', quota: 'replicationcontrollers', spec: controller },
  { resource: 'replicationcontrollers', quota: 'count/replicationcontrollers', spec: controller },
  {
    resource: 'deployments',
    quota: 'count/deployments.apps',
    spec: { ...controller, selector },
  },
  { resource: 'jobs', quota: 'count/jobs.batch', spec: job },
  { resource: 'ingresses', quota: 'count/ingresses.networking.k8s.io', spec: ingress },
] as const)('the quota $quota follows creation and deletion of $resource', async ({ resource, quota, spec }) => {
  const { client, clock } = cluster;
  const metadata = { name: 'o', namespace: 'default' };
  await client.create('resourcequotas', { metadata, spec: { hard: { [quota]: '1' } } } as any);
  const used = async () => (await client.get('resourcequotas', metadata)).status?.used?.[quota];
  /** Controllers send requests over several turns of the event loop, which virtual time does not await. */
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

test('a quota of a volume attributes class follows the claims of this class', async () => {
  const { client, clock } = cluster;
  const matchExpressions = [{ scopeName: 'VolumeAttributesClass', operator: 'In', values: ['gold'] }];
  const hard = { persistentvolumeclaims: '5', 'requests.storage': '9Gi' };
  await client.create('resourcequotas', {
    metadata: at('q'),
    spec: { hard, scopeSelector: { matchExpressions } },
  } as any);
  const spec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '2Gi' } } };
  const used = async () => {
    for (let turns = 0; turns < 5; turns++) await clock.advance(1_000);
    return (await client.get('resourcequotas', at('q'))).status?.used;
  };
  await client.create('persistentvolumeclaims', { metadata: at('plain'), spec } as any);
  expect(await used()).toEqual({ persistentvolumeclaims: '0', 'requests.storage': '0' });
  await client.create('persistentvolumeclaims', {
    metadata: at('gold'),
    spec: { ...spec, volumeAttributesClassName: 'gold' },
  } as any);
  expect(await used()).toEqual({ persistentvolumeclaims: '1', 'requests.storage': '2Gi' });
  const modifyVolumeStatus = { targetVolumeAttributesClassName: 'gold', status: 'Pending' };
  const body = { status: { modifyVolumeStatus } };
  await client.patch('persistentvolumeclaims', at('plain'), { type: 'merge', body }, { subresource: 'status' });
  expect(await used()).toEqual({ persistentvolumeclaims: '2', 'requests.storage': '4Gi' });
});

test("a quota's status has the namespace's usage", async () => {
  const { client, clock } = cluster;
  const hard = {
    pods: '10',
    'requests.cpu': '2',
    'limits.memory': '1Gi',
    configmaps: '5',
    'count/replicasets.apps': '3',
    'services.nodeports': '2',
  };
  await client.create('resourcequotas', { metadata: { name: 'q', namespace: 'default' }, spec: { hard } } as any);
  const { metadata, spec } = template('one');
  const resources = { requests: { cpu: '250m' }, limits: { memory: '100Mi', cpu: '1' } };
  const sized = { metadata, spec: { ...spec, containers: [{ ...spec.containers[0], resources }] } };
  const set = { replicas: 2, selector, template: sized };
  await client.create('replicasets', { metadata: { name: 'r', namespace: 'default' }, spec: set } as any);
  await client.create('services', {
    metadata: { name: 's', namespace: 'default' },
    spec: { type: 'NodePort', ports: [{ port: 80 }] },
  } as any);
  await clock.advance(1000);
  expect((await client.get('resourcequotas', at('q'))).status).toEqual({
    hard,
    used: {
      pods: '2',
      'requests.cpu': '500m',
      'limits.memory': '200Mi',
      configmaps: '1',
      'count/replicasets.apps': '1',
      'services.nodeports': '1',
    },
  });
});
