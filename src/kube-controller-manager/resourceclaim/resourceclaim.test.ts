// The resource claims of pods, over the real API server in virtual time. The test takes the scheduler's part.

import { afterEach, beforeEach, expect, test } from 'vitest';
import { at, startTestCluster, type TestCluster } from '../shared/test-cluster.ts';
import { baseOf } from './pod-claims.ts';

let cluster: TestCluster;
let client: TestCluster['client'];
beforeEach(async () => {
  cluster = await startTestCluster();
  ({ client } = cluster);
});
afterEach(() => cluster.stop());

const devices = { requests: [{ name: 'gpu', exactly: { deviceClassName: 'gpu.example.com' } }] };
const finalizer = 'resource.kubernetes.io/delete-protection';
const status = { subresource: 'status' } as const;

const template = (name = 'gpu') =>
  client.create('resourceclaimtemplates', {
    metadata: at(name),
    spec: { metadata: { labels: { made: 'yes' }, annotations: { note: 'x' } }, spec: { devices } },
  } as never);
const pod = (name: string, resourceClaims: object[], spec: object = {}) =>
  client.create('pods', {
    metadata: at(name),
    spec: { containers: [{ name: 'c', image: 'i' }], terminationGracePeriodSeconds: 1, resourceClaims, ...spec },
  } as never);
const fromTemplate = { name: 'gpu', resourceClaimTemplateName: 'gpu' };
const claims = async () => (await client.list('resourceclaims', { namespace: 'default' })).items;
const statuses = async (name = 'web') => (await client.get('pods', at(name))).status?.resourceClaimStatuses;
const pass = (ms = 1_000) => cluster.clock.advance(ms);

/** Allocates a claim, and reserves it for pods, as the scheduler does. */
async function allocate(name: string, pods: readonly { name: string; uid: string }[]): Promise<void> {
  const claim = await client.get('resourceclaims', at(name));
  const metadata = { ...claim.metadata, finalizers: [finalizer] };
  const held = await client.update('resourceclaims', { ...claim, metadata });
  const results = [{ request: 'gpu', driver: 'gpu.example.com', pool: 'p', device: 'd' }];
  const reservedFor = pods.map((user) => ({ resource: 'pods', name: user.name, uid: user.uid }));
  await client.update(
    'resourceclaims',
    { ...held, status: { allocation: { devices: { results } }, reservedFor } } as never,
    status,
  );
  await pass();
}
const end = (name: string) =>
  client.patch('pods', at(name), { type: 'merge', body: { status: { phase: 'Succeeded' } } }, status);

test('a pod with a template gets its own claim, and its status names it', async () => {
  await template();
  const web = await pod('web', [fromTemplate, { name: 'shared', resourceClaimName: 'other' }]);
  await pass();
  const [claim, ...more] = await claims();
  expect(more).toEqual([]);
  expect(claim.metadata).toMatchObject({
    generateName: 'web-gpu-',
    labels: { made: 'yes' },
    annotations: { note: 'x', 'resource.kubernetes.io/pod-claim-name': 'gpu' },
    ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'web', uid: web.metadata.uid, controller: true }],
  });
  expect(claim.spec.devices).toMatchObject(devices);
  expect(await statuses()).toEqual([{ name: 'gpu', resourceClaimName: claim.metadata.name }]);
  expect(cluster.context.metrics.text()).toContain(
    'resourceclaim_controller_creates_total{status="success",admin_access="false"} 1',
  );
});

test('a pod waits for its template, with an event', async () => {
  await pod('web', [fromTemplate]);
  await pass();
  expect(await claims()).toEqual([]);
  const messages = (await client.list('events', { namespace: 'default' })).items
    .filter(({ reason }) => reason === 'FailedResourceClaimCreation')
    .map(({ message }) => message);
  expect(messages).toEqual([
    'PodResourceClaim gpu: resource claim template "gpu": resourceclaimtemplate.resource.k8s.io "gpu" not found',
  ]);
  await template();
  await pass();
  expect(await claims()).toHaveLength(1);
  expect(await statuses()).toHaveLength(1);
});

test('a claim that was deleted under its pod is made again, and the others keep their names', async () => {
  await template();
  await template('nic');
  await pod('web', [fromTemplate, { name: 'nic', resourceClaimTemplateName: 'nic' }]);
  await pass();
  const before = new Map((await statuses())?.map((entry) => [entry.name, entry.resourceClaimName]));
  await client.delete('resourceclaims', at(before.get('gpu') ?? ''));
  await pass();
  const after = new Map((await statuses())?.map((entry) => [entry.name, entry.resourceClaimName]));
  expect(after.get('nic')).toBe(before.get('nic'));
  expect(after.get('gpu')).not.toBe(before.get('gpu'));
  expect((await claims()).map(({ metadata }) => metadata.name).sort()).toEqual([...after.values()].sort());
});

