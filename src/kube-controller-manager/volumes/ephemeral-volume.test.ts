import { afterEach, beforeEach, expect, test } from 'vitest';
import { startCluster } from '../../testing/testing.ts';
import { startTestCluster, type TestCluster } from '../shared/test-cluster.ts';

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await startTestCluster();
});
afterEach(() => cluster.stop());

const namespace = 'default';
const target = { name: 'p-scratch', namespace };
const claimSpec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };

const createPod = (client = cluster.client) => {
  const metadata = { labels: { team: 'a' }, annotations: { note: 'b' } };
  const ephemeral = { volumeClaimTemplate: { metadata, spec: claimSpec } };
  const spec = { containers: [{ name: 'c', image: 'i' }], volumes: [{ name: 'scratch', ephemeral }] };
  return client.create('pods', { metadata: { name: 'p', namespace }, spec } as any);
};
const createClaim = () => cluster.client.create('persistentvolumeclaims', { metadata: target, spec: claimSpec } as any);
const claims = async () => (await cluster.client.list('persistentvolumeclaims')).items;
const events = async () => (await cluster.client.list('events')).items;

test('an ephemeral volume gets a claim that its pod owns', async () => {
  const pod = await createPod();
  await cluster.clock.advance(1_000);
  const [claim] = await claims();
  expect(claim).toMatchObject({
    metadata: { ...target, labels: { team: 'a' }, annotations: { note: 'b' } },
    spec: claimSpec,
  });
  expect(claim!.metadata.ownerReferences).toEqual([
    { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: pod.metadata.uid, controller: true, blockOwnerDeletion: true },
  ]);
});

test('a claim deleted before its pod is created again, and deleted with the pod', async () => {
  await createPod();
  await cluster.clock.advance(1_000);
  const [first] = await claims();
  await cluster.client.delete('persistentvolumeclaims', target);
  await cluster.clock.advance(5_000);
  const [second] = await claims();
  expect(second!.metadata.uid).not.toBe(first!.metadata.uid);
  await cluster.client.delete('pods', { name: 'p', namespace }, { gracePeriodSeconds: 0 });
  await cluster.clock.advance(30_000);
  expect(await claims()).toEqual([]);
});

test("another's claim of that name is left alone, and the pod has an event", async () => {
  const existing = await createClaim();
  await createPod();
  await cluster.clock.advance(2_000);
  expect(await events()).toEqual(
    expect.arrayContaining([
      expect.objectContaining({
        type: 'Warning',
        reason: 'FailedBinding',
        message: 'ephemeral volume scratch: PVC default/p-scratch was not created for pod default/p (pod is not owner)',
        source: { component: 'ephemeral_volume' },
      }),
    ]),
  );
  expect((await claims())[0]!.metadata).toMatchObject({ uid: existing.metadata.uid });
  // After its deletion the controller creates the pod's claim.
  await cluster.client.delete('persistentvolumeclaims', target);
  await cluster.clock.advance(60_000);
  expect((await claims())[0]!.metadata.ownerReferences).toMatchObject([{ kind: 'Pod', name: 'p' }]);
});

test('a claim that the quota refuses becomes an event', async () => {
  const whole = await startCluster();
  try {
    const { client } = whole;
    const hard = { persistentvolumeclaims: '0' };
    await client.create('resourcequotas', { metadata: { name: 'none', namespace }, spec: { hard } } as any);
    await whole.advance(5_000);
    await createPod(client);
    const told = async () => (await client.list('events')).items.find(({ reason }) => reason === 'FailedBinding');
    await whole.until(async () => (await told()) !== undefined);
    expect((await told())?.message).toBe(
      'ephemeral volume scratch: create PVC p-scratch: persistentvolumeclaims "p-scratch" is forbidden: exceeded quota: none, requested: persistentvolumeclaims=1, used: persistentvolumeclaims=0, limited: persistentvolumeclaims=0',
    );
  } finally {
    await whole.stop();
  }
});
