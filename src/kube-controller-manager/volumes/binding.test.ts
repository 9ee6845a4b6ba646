import { describe, expect, test } from 'vitest';
import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from '../../api/api.ts';
import { type ClaimView, decideClaim, decideVolume, reclaimFault } from './binding.ts';

const completed = { 'pv.kubernetes.io/bind-completed': 'yes' };
const byController = { 'pv.kubernetes.io/bound-by-controller': 'yes' };
const provisioned = { 'pv.kubernetes.io/provisioned-by': 'example.com/disk' };

interface Fields {
  readonly annotations?: Record<string, string>;
  readonly labels?: Record<string, string>;
  readonly deletionTimestamp?: string;
  readonly phase?: string;
  readonly size?: string;
  readonly [field: string]: unknown;
}

function claim({ annotations = {}, size = '1Gi', ...spec }: Fields = {}): PersistentVolumeClaim {
  return {
    metadata: { name: 'c', namespace: 'default', uid: 'uid-c', annotations },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: size } }, ...spec },
  } as unknown as PersistentVolumeClaim;
}

function volume(name: string, fields: Fields = {}): PersistentVolume {
  const { annotations = {}, labels = {}, deletionTimestamp, phase = 'Available', size = '1Gi', ...spec } = fields;
  return {
    metadata: { name, annotations, labels, ...(deletionTimestamp && { deletionTimestamp }) },
    spec: { capacity: { storage: size }, accessModes: ['ReadWriteOnce'], ...spec },
    status: { phase },
  } as unknown as PersistentVolume;
}

const storageClass = (name: string, fields: object = {}) =>
  ({ metadata: { name }, provisioner: 'example.com/disk', volumeBindingMode: 'Immediate', ...fields }) as StorageClass;
