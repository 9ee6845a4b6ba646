import { describe, expect, test } from 'vitest';
import type { Pod } from '../../api/api.ts';
import { seededRandom } from '../../machinery/random.ts';
import type { ClusterEvent } from '../cluster-events.ts';
import { SchedulingCycle } from '../cycle.ts';
import { podInfo } from '../pod-info.ts';
import { findPreemption } from '../preemption.ts';
import { cacheOf, node, pod, verdictsOf } from '../test-objects.ts';
import { nodeVolumeLimits } from './node-volume-limits.ts';
import { defaultPlugins } from './plugins.ts';
import {
  boundClaim,
  claim,
  csiNode,
  type StorageObjects,
  storageClass,
  storageOf,
  using,
  volume,
} from './test-storage.ts';
import { volumeRestrictions } from './volume-restrictions.ts';
import { volumeZone } from './volume-zone.ts';

const withVolume = (source: object): Pod => pod({}, { volumes: [{ name: 'v', ...source }] });

describe('VolumeRestrictions', () => {
  const exclusive = { claims: [claim('one', { accessModes: ['ReadWriteOncePod'] }), claim('many')] };
  const claimInUse =
    'node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod';
  const diskInUse = 'node(s) had no available disk';
  const gce = (readOnly = false) => withVolume({ gcePersistentDisk: { pdName: 'd', readOnly } });
  const aws = (volumeID = 'd') => withVolume({ awsElasticBlockStore: { volumeID } });
  const iscsi = (iqn: string, readOnly = false) => withVolume({ iscsi: { iqn, readOnly, targetPortal: 't', lun: 0 } });
  const rbd = (monitors: string[], image = 'i') => withVolume({ rbd: { monitors, pool: 'p', image } });
  test.each<[string, Pod, Pod, string, string]>([
    ['a claim for one pod that another pod uses, on any node', using('one'), using('one'), claimInUse, claimInUse],
    ['a claim for many pods', using('many'), using('many'), 'fits', 'fits'],
    ['another claim', using('one'), using('many'), 'fits', 'fits'],
    [
      'a missing claim',
      using('none'),
      using(),
      'persistentvolumeclaim "none" not found',
      'persistentvolumeclaim "none" not found',
    ],
    ['a GCE disk that is written', gce(), gce(true), diskInUse, 'fits'],
    ['a GCE disk that is only read', gce(true), gce(true), 'fits', 'fits'],
    ['an EBS volume', aws(), aws(), diskInUse, 'fits'],
    ['another EBS volume', aws(), aws('e'), 'fits', 'fits'],
    ['an iSCSI target', iscsi('q'), iscsi('q', true), diskInUse, 'fits'],
    ['an iSCSI target that is only read', iscsi('q', true), iscsi('q', true), 'fits', 'fits'],
    ['an RBD image with a common monitor', rbd(['m', 'n']), rbd(['n']), diskInUse, 'fits'],
    ['another RBD image', rbd(['m']), rbd(['m'], 'j'), 'fits', 'fits'],
  ])('%s', (_, coming, placed, onA, onB) => {
    const cache = cacheOf([node('a'), node('b')], [['a', placed]]);
    cache.storage = storageOf(exclusive);
    expect(verdictsOf(volumeRestrictions, coming, cache)).toEqual({ a: onA, b: onB });
  });

  test('a pod of a higher priority preempts the one that uses its claim', () => {
    const low = { ...using('one'), spec: { ...using('one').spec, priority: 1 } };
    const high = podInfo({ ...using('one'), spec: { ...using('one').spec, priority: 9 } });
    const cache = cacheOf([node('a'), node('b')], [['a', low]]);
    cache.storage = storageOf({
      claims: [boundClaim('one', 'v', { accessModes: ['ReadWriteOncePod'] })],
      volumes: [volume('v')],
    });
    const failure = new SchedulingCycle(defaultPlugins, seededRandom(1)).run(high, cache);
    if (failure.ok) throw new Error(`the pod went to ${failure.node}`);
    const found = findPreemption({ plugins: defaultPlugins, pod: high, failure, snapshot: cache, budgets: [] });
    expect(found).toMatchObject({ node: 'a', victims: [low] });
  });

  test.each<[string, ClusterEvent, boolean]>([
    ['its claim appears', { type: 'claim-changed', claim: claim('one') }, true],
    ['another claim appears', { type: 'claim-changed', claim: claim('many') }, false],
    ['a pod with its claim ends', { type: 'pod-gone', pod: using('one') }, true],
    ['a pod with another claim ends', { type: 'pod-gone', pod: using('many') }, false],
    ['a node comes', { type: 'node-added', node: node('c') }, true],
  ])('wakes the pod when %s: %j', (_, event, expected) =>
    expect(volumeRestrictions.wakes?.(event, podInfo(using('one')), cacheOf([]))).toBe(expected),
  );
});

