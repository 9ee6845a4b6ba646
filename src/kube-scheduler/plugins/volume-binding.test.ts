import { describe, expect, test } from 'vitest';
import type { Pod } from '../../api/api.ts';
import { seededRandom } from '../../machinery/random.ts';
import { SchedulingCycle, unschedulableMessage } from '../cycle.ts';
import { podInfo } from '../pod-info.ts';
import { cacheOf, node, pod, verdictsOf } from '../test-objects.ts';
import { defaultPlugins } from './plugins.ts';
import {
  boundClaim,
  claim,
  completed,
  onNode,
  type StorageObjects,
  storageClass,
  storageOf,
  using,
  volume,
} from './test-storage.ts';
import { volumeBinding } from './volume-binding.ts';

const ephemeral = (): Pod => pod({}, { volumes: [{ name: 'v', ephemeral: { volumeClaimTemplate: {} } }] });

function cacheWith(storage: StorageObjects) {
  const cache = cacheOf([node('a', { labels: { zone: 'x' } }), node('b', { labels: { zone: 'y' } })]);
  cache.storage = storageOf(storage);
  return cache;
}

function decide(wanted: Pod, storage: StorageObjects): string {
  const cache = cacheWith(storage);
  const result = new SchedulingCycle(defaultPlugins, seededRandom(1)).run(podInfo(wanted), cache);
  return result.ok ? result.node : unschedulableMessage(2, result);
}

const all = '0/2 nodes are available: ';

describe('a pod with a claim', () => {
  test.each<[string, StorageObjects, string]>([
    ['that is missing', {}, `${all}persistentvolumeclaim "c" not found.`],
    ['that is not bound', { claims: [claim('c')] }, `${all}pod has unbound immediate PersistentVolumeClaims.`],
    [
      'that names a volume but is not bound yet',
      { claims: [claim('c', { volumeName: 'v' })], volumes: [volume('v')] },
      `${all}pod has unbound immediate PersistentVolumeClaims.`,
    ],
    [
      'that goes',
      { claims: [claim('c', {}, { deletionTimestamp: '2026-01-01T00:00:00Z' })] },
      `${all}persistentvolumeclaim "c" is being deleted.`,
    ],
    [
      'that lost its volume',
      { claims: [claim('c', { volumeName: 'v' }, { annotations: completed, status: { phase: 'Lost' } })] },
      `${all}persistentvolumeclaim "c" bound to non-existent persistentvolume "v".`,
    ],
    [
      'that waits for its first pod, of a class without a provisioner',
      {
        claims: [claim('c', { storageClassName: 'late' })],
        classes: [storageClass('late', { provisioner: 'kubernetes.io/no-provisioner' })],
      },
      `${all}2 node(s) didn't find available persistent volumes to bind.`,
    ],
    [
      'whose volume no node reaches',
      { claims: [boundClaim('c', 'v')], volumes: [volume('v', onNode('z'))] },
      `${all}2 node(s) didn't match PersistentVolume's node affinity.`,
    ],
    ['whose volume is missing', { claims: [boundClaim('c', 'v')] }, `${all}persistentvolume "v" not found.`],
  ])('%s waits', (_, storage, message) => {
    expect(decide(using('c'), storage)).toBe(message);
  });

  test("that is bound restricts the pod to its volume's nodes", () => {
    expect(decide(using('c'), { claims: [boundClaim('c', 'v')], volumes: [volume('v', onNode('b'))] })).toBe('b');
  });

  test('of an ephemeral volume waits for it to be made for this pod', () => {
    const wanted = ephemeral();
    const name = `${wanted.metadata.name}-v`;
    expect(decide(wanted, {})).toBe(
      `${all}waiting for ephemeral volume controller to create the persistentvolumeclaim "${name}".`,
    );
    expect(decide(wanted, { claims: [claim(name)] })).toContain('was not created for pod');
    const ownerReferences = [{ uid: wanted.metadata.uid, controller: true }];
    const claims = [claim(name, { volumeName: 'v' }, { annotations: completed, ownerReferences })];
    expect(decide(wanted, { claims, volumes: [volume('v')] })).toMatch(/^[ab]$/);
  });

  test('wakes when the claim changes, not with claims of others', () => {
    const info = podInfo(using('c'));
    const wakes = (name: string) =>
      volumeBinding.wakes?.({ type: 'claim-changed', claim: claim(name) }, info, cacheOf([]));
    expect([wakes('c'), wakes('other')]).toEqual([true, false]);
  });
});

const late = (name: string, spec: object = {}, metadata: object = {}) =>
  claim(name, { storageClassName: 'late', ...spec }, metadata);
