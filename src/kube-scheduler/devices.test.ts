// Pods with resource claims, through the whole of scheduler, claim controller and simulated nodes.

import { afterEach, expect, test } from 'vitest';
import { startCluster, type TestCluster } from '../testing/testing.ts';

let cluster: TestCluster;
afterEach(() => cluster?.stop());

const driver = 'driver.example.com';
const at = (name: string) => ({ namespace: 'default', name });
const create = (resource: string, object: object) => cluster.client.create(resource as 'pods', object as never);
const start = async (nodes = 2) => {
  cluster = await startCluster({ nodes });
  await create('deviceclasses', { metadata: { name: 'gpu' }, spec: { extendedResourceName: 'example.com/gpu' } });
};
const slice = (node: string, devices: readonly object[]) =>
  create('resourceslices', {
    metadata: { name: `slice-${node}` },
    spec: { driver, nodeName: node, pool: { name: node, generation: 1, resourceSliceCount: 1 }, devices },
  });
const devices = { requests: [{ name: 'gpu', exactly: { deviceClassName: 'gpu' } }] };
const claim = (name: string) => create('resourceclaims', { metadata: at(name), spec: { devices } });
const template = () => create('resourceclaimtemplates', { metadata: at('gpu'), spec: { spec: { devices } } });
const addPod = (name: string, spec: object, requests: object = {}) =>
  create('pods', {
    metadata: at(name),
    spec: { containers: [{ name: 'c', image: 'i', resources: { requests, limits: requests } }], ...spec },
  });
const using = (resourceClaimName: string) => ({ resourceClaims: [{ name: 'gpu', resourceClaimName }] });
const fromTemplate = { resourceClaims: [{ name: 'gpu', resourceClaimTemplateName: 'gpu' }] };
const getPod = (name: string) => cluster.client.get('pods', at(name));
const getClaim = (name: string) => cluster.client.get('resourceclaims', at(name));
const isOn = async (name: string, node: string) => (await getPod(name)).spec.nodeName === node;
const refusal = async (name: string) =>
  (await getPod(name)).status?.conditions?.find(({ type, status }) => type === 'PodScheduled' && status === 'False')
    ?.message;
const devicesOf = async (name: string) =>
  (await getClaim(name)).status?.allocation?.devices.results?.map(({ pool, device }) => `${pool}/${device}`);

test('pods get the devices of their claims, and wait until others free them', async () => {
  await start();
  await slice('node-2', [{ name: 'gpu-0' }]);
  await claim('one');
  await addPod('web', using('one'));
  await cluster.until(() => isOn('web', 'node-2'));
  const { metadata, status } = await getClaim('one');
  expect(metadata.finalizers).toEqual(['resource.kubernetes.io/delete-protection']);
  expect(status).toMatchObject({
    allocation: {
      devices: { results: [{ request: 'gpu', driver, pool: 'node-2', device: 'gpu-0' }] },
      nodeSelector: {
        nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['node-2'] }] }],
      },
      allocationTimestamp: expect.stringMatching(/Z$/),
    },
    reservedFor: [{ resource: 'pods', name: 'web', uid: (await getPod('web')).metadata.uid }],
  });
  await claim('two');
  await addPod('late', using('two'));
  await cluster.until(
    async () => (await refusal('late'))?.startsWith('0/2 nodes are available: 2 cannot allocate all claims.') ?? false,
  );
  await cluster.client.delete('pods', at('web'), { gracePeriodSeconds: 0 });
  await cluster.until(() => isOn('late', 'node-2'));
  expect(await devicesOf('two')).toEqual(['node-2/gpu-0']);
});

test('two pods share a claim, and pods with templates get one each', async () => {
  await start(1);
  await slice('node-1', [{ name: 'gpu-0' }, { name: 'gpu-1' }, { name: 'gpu-2' }]);
  await claim('shared');
  await addPod('a', using('shared'));
  await addPod('b', using('shared'));
  await template();
  await addPod('c', fromTemplate);
  await addPod('d', fromTemplate);
  for (const name of ['a', 'b', 'c', 'd']) await cluster.until(() => isOn(name, 'node-1'));
  expect((await getClaim('shared')).status.reservedFor?.map(({ name }) => name).sort()).toEqual(['a', 'b']);
  const { items } = await cluster.client.list('resourceclaims', { namespace: 'default' });
  const used = items.flatMap(({ status }) => status.allocation?.devices.results?.map(({ device }) => device));
  expect(used.sort()).toEqual(['gpu-0', 'gpu-1', 'gpu-2']);
});

test('a pod waits in binding until its device is attached, and gets another one if that fails', async () => {
  await start();
  const conditions = { bindingConditions: ['Attached'], bindingFailureConditions: ['Failed'], bindsToNode: true };
  await slice('node-1', [{ name: 'gpu-0', ...conditions }]);
  await claim('one');
  await addPod('web', using('one'));
  const set = async (type: string) => {
    const current = await getClaim('one');
    const [{ pool }] = current.status.allocation?.devices.results ?? [];
    const condition = {
      type,
      status: 'True',
      reason: 'Tried',
      message: 'by the driver',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    };
    const status = { ...current.status, devices: [{ driver, pool, device: 'gpu-0', conditions: [condition] }] };
    await cluster.client.update('resourceclaims', { ...current, status } as never, { subresource: 'status' });
  };
  await cluster.until(async () => (await getPod('web')).status?.nominatedNodeName === 'node-1');
  await cluster.until(async () => (await devicesOf('one')) !== undefined);
  await cluster.client.delete('resourceslices', { name: 'slice-node-1' });
  await slice('node-2', [{ name: 'gpu-0' }]);
  await set('Failed');
  await cluster.until(async () => (await refusal('web')) !== undefined);
  expect(await refusal('web')).toBe(
    'running PreBind plugin "DynamicResources": device binding failed: claim=one, reason=Tried, message="by the driver"',
  );
  await cluster.until(() => isOn('web', 'node-2'));
  expect(await devicesOf('one')).toEqual(['node-2/gpu-0']);
  const events = (await cluster.client.list('events', { namespace: 'default' })).items;
  expect(events.map(({ reason, message }) => `${reason}: ${message}`)).toContain(
    'BindingConditionsPending: waiting for binding conditions for device on node node-1',
  );
});

test('an extended resource comes from devices: the scheduler makes the claim, and frees it with the pod', async () => {
  await start(1);
  await slice('node-1', [{ name: 'gpu-0' }]);
  await addPod('web', {}, { 'example.com/gpu': '1' });
  await cluster.until(() => isOn('web', 'node-1'));
  const status = (await getPod('web')).status?.extendedResourceClaimStatus;
  expect(status).toEqual({
    resourceClaimName: expect.stringMatching(/^web-extended-resources-/),
    requestMappings: [{ containerName: 'c', resourceName: 'example.com/gpu', requestName: 'container-0-request-0' }],
  });
  const made = await getClaim(status?.resourceClaimName ?? '');
  expect(made.metadata.annotations).toEqual({ 'resource.kubernetes.io/extended-resource-claim': 'true' });
  expect(made.status.reservedFor?.map(({ name }) => name)).toEqual(['web']);
});
