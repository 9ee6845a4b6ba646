import { describe, expect, test } from 'vitest';
import { type FaultRow, faultFinder } from '../kinds/test-faults.ts';

const spec = { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'] };
const hostPath = { ...spec, hostPath: { path: '/d' } };
const csi = { ...spec, csi: { driver: 'd.test', volumeHandle: 'v' } };
const finder = (base: object) => faultFinder('v1/persistentvolumes', { spec: base });
const subdomain =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

describe('new volumes', () => {
  const modes = '"ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"';
  test.each<FaultRow>([
    ['spec.accessModes', [], ['spec.accessModes: Required value']],
    ['spec.accessModes', ['Odd'], [`spec.accessModes: Unsupported value: "Odd": supported values: ${modes}`]],
    [
      'spec.accessModes',
      ['ReadWriteOnce', 'ReadWriteOncePod'],
      ['spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes'],
    ],
    [
      'spec.capacity',
      {},
      ['spec.capacity: Required value', 'spec.capacity: Unsupported value: {}: supported values: "storage"'],
    ],
    [
      'spec.capacity',
      undefined,
      ['spec.capacity: Required value', 'spec.capacity: Unsupported value: null: supported values: "storage"'],
    ],
    ['spec.capacity', { storage: '0' }, ['spec.capacity[storage]: Invalid value: "0": must be greater than zero']],
    [
      'spec.capacity',
      { storage: '-1500m' },
      [
        'spec.capacity[storage]: Invalid value: -2: must be a valid resource quantity',
        'spec.capacity[storage]: Invalid value: "-1500m": must be greater than zero',
      ],
    ],
    [
      'spec.persistentVolumeReclaimPolicy',
      'Odd',
      ['spec.persistentVolumeReclaimPolicy: Unsupported value: "Odd": supported values: "Delete", "Recycle", "Retain"'],
    ],
    ['spec.nodeAffinity', {}, ['spec.nodeAffinity.required: Required value: must specify required node constraints']],
    ['spec.hostPath', undefined, ['spec: Required value: must specify a volume type']],
    ['spec.storageClassName', 'A', [`spec.storageClassName: Invalid value: "A": ${subdomain}`]],
    ['spec.storageClassName', '', []],
    ['spec.volumeMode', '', ['spec.volumeMode: Unsupported value: "": supported values: "Block", "Filesystem"']],
    [
      'spec.volumeAttributesClassName',
      '',
      [
        'spec.volumeAttributesClassName: Required value: an empty string is disallowed',
        'spec.csi: Required value: has to be specified when using volumeAttributesClassName',
      ],
    ],
    [
      'spec',
      { ...hostPath, hostPath: { path: '//.' }, persistentVolumeReclaimPolicy: 'Recycle' },
      ["spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'"],
    ],
    [
      'spec',
      { ...hostPath, hostPath: { path: '/a/..' }, persistentVolumeReclaimPolicy: 'Recycle' },
      [
        'spec.hostPath.path: Invalid value: "/a/..": must not contain \'..\'',
        "spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'",
      ],
    ],
    ['spec.local', { path: '/l' }, ['spec.local: Forbidden: may not specify more than 1 volume type']],
    [
      'spec',
      { ...spec, local: {} },
      ['spec.local.path: Required value', 'spec.nodeAffinity: Required value: Local volume requires node affinity'],
    ],
    [
      'spec',
      { ...spec, csi: { driver: '', nodePublishSecretRef: { name: 'S', namespace: 'a.b' } } },
      [
        'spec.csi.driver: Required value',
        'spec.csi.volumeHandle: Required value',
        `spec.csi.nodePublishSecretRef.name: Invalid value: "S": ${subdomain}`,
        'spec.csi.nodePublishSecretRef.namespace: Invalid value: "a.b": must not contain dots',
      ],
    ],
    [
      'spec',
      { ...spec, glusterfs: { endpoints: 'e', path: 'p', endpointsNamespace: '' } },
      [
        'spec.glusterfs.endpointsNamespace: Invalid value: "": if the endpointnamespace is set, it must be a valid namespace name',
      ],
    ],
    [
      'spec',
      { ...spec, azureFile: { secretNamespace: '' } },
      [
        'spec.azureFile.secretName: Required value',
        'spec.azureFile.shareName: Required value',
        'spec.azureFile.secretNamespace: Required value',
      ],
    ],
    [
      'spec',
      { ...spec, cinder: { volumeID: 'v', secretRef: {} } },
      ['spec.cinder.secretRef.name: Required value', 'spec.cinder.secretRef.namespace: Required value'],
    ],
    [
      'spec',
      { ...spec, iscsi: { targetPortal: 'p'.repeat(64), iqn: 'x', initiatorName: 'naa.1', secretRef: {} } },
      [
        `spec.iscsi.targetportal: Invalid value: "${'p'.repeat(64)}": Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.`,
        'spec.iscsi.iqn: Invalid value: "x": must be valid format',
        'spec.iscsi.secretRef.name: Required value',
        'spec.iscsi.initiatorname: Invalid value: "naa.1": must be valid format',
      ],
    ],
    [
      'metadata',
      { name: 'x', annotations: { 'volume.beta.kubernetes.io/mount-options': 'ro' } },
      [
        'metadata.annotations.volume.beta.kubernetes.io/mount-options: Forbidden: may not specify mount options for this volume type',
      ],
    ],
  ])('%s = %j', (path, value, faults) => expect(finder(hostPath).onCreate(path, value)).toEqual(faults));
});

describe('changed volumes', () => {
  test.each<FaultRow>([
    ['spec.accessModes', ['ReadWriteMany'], []],
    ['spec.mountOptions', [], []],
    ['spec.csi.volumeAttributes', {}, []],
    ['spec.csi.controllerExpandSecretRef', { name: 's', namespace: 'n' }, []],
    ['spec.volumeMode', 'Block', ['volumeMode: Invalid value: "Block": field is immutable']],
    ['spec.volumeAttributesClassName', 'a', []],
    [
      'spec.csi.fsType',
      'xfs',
      [
        'spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation\n' +
          '@@ -24,7 +24,7 @@\n   "Driver": "d.test",\n   "VolumeHandle": "v",\n   "ReadOnly": false,\n-  "FSType": "",\n+  "FSType": "xfs",\n   "VolumeAttributes": null,\n   "ControllerPublishSecretRef": null,\n   "NodeStageSecretRef": null,\n',
      ],
    ],
  ])('%s = %j', (path, value, faults) => expect(finder(csi).onUpdate(path, value)).toEqual(faults));
});
