import { afterEach, describe, expect, test } from 'vitest';
import type { PersistentVolumeClaim, Pod, StatefulSet } from '../../api/api.ts';
import { at, selector, startTestCluster, type TestCluster, template } from '../shared/test-cluster.ts';
import { ownersOf } from './claims.ts';

const set = (whenDeleted = 'Retain', whenScaled = 'Retain'): StatefulSet =>
  ({
    metadata: { name: 's', namespace: 'default', uid: 'set' },
    spec: { persistentVolumeClaimRetentionPolicy: { whenDeleted, whenScaled } },
  }) as unknown as StatefulSet;
const pod = { metadata: { name: 's-1', namespace: 'default', uid: 'pod' } } as unknown as Pod;
const owner = (kind: string, name: string, uid: string, controller = true) => ({
  apiVersion: kind === 'Pod' ? 'v1' : 'apps/v1',
  ...{ kind, name, uid, controller, blockOwnerDeletion: true },
});
const bySet = owner('StatefulSet', 's', 'set');
const byPod = owner('Pod', 's-1', 'pod');
const byOther = owner('Other', 'o', 'other');
const weak = owner('Other', 'o', 'other', false);

describe('the owners of a claim', () => {
  const required = { name: 's-1', pod, isSurplus: false };
  const surplus = { ...required, isSurplus: true };
  const keep = undefined;
  test.each<[string, object[], StatefulSet, typeof required, string | undefined]>([
    ['none while it is retained', [], set(), required, keep],
    ['none once it is retained', [bySet], set(), required, ''],
    ['the set, to be deleted with it', [], set('Delete'), required, 'set'],
    ['the set already', [bySet], set('Delete'), required, keep],
    ['the set as its controller', [{ ...bySet, controller: false }], set('Delete'), required, 'set'],
    ['the set, also of a surplus pod', [], set('Delete'), surplus, 'set'],
    ['none of a required pod', [], set('Retain', 'Delete'), required, keep],
    ['the surplus pod', [], set('Retain', 'Delete'), surplus, 'pod'],
    ['no longer the pod when it is required again', [byPod], set('Retain', 'Delete'), required, ''],
    ['the set while the pod is required', [], set('Delete', 'Delete'), required, 'set'],
    ['the pod instead of the set when it is surplus', [bySet], set('Delete', 'Delete'), surplus, 'pod'],
    ['the set again', [byPod], set('Delete', 'Delete'), required, 'set'],
    ['others beside the set', [weak], set('Delete'), required, 'other,set'],
    ['another controller alone', [byOther, bySet], set('Delete'), required, 'other'],
    ['another controller, as it is', [byOther], set('Delete'), required, keep],
    ['an earlier set, as it is', [owner('StatefulSet', 's', 'before')], set('Delete'), required, keep],
    ['an earlier pod, as it is', [owner('Pod', 's-1', 'before')], set('Delete', 'Delete'), required, keep],
  ])('%s', (_, ownerReferences, of, member, expected) => {
    const claim = { metadata: { name: 'data-s-1', ownerReferences } } as unknown as PersistentVolumeClaim;
    expect(
      ownersOf(claim, of, member)
        ?.owners.map(({ uid }) => uid)
        .join(),
    ).toBe(expected);
  });
});

let cluster: TestCluster;
afterEach(() => cluster?.stop());

const makeSet = (policy: object, replicas: number) =>
  cluster.client.create('statefulsets', {
    metadata: at('web'),
    spec: {
      ...{ serviceName: 'web', replicas, selector, template: template('a'), podManagementPolicy: 'Parallel' },
      persistentVolumeClaimRetentionPolicy: policy,
      volumeClaimTemplates: [
        {
          metadata: { name: 'data' },
          spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
        },
      ],
    },
  } as any);
const change = (spec: object) => cluster.client.patch('statefulsets', at('web'), { type: 'merge', body: { spec } });
const claims = async () =>
  (await cluster.client.list('persistentvolumeclaims')).items.map(({ metadata }) => metadata.name).sort();

test('claims stay with fewer replicas and without the set, unless the policy says otherwise', async () => {
  cluster = await startTestCluster();
  await makeSet({ whenDeleted: 'Retain', whenScaled: 'Retain' }, 3);
  await cluster.runPods();
  await change({ replicas: 1 });
  await cluster.runPods();
  expect(await claims()).toEqual(['data-web-0', 'data-web-1', 'data-web-2']);
  await change({ replicas: 3, persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete', whenScaled: 'Delete' } });
  await cluster.runPods();
  await change({ replicas: 2 });
  await cluster.runPods();
  expect(await claims()).toEqual(['data-web-0', 'data-web-1']);
  await cluster.client.delete('statefulsets', at('web'));
  await cluster.runPods();
  expect(await claims()).toEqual([]);
});

test('a pod that is wanted again while it ends gets a new claim', async () => {
  cluster = await startTestCluster();
  await makeSet({ whenDeleted: 'Retain', whenScaled: 'Delete' }, 2);
  await cluster.runPods();
  const uidOf = async () => (await cluster.client.get('persistentvolumeclaims', at('data-web-1'))).metadata.uid;
  const before = await uidOf();
  await change({ replicas: 1 });
  await cluster.clock.settle();
  await change({ replicas: 2 });
  await cluster.runPods();
  await cluster.clock.advance(10_000);
  await cluster.runPods();
  expect(await claims()).toEqual(['data-web-0', 'data-web-1']);
  expect(await uidOf()).not.toBe(before);
  expect((await cluster.client.get('pods', at('web-1'))).metadata.deletionTimestamp).toBeUndefined();
});