describe('VolumeZone', () => {
  const zone = 'topology.kubernetes.io/zone';
  const betaZone = 'failure-domain.beta.kubernetes.io/zone';
  const nodes = [node('x', { labels: { [zone]: 'x' } }), node('y', { labels: { [zone]: 'y' } }), node('none')];
  const conflict = 'node(s) had no available volume zone';
  const labelled = (labels: Record<string, string>): StorageObjects => ({
    claims: [boundClaim('c', 'v')],
    volumes: [volume('v', {}, labels)],
  });
  const everywhere = (verdict: string) => [verdict, verdict, verdict];
  test.each<[string, StorageObjects, readonly string[]]>([
    ['a volume of one zone', labelled({ [zone]: 'x' }), ['fits', conflict, 'fits']],
    ['a volume with the old label', labelled({ [betaZone]: 'y' }), [conflict, 'fits', 'fits']],
    ['a volume of two zones', labelled({ [zone]: 'x__y' }), everywhere('fits')],
    ['a volume with an invalid list of zones', labelled({ [zone]: 'z__' }), everywhere('fits')],
    ['a volume of a region', labelled({ 'topology.kubernetes.io/region': 'r' }), [conflict, conflict, 'fits']],
    ['a volume without labels', labelled({}), everywhere('fits')],
    [
      'a claim without a volume',
      { claims: [claim('c', { storageClassName: 's' })], classes: [storageClass('s')] },
      everywhere('fits'),
    ],
    [
      'a claim without a volume, of an immediate class',
      {
        claims: [claim('c', { storageClassName: 's' })],
        classes: [storageClass('s', { volumeBindingMode: 'Immediate' })],
      },
      everywhere('PersistentVolume had no name'),
    ],
    [
      'a claim of a missing class',
      { claims: [claim('c', { storageClassName: 's' })] },
      everywhere('storageclass.storage.k8s.io "s" not found'),
    ],
    [
      'a claim without a class',
      { claims: [claim('c')] },
      everywhere('PersistentVolumeClaim had no pv name and storageClass name'),
    ],
    ['a missing claim', {}, everywhere('persistentvolumeclaim "c" not found')],
    ['a missing volume', { claims: [boundClaim('c', 'v')] }, everywhere('persistentvolume "v" not found')],
  ])('%s', (_, storage, [x, y, none]) => {
    const cache = cacheOf(nodes);
    cache.storage = storageOf(storage);
    expect(verdictsOf(volumeZone, using('c'), cache)).toEqual({ x, y, none });
  });
});