const lateVolume = (name: string, spec: object = {}) => volume(name, { storageClassName: 'late', ...spec });
const noVolume = "node(s) didn't find available persistent volumes to bind";
const byHand = { classes: [storageClass('late', { provisioner: 'kubernetes.io/no-provisioner' })] };
const inZone = (zone: string) => ({
  allowedTopologies: [{ matchLabelExpressions: [{ key: 'zone', values: [zone] }] }],
});
const reports = { driver: () => ({ spec: { storageCapacity: true } }) as any };
const capacity = (zone: string, amount: string, more: object = {}) =>
  ({ storageClassName: 'late', nodeTopology: { matchLabels: { zone } }, capacity: amount, ...more }) as any;
const noSpace = 'node(s) did not have enough free storage';

describe('a pod whose claims wait for it', () => {
  test.each<[string, Pod, StorageObjects, string, string]>([
    [
      'goes where a free volume is',
      using('c'),
      { ...byHand, claims: [late('c')], volumes: [lateVolume('v', onNode('b'))] },
      noVolume,
      'fits',
    ],
    [
      'leaves volumes that are too small',
      using('c'),
      { ...byHand, claims: [late('c', { resources: { requests: { storage: '2Gi' } } })], volumes: [lateVolume('v')] },
      noVolume,
      noVolume,
    ],
    [
      'leaves volumes with other access modes',
      using('c'),
      { ...byHand, claims: [late('c', { accessModes: ['ReadWriteMany'] })], volumes: [lateVolume('v')] },
      noVolume,
      noVolume,
    ],
    [
      'leaves volumes of another mode',
      using('c'),
      { ...byHand, claims: [late('c', { volumeMode: 'Block' })], volumes: [lateVolume('v')] },
      noVolume,
      noVolume,
    ],
    [
      'leaves volumes without the labels it selects',
      using('c'),
      { ...byHand, claims: [late('c', { selector: { matchLabels: { fast: 'yes' } } })], volumes: [lateVolume('v')] },
      noVolume,
      noVolume,
    ],
    [
      'leaves volumes of other claims',
      using('c'),
      { ...byHand, claims: [late('c')], volumes: [lateVolume('v', { claimRef: { namespace: 'default', name: 'd' } })] },
      noVolume,
      noVolume,
    ],
    [
      'needs one volume for each claim',
      using('c', 'd'),
      { ...byHand, claims: [late('c'), late('d')], volumes: [lateVolume('v'), lateVolume('w', onNode('a'))] },
      'fits',
      noVolume,
    ],
    [
      'gives the smaller claim the smaller volume',
      using('c', 'd'),
      {
        ...byHand,
        claims: [late('c', { resources: { requests: { storage: '5Gi' } } }), late('d')],
        volumes: [lateVolume('v', { capacity: { storage: '5Gi' } }), lateVolume('w')],
      },
      'fits',
      'fits',
    ],
    [
      'uses one claim in two of its volumes',
      using('c', 'c'),
      { ...byHand, claims: [late('c')], volumes: [lateVolume('v')] },
      'fits',
      'fits',
    ],
    [
      'goes anywhere when its class has a provisioner',
      using('c'),
      { classes: [storageClass('late')], claims: [late('c')] },
      'fits',
      'fits',
    ],
    [
      'stays with the node that was chosen before',
      using('c'),
      {
        classes: [storageClass('late')],
        claims: [late('c', {}, { annotations: { 'volume.kubernetes.io/selected-node': 'a' } })],
      },
      'fits',
      noVolume,
    ],
    [
      'goes where its class allows',
      using('c'),
      { classes: [storageClass('late', inZone('y'))], claims: [late('c')] },
      noVolume,
      'fits',
    ],
    [
      'also needs the volume that it has',
      using('c', 'd'),
      {
        classes: [storageClass('late')],
        claims: [late('c'), boundClaim('d', 'v')],
        volumes: [volume('v', onNode('a'))],
      },
      'fits',
      "node(s) didn't match PersistentVolume's node affinity",
    ],
    [
      'both faults are in the message',
      using('c', 'd'),
      { ...byHand, claims: [late('c'), boundClaim('d', 'v')], volumes: [volume('v', onNode('a'))] },
      noVolume,
      `node(s) didn't match PersistentVolume's node affinity, ${noVolume}`,
    ],
    [
      'has a volume that does not exist',
      using('d'),
      { claims: [boundClaim('d', 'v')] },
      'node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)',
      'node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)',
    ],
    [
      'goes where its driver has space',
      using('c'),
      {
        ...reports,
        classes: [storageClass('late')],
        claims: [late('c')],
        capacities: () => [capacity('x', '1Mi'), capacity('y', '1Gi')],
      },
      noSpace,
      'fits',
    ],
    [
      'is limited by the largest volume',
      using('c'),
      {
        ...reports,
        classes: [storageClass('late')],
        claims: [late('c')],
        capacities: () => [capacity('x', '9Gi', { maximumVolumeSize: '1Mi' })],
      },
      noSpace,
      noSpace,
    ],
  ])('%s', (_, wanted, storage, onA, onB) => {
    expect(verdictsOf(volumeBinding, wanted, cacheWith(storage))).toEqual({ a: onA, b: onB });
  });
});