test('a claim of another owner with the same name is left alone', async () => {
  await template();
  await pod('web', [fromTemplate]);
  await pass();
  const [claim] = await claims();
  await client.delete('resourceclaims', at(claim.metadata.name));
  await client.create('resourceclaims', { metadata: at(claim.metadata.name), spec: { devices } } as never);
  await pass();
  const own = (await claims()).filter(({ metadata }) => metadata.ownerReferences);
  expect(own).toHaveLength(1);
  expect(await statuses()).toEqual([{ name: 'gpu', resourceClaimName: own[0].metadata.name }]);
});

test('a claim is reserved for a pod that was bound without the scheduler', async () => {
  await client.create('resourceclaims', { metadata: at('shared'), spec: { devices } } as never);
  const first = await pod('first', [{ name: 'gpu', resourceClaimName: 'shared' }], { nodeName: 'n' });
  await pass();
  expect((await claims())[0].status?.reservedFor).toBeUndefined();
  await allocate('shared', []);
  expect((await claims())[0].status?.reservedFor).toEqual([
    { resource: 'pods', name: 'first', uid: first.metadata.uid },
  ]);
});

test('a shared claim is freed when its last pod has ended', async () => {
  await client.create('resourceclaims', { metadata: at('shared'), spec: { devices } } as never);
  const users = [{ name: 'gpu', resourceClaimName: 'shared' }];
  const pods = [await pod('first', users, { nodeName: 'n' }), await pod('second', users, { nodeName: 'n' })];
  await allocate(
    'shared',
    pods.map(({ metadata }) => ({ name: metadata.name, uid: metadata.uid })),
  );
  await end('first');
  await pass();
  const [half] = await claims();
  expect(half.status).toMatchObject({ allocation: {}, reservedFor: [{ name: 'second' }] });
  await client.delete('pods', at('second'), { gracePeriodSeconds: 0 });
  await pass();
  const [free] = await claims();
  expect(free.status?.allocation).toBeUndefined();
  expect(free.status?.reservedFor).toBeUndefined();
  expect(free.metadata.finalizers).toBeUndefined();
});

test('a claim of a pod that no longer exists is freed, and other users are kept', async () => {
  await client.create('resourceclaims', { metadata: at('shared'), spec: { devices } } as never);
  await allocate('shared', [{ name: 'gone', uid: 'u-1' }]);
  const [free] = await claims();
  expect(free.status?.allocation).toBeUndefined();
  const claim = await client.get('resourceclaims', at('shared'));
  const reservedFor = [{ apiGroup: 'example.com', resource: 'jobs', name: 'j', uid: 'u-2' }];
  const results = [{ request: 'gpu', driver: 'gpu.example.com', pool: 'p', device: 'd' }];
  const next = { ...claim, status: { allocation: { devices: { results } }, reservedFor } };
  await client.update('resourceclaims', next as never, status);
  await pass();
  expect((await claims())[0].status?.reservedFor).toEqual(reservedFor);
});

test('a generated claim goes with the end of its pod, not only with its deletion', async () => {
  await template();
  const web = await pod('web', [fromTemplate], { nodeName: 'n' });
  await pass();
  const [{ metadata }] = await claims();
  await allocate(metadata.name, [{ name: 'web', uid: web.metadata.uid }]);
  await end('web');
  await pass();
  expect(await claims()).toEqual([]);
  expect((await client.get('pods', at('web'))).status?.phase).toBe('Succeeded');
});

test('a deleted claim stays while a pod uses it', async () => {
  await client.create('resourceclaims', { metadata: at('shared'), spec: { devices } } as never);
  const web = await pod('web', [{ name: 'gpu', resourceClaimName: 'shared' }], { nodeName: 'n' });
  await allocate('shared', [{ name: 'web', uid: web.metadata.uid }]);
  await client.delete('resourceclaims', at('shared'));
  await pass();
  expect(await claims()).toHaveLength(1);
  await end('web');
  await pass();
  expect(await claims()).toEqual([]);
});

test.each([
  ['web', 'gpu', 'web-gpu-'],
  ['p'.repeat(50), 'gpus', `${'p'.repeat(50)}-gpus-`],
  ['p'.repeat(63), 'gpu', `${'p'.repeat(52)}-gp`],
  ['p'.repeat(40), 'c'.repeat(40), `${'p'.repeat(27)}-${'c'.repeat(27)}`],
])('the name for a claim of %s and %s', (name, entry, wanted) => expect(baseOf(name, entry)).toBe(wanted));