describe('NodeVolumeLimits', () => {
  const exceeded = 'node(s) exceed max volume count';
  const disk = (name: string, driver = 'd') => volume(name, { csi: { driver, volumeHandle: name } });
  const bound = ['1', '2', '3'].map((i) => boundClaim(`c${i}`, `v${i}`));
  const volumes = ['1', '2', '3'].map((i) => disk(`v${i}`));
  const limited = (count?: number): StorageObjects => ({
    claims: bound,
    volumes,
    csiNodes: [csiNode('a', 'd', count)],
  });
  const attached = (name: string) =>
    ({ spec: { nodeName: 'a', attacher: 'd', source: { persistentVolumeName: name } } }) as any;
  test.each<[string, Pod, readonly Pod[], StorageObjects, string]>([
    ['below the limit', using('c1'), [using('c2')], limited(2), 'fits'],
    ['at the limit', using('c1'), [using('c2'), using('c3')], limited(2), exceeded],
    ['a volume that the node has already', using('c1'), [using('c1'), using('c2')], limited(2), 'fits'],
    ['two volumes at once', using('c1', 'c2'), [], limited(1), exceeded],
    ['a driver without a limit', using('c1'), [using('c2')], limited(), 'fits'],
    [
      'a limit of another driver',
      using('c1'),
      [using('c2')],
      { ...limited(), csiNodes: [csiNode('a', 'e', 0)] },
      'fits',
    ],
    [
      'a volume that is attached for no pod',
      using('c1'),
      [using('c2')],
      { ...limited(2), attachmentsOf: () => [attached('v3')] },
      exceeded,
    ],
    [
      'an attachment of a volume that a pod has',
      using('c1'),
      [using('c2')],
      { ...limited(2), attachmentsOf: () => [attached('v2')] },
      'fits',
    ],
    [
      'a volume that is to be provisioned',
      using('new'),
      [using('c2')],
      {
        ...limited(1),
        claims: [...bound, claim('new', { storageClassName: 's' })],
        classes: [storageClass('s', { provisioner: 'd' })],
      },
      exceeded,
    ],
    [
      'a volume of no driver',
      using('path'),
      [using('c2')],
      {
        ...limited(1),
        claims: [...bound, boundClaim('path', 'p')],
        volumes: [...volumes, volume('p', { hostPath: { path: '/d' } })],
      },
      'fits',
    ],
  ])('%s', (_, coming, placed, storage, verdict) => {
    const cache = cacheOf(
      [node('a')],
      placed.map((one) => ['a', one] as const),
    );
    cache.storage = storageOf(storage);
    expect(verdictsOf(nodeVolumeLimits, coming, cache)).toEqual({ a: verdict });
  });
});

describe('wakes', () => {
  const waiting = { ...podInfo(pod()), claims: ['default/c'], claimVolumes: [{ claim: 'c', volume: 'v' }] };
  const claim = (name: string, namespace = 'default') => ({
    type: 'claim-changed',
    claim: { metadata: { name, namespace } },
  });
  const withClaim = pod({}, { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'x' } }] });
  const changed = (...aspects: string[]) => ({ type: 'node-changed', node: node('n'), old: node('n'), aspects });
  test.each([
    ['VolumeZone', 'its claim', volumeZone, claim('c'), true],
    ['VolumeZone', 'another claim', volumeZone, claim('d'), false],
    ['VolumeZone', 'a claim of another namespace', volumeZone, claim('c', 'other'), false],
    ['VolumeZone', 'labels of a node', volumeZone, changed('labels'), true],
    ['VolumeZone', 'resources of a node', volumeZone, changed('allocatable'), false],
    ['VolumeZone', 'a new node', volumeZone, { type: 'node-added', node: node('n') }, true],
    ['VolumeZone', 'a volume', volumeZone, { type: 'storage-changed' }, true],
    ['VolumeZone', 'a pod that ended', volumeZone, { type: 'pod-gone', pod: pod() }, false],
    ['NodeVolumeLimits', 'its claim', nodeVolumeLimits, claim('c'), true],
    ['NodeVolumeLimits', 'another claim', nodeVolumeLimits, claim('d'), false],
    ['NodeVolumeLimits', 'a pod with a claim that ended', nodeVolumeLimits, { type: 'pod-gone', pod: withClaim }, true],
    ['NodeVolumeLimits', 'a pod without one that ended', nodeVolumeLimits, { type: 'pod-gone', pod: pod() }, false],
    ['NodeVolumeLimits', 'a driver', nodeVolumeLimits, { type: 'csi-changed' }, true],
    ['NodeVolumeLimits', 'a volume', nodeVolumeLimits, { type: 'storage-changed' }, false],
  ])('%s, after a change of %s', (_name, _change, plugin, event, wakes) =>
    expect(plugin.wakes?.(event as unknown as ClusterEvent, waiting as never, cacheOf([]))).toBe(wakes),
  );
});
