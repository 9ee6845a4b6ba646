// Pods on tainted devices, over the real API server in virtual time. The test takes the scheduler's part.

import { afterEach, beforeEach, expect, test } from 'vitest';
import { at, startTestCluster, type TestCluster } from '../shared/test-cluster.ts';

let cluster: TestCluster;
let client: TestCluster['client'];
beforeEach(async () => {
  cluster = await startTestCluster();
  ({ client } = cluster);
  await client.create('nodes', { metadata: { name: 'node' } } as never);
});
afterEach(() => cluster.stop());

const driver = 'driver.example.com';
const pass = (ms = 1_000) => cluster.clock.advance(ms);
const slice = (generation: number, taints: readonly object[]) => ({
  metadata: { name: `slice-${generation}` },
  spec: {
    driver,
    nodeName: 'node',
    pool: { name: 'pool', generation, resourceSliceCount: 1 },
    devices: [{ name: 'gpu', taints }],
  },
});
const taint = (effect = 'NoExecute') => ({ key: 'broken', value: 'yes', effect });

/** A pod on a node, with a claim that has the device. */
async function place(tolerations: readonly object[] = []): Promise<void> {
  const exactly = { deviceClassName: 'gpu', tolerations };
  const claim = await client.create('resourceclaims', {
    metadata: at('claim'),
    spec: { devices: { requests: [{ name: 'gpu', exactly }] } },
  } as never);
  const pod = await client.create('pods', {
    metadata: at('web'),
    spec: {
      nodeName: 'node',
      terminationGracePeriodSeconds: 1,
      containers: [{ name: 'c', image: 'i' }],
      resourceClaims: [{ name: 'gpu', resourceClaimName: 'claim' }],
    },
  } as never);
  const results = [{ request: 'gpu', driver, pool: 'pool', device: 'gpu', tolerations }];
  const reservedFor = [{ resource: 'pods', name: 'web', uid: pod.metadata.uid }];
  const status = { allocation: { devices: { results } }, reservedFor };
  await client.update('resourceclaims', { ...claim, status } as never, { subresource: 'status' });
}

const setTaints = async (taints: readonly object[]) => {
  const current = await client.get('resourceslices', { name: 'slice-1' });
  await client.update('resourceslices', { ...current, spec: slice(1, taints).spec } as never);
};
const isGoing = async () => (await client.get('pods', at('web'))).metadata.deletionTimestamp !== undefined;
const messages = async () =>
  (await client.list('events', { namespace: 'default' })).items
    .filter(({ reason }) => reason === 'DeviceTaintManagerEviction')
    .map(({ message }) => message);

test.each([
  { case: 'no toleration', tolerations: [], effect: 'NoExecute', goes: true },
  { case: 'another effect', tolerations: [], effect: 'NoSchedule', goes: false },
  {
    case: 'a toleration',
    tolerations: [{ operator: 'Exists', effect: 'NoExecute' }],
    effect: 'NoExecute',
    goes: false,
  },
  { case: 'a toleration without an effect', tolerations: [{ operator: 'Exists' }], effect: 'NoExecute', goes: true },
  {
    case: 'a toleration of another value',
    tolerations: [{ key: 'broken', operator: 'Equal', value: 'no', effect: 'NoExecute' }],
    effect: 'NoExecute',
    goes: true,
  },
])('$case: the pod goes $goes', async ({ tolerations, effect, goes }) => {
  await client.create('resourceslices', slice(1, [taint(effect)]) as never);
  await place(tolerations);
  await pass();
  expect(await isGoing()).toBe(goes);
  if (!goes) return;
  expect(await messages()).toEqual(['Marking for deletion']);
  expect((await client.get('pods', at('web'))).status?.conditions).toContainEqual(
    expect.objectContaining({
      type: 'DisruptionTarget',
      reason: 'DeletionByDeviceTaintManager',
      message: 'Device Taint manager: deleting due to NoExecute taint',
    }),
  );
});

test('a taint that comes later is tolerated for some seconds, and the eviction ends with the taint', async () => {
  await client.create('resourceslices', slice(1, []) as never);
  await place([{ operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 30 }]);
  await pass();
  await setTaints([taint()]);
  await pass(20_000);
  expect(await isGoing()).toBe(false);
  await setTaints([]);
  await pass(20_000);
  expect(await isGoing()).toBe(false);
  expect(await messages()).toEqual(['Cancelling deletion']);
  await setTaints([taint()]);
  await pass(31_000);
  expect(await isGoing()).toBe(true);
});

test('taints of an old generation do not count', async () => {
  await client.create('resourceslices', slice(2, []) as never);
  await client.create('resourceslices', slice(1, [taint()]) as never);
  await place();
  await pass();
  expect(await isGoing()).toBe(false);
});
