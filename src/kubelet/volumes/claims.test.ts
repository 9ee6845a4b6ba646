import { expect, test } from 'vitest';
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '../../api/api.ts';
import { boundVolumes } from './claims.ts';
import { inline } from './persistent-source.ts';

const pod = (volume: object, container: object = {}): Pod =>
  ({
    metadata: { name: 'p', namespace: 'default', uid: 'uid-p' },
    spec: { containers: [{ name: 'c', image: 'i', ...container }], volumes: [{ name: 'v', ...volume }] },
  }) as unknown as Pod;
const mounts = { volumeMounts: [{ name: 'v', mountPath: '/v' }] };
const devices = { volumeDevices: [{ name: 'v', devicePath: '/dev/v' }] };
const using = (container: object = {}, readOnly?: boolean) =>
  pod({ persistentVolumeClaim: { claimName: 'c', ...(readOnly && { readOnly }) } }, container);
const claim = (fields: object = {}, metadata: object = {}): PersistentVolumeClaim =>
  ({
    metadata: { name: 'c', namespace: 'default', uid: 'uid-c', ...metadata },
    spec: { volumeName: 'disk' },
    status: { phase: 'Bound' },
    ...fields,
  }) as unknown as PersistentVolumeClaim;
const volume = (spec: object = {}): PersistentVolume =>
  ({ metadata: { name: 'disk' }, spec: { claimRef: { uid: 'uid-c' }, ...spec } }) as unknown as PersistentVolume;

function look(of: Pod, objects: { claim?: PersistentVolumeClaim; volume?: PersistentVolume }) {
  const missing = (name: string) => Promise.reject(new Error(`${name} not found`));
  return boundVolumes(of, {
    claim: async (_, name) => objects.claim ?? missing(`persistentvolumeclaims "${name}"`),
    volume: async (name) => objects.volume ?? missing(`persistentvolumes "${name}"`),
  });
}

const deletionTimestamp = '2026-01-01T00:00:00Z';
const failing = 'error processing PVC default/c: ';

test.each<[string, Pod, { claim?: PersistentVolumeClaim; volume?: PersistentVolume }, string]>([
  [
    'a missing claim',
    using(),
    {},
    `${failing}failed to fetch PVC from API server: persistentvolumeclaims "c" not found`,
  ],
  [
    'a claim that is not bound',
    using(),
    { claim: claim({ status: { phase: 'Pending' } }) },
    `${failing}PVC is not bound`,
  ],
  ['a claim without a status', using(), { claim: claim({ status: undefined }) }, `${failing}PVC is not bound`],
  ['a claim without a volume', using(), { claim: claim({ spec: {} }) }, `${failing}PVC has empty pvc.Spec.VolumeName`],
  ['a deleted claim', using(), { claim: claim({}, { deletionTimestamp }) }, `${failing}PVC is being deleted`],
  [
    'a missing volume',
    using(),
    { claim: claim() },
    `${failing}failed to fetch PV disk from API server: persistentvolumes "disk" not found`,
  ],
  [
    'a volume without a claim',
    using(),
    { claim: claim(), volume: volume({ claimRef: undefined }) },
    `${failing}found PV object disk but it has a nil pv.Spec.ClaimRef indicating it is not yet bound to the claim`,
  ],
  [
    'a volume of another claim',
    using(),
    { claim: claim(), volume: volume({ claimRef: { uid: 'uid-x' } }) },
    `${failing}found PV object disk but its pv.Spec.ClaimRef.UID uid-x does not point to claim.UID uid-c`,
  ],
  [
    'a block volume that is mounted',
    using(mounts),
    { claim: claim(), volume: volume({ volumeMode: 'Block' }) },
    'volume v has volumeMode Block, but is specified in volumeMounts',
  ],
  [
    'a file volume that is used as a device',
    using(devices),
    { claim: claim(), volume: volume() },
    'volume v has volumeMode Filesystem, but is specified in volumeDevices',
  ],
  [
    'an ephemeral volume with the claim of another pod',
    pod({ ephemeral: {} }),
    { claim: claim() },
    'PVC default/c was not created for pod default/p (pod is not owner)',
  ],
])('%s keeps the pod waiting', async (_, of, objects, why) => {
  await expect(look(of, objects)).rejects.toThrow(
    `Unable to attach or mount volumes: unmounted volumes=[v], unattached volumes=[], failed to process volumes=[v]: ${why}`,
  );
});

test('a bound claim gives its volume, read-only where the pod asks for it', async () => {
  const bound = { claim: claim(), volume: volume() };
  expect((await look(using(mounts), bound)).get('v')).toEqual({ ...bound, readOnly: false });
  expect((await look(using(mounts, true), bound)).get('v')).toMatchObject({ readOnly: true });
});

test('a deleted claim that is still protected serves the pods that use it', async () => {
  const leaving = claim({}, { deletionTimestamp, finalizers: ['kubernetes.io/pvc-protection'] });
  expect((await look(using(), { claim: leaving, volume: volume() })).size).toBe(1);
});

test.each<[string, object, object | string]>([
  ['hostPath', { hostPath: { path: '/d' } }, { name: 'v', hostPath: { path: '/d' } }],
  ['local', { local: { path: '/d' } }, { name: 'v', local: { path: '/d' } }],
  ['nfs', { nfs: { server: 's', path: '/d' } }, { name: 'v', nfs: { server: 's', path: '/d' } }],
  ['iscsi', { iscsi: {} }, 'no volume plugin matched: this node does not support iscsi volumes'],
  ['csi', { csi: {} }, 'no volume plugin matched: this node does not support csi volumes'],
  [
    'a block device',
    { nfs: { server: 's', path: '/d' }, volumeMode: 'Block' },
    'volume disk has volumeMode Block, which this node supports for CSI and local volumes only',
  ],
  [
    'mount options of a hostPath',
    { hostPath: { path: '/d' }, mountOptions: ['noexec'] },
    'Mount options are not supported for volume type kubernetes.io/host-path: noexec',
  ],
])('the source of a persistent volume: %s', (_, spec, expected) => {
  if (typeof expected === 'string') expect(() => inline(volume(spec), 'v')).toThrow(expected);
  else expect(inline(volume(spec), 'v')).toEqual(expected);
});