const late = storageClass('late', { volumeBindingMode: 'WaitForFirstConsumer' });
const byDefault = (name: string, creationTimestamp: string) =>
  storageClass(name, {
    metadata: { name, creationTimestamp, annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
  });
const reference = (uid?: string, name = 'c', namespace = 'default') => ({ name, namespace, ...(uid && { uid }) });

/** A decision in one line. */
function said(decision: ReturnType<typeof decideClaim>): string {
  switch (decision.do) {
    case 'bind':
      return `bind ${decision.volume.metadata.name}`;
    case 'name-class':
      return `class ${decision.storageClass}`;
    case 'ask-provisioner':
      return `ask ${decision.provisioner}`;
    default:
      return `${decision.do}${decision.note ? ` ${decision.note.reason}: ${decision.note.message}` : ''}`;
  }
}

const decide = (of: PersistentVolumeClaim, view: Partial<ClaimView>) =>
  said(decideClaim(of, { volumes: [], classes: [], waitingPods: [], ...view }));

const noVolumes = 'wait FailedBinding: no persistent volumes available for this claim and no storage class is set';
const first = 'wait WaitForFirstConsumer: waiting for first consumer to be created before binding';

describe('a claim without a volume', () => {
  test.each<[string, PersistentVolumeClaim, Partial<ClaimView>, string]>([
    [
      'takes the smallest that fits',
      claim({ size: '2Gi' }),
      { volumes: [volume('big', { size: '9Gi' }), volume('fit', { size: '3Gi' }), volume('small')] },
      'bind fit',
    ],
    [
      'takes one with fewer access modes before a smaller one',
      claim(),
      {
        volumes: [volume('both', { accessModes: ['ReadWriteOnce', 'ReadWriteMany'] }), volume('big', { size: '9Gi' })],
      },
      'bind big',
    ],
    [
      'needs all of its access modes',
      claim({ accessModes: ['ReadWriteMany'] }),
      { volumes: [volume('once')] },
      noVolumes,
    ],
    ['needs its volume mode', claim({ volumeMode: 'Block' }), { volumes: [volume('files')] }, noVolumes],
    [
      'needs the labels that it selects',
      claim({ selector: { matchLabels: { disk: 'fast' } } }),
      { volumes: [volume('any'), volume('fast', { labels: { disk: 'fast' }, size: '5Gi' })] },
      'bind fast',
    ],
    [
      'needs its volume attributes class',
      claim({ volumeAttributesClassName: 'gold' }),
      { volumes: [volume('any'), volume('gold', { volumeAttributesClassName: 'gold', size: '5Gi' })] },
      'bind gold',
    ],
    [
      'needs its class',
      claim({ storageClassName: 'slow' }),
      { volumes: [volume('none'), volume('slow', { storageClassName: 'slow', size: '5Gi' })] },
      'bind slow',
    ],
    [
      'with the empty class takes volumes without a class',
      claim({ storageClassName: '' }),
      { volumes: [volume('slow', { storageClassName: 'slow' }), volume('none', { size: '5Gi' })] },
      'bind none',
    ],
    [
      'of a class named by the old annotation',
      claim({ annotations: { 'volume.beta.kubernetes.io/storage-class': 'slow' } }),
      { volumes: [volume('slow', { storageClassName: 'slow' })] },
      'bind slow',
    ],
    [
      'takes the volume that is reserved for it before a smaller one',
      claim(),
      { volumes: [volume('small'), volume('kept', { size: '5Gi', claimRef: reference() })] },
      'bind kept',
    ],
    [
      'takes a reserved volume of another class',
      claim({ storageClassName: 'slow' }),
      { volumes: [volume('kept', { claimRef: reference() })] },
      'bind kept',
    ],
    [
      'leaves a volume that is reserved for another claim',
      claim(),
      { volumes: [volume('kept', { claimRef: reference(undefined, 'other') })] },
      noVolumes,
    ],
    [
      'leaves a volume that was bound to an earlier claim of its name',
      claim(),
      { volumes: [volume('kept', { claimRef: reference('uid-before') })] },
      noVolumes,
    ],
    ['leaves volumes that are not Available', claim(), { volumes: [volume('new', { phase: 'Pending' })] }, noVolumes],
    [
      'leaves volumes that are being deleted',
      claim(),
      { volumes: [volume('gone', { deletionTimestamp: 'now' })] },
      noVolumes,
    ],
    [
      'without a class gets the newest default class',
      claim(),
      { classes: [byDefault('old', '2025-01-01T00:00:00Z'), byDefault('new', '2026-01-01T00:00:00Z')] },
      'class new',
    ],
    [
      'without a class gets the first by name of equally old default classes',
      claim(),
      { classes: [byDefault('b', '2025-01-01T00:00:00Z'), byDefault('a', '2025-01-01T00:00:00Z')] },
      'class a',
    ],
    [
      'with the empty class gets no default class',
      claim({ storageClassName: '' }),
      { classes: [byDefault('new', '2026-01-01T00:00:00Z')] },
      noVolumes,
    ],
    [
      'is left to the provisioner of its class',
      claim({ storageClassName: 'now' }),
      { classes: [storageClass('now')] },
      'ask example.com/disk',
    ],
    [
      'of a missing class',
      claim({ storageClassName: 'none' }),
      {},
      'wait ProvisioningFailed: storageclass.storage.k8s.io "none" not found',
    ],
    [
      'of a class without a provisioner',
      claim({ storageClassName: 'now' }),
      { classes: [storageClass('now', { provisioner: 'kubernetes.io/no-provisioner' })] },
      'wait ProvisioningFailed: no volume plugin matched name: kubernetes.io/no-provisioner',
    ],
    [
      'of an in-tree plugin is left to the driver that replaced it',
      claim({ storageClassName: 'now' }),
      { classes: [storageClass('now', { provisioner: 'kubernetes.io/gce-pd' })] },
      'ask pd.csi.storage.gke.io',
    ],
    [
      'of an in-tree plugin without such a driver',
      claim({ storageClassName: 'now' }),
      { classes: [storageClass('now', { provisioner: 'kubernetes.io/glusterfs' })] },
      'wait ProvisioningFailed: no volume plugin matched name: kubernetes.io/glusterfs',
    ],
    [
      'of a class that waits for its first pod',
      claim({ storageClassName: 'late' }),
      { classes: [late], volumes: [volume('late', { storageClassName: 'late' })] },
      first,
    ],
    [
      'of such a class, with one pod',
      claim({ storageClassName: 'late' }),
      { classes: [late], waitingPods: ['a'] },
      'wait WaitForPodScheduled: waiting for pod a to be scheduled',
    ],
    [
      'of such a class, with two pods',
      claim({ storageClassName: 'late' }),
      { classes: [late], waitingPods: ['a', 'b'] },
      'wait WaitForPodScheduled: waiting for pods a,b to be scheduled',
    ],
    [
      'of such a class, with a reserved volume',
      claim({ storageClassName: 'late' }),
      { classes: [late], volumes: [volume('kept', { storageClassName: 'late', claimRef: reference() })] },
      'bind kept',
    ],
    [
      'of such a class, whose pod has a node',
      claim({ storageClassName: 'late', annotations: { 'volume.kubernetes.io/selected-node': 'n' } }),
      { classes: [late] },
      'ask example.com/disk',
    ],
  ])('%s', (_, of, view, decision) => expect(decide(of, view)).toBe(decision));
});

describe('a claim that names a volume', () => {
  const naming = (fields: Fields = {}) => claim({ volumeName: 'v', ...fields });
  test.each<[string, PersistentVolumeClaim, readonly PersistentVolume[], string]>([
    ['that does not exist', naming(), [], 'wait'],
    ['that is free', naming(), [volume('v')], 'bind v'],
    ['that is reserved for it', naming(), [volume('v', { claimRef: reference(), size: '1' })], 'bind v'],
    [
      'that is too small',
      naming({ size: '2Gi' }),
      [volume('v')],
      'wait VolumeMismatch: Cannot bind to requested volume "v": requested PV is too small',
    ],
    [
      'of another class',
      naming({ storageClassName: 'slow' }),
      [volume('v')],
      'wait VolumeMismatch: Cannot bind to requested volume "v": storageClassName does not match',
    ],
    [
      'of another volume attributes class',
      naming({ volumeAttributesClassName: 'gold' }),
      [volume('v')],
      'wait VolumeMismatch: Cannot bind to requested volume "v": volumeAttributesClassName does not match',
    ],
    [
      'of another mode',
      naming({ volumeMode: 'Block' }),
      [volume('v')],
      'wait VolumeMismatch: Cannot bind to requested volume "v": incompatible volumeMode',
    ],
    [
      'without its access mode',
      naming({ accessModes: ['ReadOnlyMany'] }),
      [volume('v')],
      'wait VolumeMismatch: Cannot bind to requested volume "v": incompatible accessMode',
    ],
    [
      'that is being deleted',
      naming(),
      [volume('v', { deletionTimestamp: 'now' })],
      'wait VolumeMismatch: Cannot bind to requested volume "v": the volume is marked for deletion "v"',
    ],
    [
      'of another claim',
      naming(),
      [volume('v', { claimRef: reference('x', 'other') })],
      'wait FailedBinding: volume "v" already bound to a different claim.',
    ],
  ])('%s', (_, of, volumes, decision) => expect(decide(of, { volumes })).toBe(decision));
});

describe('a claim that was bound', () => {
  const bound = (fields: Fields = {}) => claim({ volumeName: 'v', annotations: completed, ...fields });
  test.each<[string, PersistentVolumeClaim, readonly PersistentVolume[], string]>([
    ['stays bound', bound(), [volume('v', { claimRef: reference('uid-c') })], 'bind v'],
    ['is bound again when its volume lost the reference', bound(), [volume('v')], 'bind v'],
    [
      'names no volume any more',
      claim({ annotations: completed }),
      [],
      'lose ClaimLost: Bound claim has lost reference to PersistentVolume. Data on the volume is lost!',
    ],
    [
      'lost its volume',
      bound(),
      [],
      'lose ClaimLost: Bound claim has lost its PersistentVolume. Data on the volume is lost!',
    ],
    [
      'shares its volume',
      bound(),
      [volume('v', { claimRef: reference('uid-x', 'x') })],
      'lose ClaimMisbound: Two claims are bound to the same volume, this one is bound incorrectly',
    ],
  ])('%s', (_, of, volumes, decision) => expect(decide(of, { volumes })).toBe(decision));
});

describe('a volume', () => {
  const bound = { claimRef: reference('uid-c') };
  const elsewhere = claim({ volumeName: 'other' });
  test.each<[string, PersistentVolume, PersistentVolumeClaim | undefined, object]>([
    ['without a claim is free', volume('v'), undefined, { do: 'set-phase', phase: 'Available' }],
    [
      'that is reserved is free',
      volume('v', { claimRef: reference() }),
      claim(),
      { do: 'set-phase', phase: 'Available' },
    ],
    ['of a bound claim is bound', volume('v', bound), claim({ volumeName: 'v' }), { do: 'set-phase', phase: 'Bound' }],
    ['whose claim is not complete waits for it', volume('v', bound), claim(), { do: 'wait-for-claim' }],
    ['whose claim is gone is reclaimed', volume('v', bound), undefined, { do: 'reclaim' }],
    [
      'whose claim was replaced is reclaimed',
      volume('v', { claimRef: reference('uid-before') }),
      claim(),
      { do: 'reclaim' },
    ],
    [
      'whose claim is bound elsewhere is freed',
      volume('v', { ...bound, annotations: byController }),
      elsewhere,
      { do: 'unbind' },
    ],
    [
      'that was made for a claim which is bound elsewhere is reclaimed',
      volume('v', { ...bound, annotations: provisioned, persistentVolumeReclaimPolicy: 'Delete' }),
      elsewhere,
      { do: 'reclaim' },
    ],
    [
      'that was made and is retained is freed',
      volume('v', { ...bound, annotations: provisioned, persistentVolumeReclaimPolicy: 'Retain' }),
      elsewhere,
      { do: 'unbind' },
    ],
  ])('%s', (_, of, its, decision) => expect(decideVolume(of, its)).toEqual(decision));

  test('of another mode than its claim is reported on both', () => {
    expect(decideVolume(volume('v', { ...bound, volumeMode: 'Block' }), claim())).toMatchObject({
      do: 'wait-for-claim',
      onVolume: {
        message: 'Cannot bind PersistentVolume to requested PersistentVolumeClaim "c" due to incompatible volumeMode.',
      },
      onClaim: {
        message: 'Cannot bind PersistentVolume "v" to requested PersistentVolumeClaim due to incompatible volumeMode.',
      },
    });
  });
});

test.each<[string, Fields, string | undefined]>([
  ['Retain keeps it', { persistentVolumeReclaimPolicy: 'Retain' }, undefined],
  [
    'Recycle is refused',
    { persistentVolumeReclaimPolicy: 'Recycle' },
    'VolumeFailedRecycle: No recycler plugin found for the volume!',
  ],
  [
    'Delete of a volume that an administrator made',
    { persistentVolumeReclaimPolicy: 'Delete' },
    'VolumeFailedDelete: error getting deleter volume plugin for volume "v": no deletable volume plugin matched',
  ],
  [
    'Delete is left to an external provisioner',
    { persistentVolumeReclaimPolicy: 'Delete', annotations: provisioned },
    undefined,
  ],
  [
    'Delete is left to a CSI driver',
    { persistentVolumeReclaimPolicy: 'Delete', csi: { driver: 'd', volumeHandle: 'h' } },
    undefined,
  ],
  [
    'Delete by a plugin that is gone',
    {
      persistentVolumeReclaimPolicy: 'Delete',
      annotations: { 'pv.kubernetes.io/provisioned-by': 'kubernetes.io/glusterfs' },
    },
    'VolumeFailedDelete: no volume plugin matched name: kubernetes.io/glusterfs',
  ],
  [
    'Delete is left to the driver that replaced the plugin',
    {
      persistentVolumeReclaimPolicy: 'Delete',
      annotations: { 'pv.kubernetes.io/provisioned-by': 'kubernetes.io/aws-ebs' },
    },
    undefined,
  ],
])('reclaim policy: %s', (_, fields, expected) => {
  const fault = reclaimFault(volume('v', fields));
  expect(fault && `${fault.reason}: ${fault.message}`).toBe(expected);
});
