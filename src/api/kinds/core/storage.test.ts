// Validation of volumes, claims and storage classes: the field, the new value, and Kubernetes' faults.
import { describe, expect, test } from 'vitest';
import { type FaultRow, faultFinder } from '../test-faults.ts';

describe('persistentvolumes', () => {
  const find = faultFinder('v1/persistentvolumes', {
    spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/a' } },
  });
  test.each<FaultRow>([
    [
      'spec.capacity',
      undefined,
      ['spec.capacity: Required value', 'spec.capacity: Unsupported value: null: supported values: "storage"'],
    ],
    ['spec.capacity', { storage: '0' }, ['spec.capacity[storage]: Invalid value: "0": must be greater than zero']],
    ['spec.accessModes', [], ['spec.accessModes: Required value']],
    [
      'spec.accessModes',
      ['x'],
      [
        'spec.accessModes: Unsupported value: "x": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"',
      ],
    ],
    [
      'spec.accessModes',
      ['ReadWriteOnce', 'ReadWriteOncePod'],
      ['spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes'],
    ],
    ['spec.hostPath', undefined, ['spec: Required value: must specify a volume type']],
    ['spec.nfs', { server: 's', path: '/p' }, ['spec.nfs: Forbidden: may not specify more than 1 volume type']],
    ['spec.hostPath.path', '/a/../b', ['spec.hostPath.path: Invalid value: "/a/../b": must not contain \'..\'']],
    [
      'spec.persistentVolumeReclaimPolicy',
      'x',
      ['spec.persistentVolumeReclaimPolicy: Unsupported value: "x": supported values: "Delete", "Recycle", "Retain"'],
    ],
    ['spec.volumeMode', 'x', ['spec.volumeMode: Unsupported value: "x": supported values: "Block", "Filesystem"']],
    [
      'spec.storageClassName',
      'A_b',
      [
        "spec.storageClassName: Invalid value: \"A_b\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
      ],
    ],
    ['spec.nodeAffinity', {}, ['spec.nodeAffinity.required: Required value: must specify required node constraints']],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
  test.each<FaultRow>([['spec.volumeMode', 'Block', ['volumeMode: Invalid value: "Block": field is immutable']]])(
    'changed: %s = %j',
    (path, value, faults) => expect(find.onUpdate(path, value)).toEqual(faults),
  );
});

describe('persistentvolumeclaims', () => {
  const find = faultFinder('v1/persistentvolumeclaims', {
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  });
  test.each<FaultRow>([
    ['spec.accessModes', undefined, ['spec.accessModes: Required value: at least 1 access mode is required']],
    ['spec.resources', {}, ['spec.resources[storage]: Required value']],
    [
      'spec.resources.requests.storage',
      '-1',
      ['spec.resources[storage]: Invalid value: "-1": must be greater than zero'],
    ],
    [
      'spec.storageClassName',
      'A_b',
      [
        "spec.storageClassName: Invalid value: \"A_b\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
      ],
    ],
    ['spec.volumeMode', 'x', ['spec.volumeMode: Unsupported value: "x": supported values: "Block", "Filesystem"']],
    ['spec.dataSource', { kind: 'k', name: 'n' }, []],
    [
      'spec.selector',
      { matchLabels: { 'a b': 'c' } },
      [
        "spec.selector.matchLabels: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
      ],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
  test.each<FaultRow>([
    [
      'spec.resources.requests.storage',
      '2Gi',
      [
        'spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n@@ -6,7 +6,7 @@\n  "Resources": {\n   "Limits": null,\n   "Requests": {\n-   "storage": "1Gi"\n+   "storage": "2Gi"\n   }\n  },\n  "VolumeName": "",\n',
      ],
    ],
  ])('changed: %s = %j', (path, value, faults) => expect(find.onUpdate(path, value)).toEqual(faults));
});

describe('storageclasses', () => {
  const find = faultFinder('storage.k8s.io/v1/storageclasses', { provisioner: 'p.q/r' });
  test.each<FaultRow>([
    ['provisioner', '', ['provisioner: Required value']],
    [
      'provisioner',
      'a b',
      [
        "provisioner: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
      ],
    ],
    ['reclaimPolicy', 'Recycle', ['reclaimPolicy: Unsupported value: "Recycle": supported values: "Delete", "Retain"']],
    [
      'volumeBindingMode',
      'x',
      ['volumeBindingMode: Unsupported value: "x": supported values: "Immediate", "WaitForFirstConsumer"'],
    ],
    ['parameters', { '': 'x' }, ['parameters: Invalid value: "": field can not be empty.']],
    [
      'allowedTopologies',
      [{ matchLabelExpressions: [{ key: '', values: [] }] }],
      [
        'allowedTopologies[0].matchLabelExpressions[0].values: Required value',
        'allowedTopologies[0].matchLabelExpressions[0].key: Invalid value: "": name part must be non-empty',
        "allowedTopologies[0].matchLabelExpressions[0].key: Invalid value: \"\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
      ],
    ],
    [
      'allowedTopologies',
      [
        {
          matchLabelExpressions: [
            { key: 'z', values: ['a', 'a'] },
            { key: 'z', values: ['b'] },
          ],
        },
      ],
      [
        'allowedTopologies[0].matchLabelExpressions[0].values[1]: Duplicate value: "a"',
        'allowedTopologies[0].matchLabelExpressions[1].key: Duplicate value: "z"',
      ],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
  test.each<FaultRow>([
    ['provisioner', 'other', ['provisioner: Invalid value: "other": field is immutable']],
    ['parameters', { a: 'b' }, ['parameters: Invalid value: {"a":"b"}: field is immutable']],
  ])('changed: %s = %j', (path, value, faults) => expect(find.onUpdate(path, value)).toEqual(faults));
});

describe('csidrivers', () => {
  const find = faultFinder('storage.k8s.io/v1/csidrivers', { spec: {} });
  test.each<FaultRow>([
    [
      'spec.fsGroupPolicy',
      'x',
      ['spec.fsGroupPolicy: Unsupported value: "x": supported values: "File", "None", "ReadWriteOnceWithFSType"'],
    ],
    [
      'spec.volumeLifecycleModes',
      ['x'],
      ['spec.volumeLifecycleModes: Unsupported value: "x": supported values: "Persistent", "Ephemeral"'],
    ],
    [
      'spec.tokenRequests',
      [{ audience: 'a', expirationSeconds: 1 }, { audience: 'a' }],
      [
        'spec.tokenRequests[0].expirationSeconds: Invalid value: 1: may not specify a duration less than 10 minutes',
        'spec.tokenRequests[1].audience: Duplicate value: "a"',
      ],
    ],
    [
      'spec.serviceAccountTokenInSecrets',
      true,
      [
        'spec.serviceAccountTokenInSecrets: Invalid value: true: serviceAccountTokenInSecrets is set but no tokenRequests are specified',
      ],
    ],
    [
      'spec.nodeAllocatableUpdatePeriodSeconds',
      9,
      ['spec.nodeAllocatableUpdatePeriodSeconds: Invalid value: 9: must be greater than or equal to 10 seconds'],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
  test.each<FaultRow>([
    ['spec.attachRequired', false, ['spec.attachedRequired: Invalid value: false: field is immutable']],
  ])('changed: %s = %j', (path, value, faults) => expect(find.onUpdate(path, value)).toEqual(faults));
});

describe('csinodes', () => {
  const find = faultFinder('storage.k8s.io/v1/csinodes', { spec: { drivers: [{ name: 'd', nodeID: 'n' }] } });
  test.each<FaultRow>([
    ['spec.drivers[0].name', '', ['spec.drivers[0].name: Required value']],
    ['spec.drivers[0].nodeID', '', ['spec.drivers[0].nodeID: Required value']],
    [
      'spec.drivers[0].topologyKeys',
      ['a', 'a', ''],
      [
        'spec.drivers[0]: Duplicate value: "a"',
        'spec.drivers[0]: Required value',
        'spec.drivers[0]: Invalid value: "": name part must be non-empty',
        "spec.drivers[0]: Invalid value: \"\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
      ],
    ],
    [
      'spec.drivers[0].allocatable',
      { count: -1 },
      ['spec.drivers[0].allocatable.count: Invalid value: -1: must be greater than or equal to 0'],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
  test.each<FaultRow>([
    [
      'spec.drivers[0].nodeID',
      'm',
      [
        'spec.drivers: Invalid value: {"Name":"d","NodeID":"m","TopologyKeys":null,"Allocatable":null}: field is immutable',
      ],
    ],
    ['spec.drivers[0].allocatable', { count: 1 }, []],
  ])('changed: %s = %j', (path, value, faults) => expect(find.onUpdate(path, value)).toEqual(faults));
});

describe('csistoragecapacities', () => {
  const find = faultFinder('storage.k8s.io/v1/csistoragecapacities', { storageClassName: 's' });
  test.each<FaultRow>([
    [
      'storageClassName',
      '',
      [
        "storageClassName: Invalid value: \"\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
      ],
    ],
    ['capacity', '-1', ['capacity: Invalid value: "-1": must be greater than or equal to 0']],
    [
      'nodeTopology',
      { matchLabels: { 'a b': '' } },
      [
        "nodeTopology.matchLabels: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
      ],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
  test.each<FaultRow>([['storageClassName', 't', ['storageClassName: Invalid value: "t": field is immutable']]])(
    'changed: %s = %j',
    (path, value, faults) => expect(find.onUpdate(path, value)).toEqual(faults),
  );
});

describe('volumeattachments', () => {
  const find = faultFinder('storage.k8s.io/v1/volumeattachments', {
    spec: { attacher: 'a', nodeName: 'n', source: { persistentVolumeName: 'p' } },
  });
  test.each<FaultRow>([
    ['spec.attacher', '', ['spec.attacher: Required value']],
    [
      'spec.nodeName',
      '',
      [
        "spec.nodeName: Invalid value: \"\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
      ],
    ],
    [
      'spec.source',
      {},
      ['spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName'],
    ],
    [
      'spec.source.persistentVolumeName',
      '',
      [
        'spec.source.persistentVolumeName: Required value: must specify non empty persistentVolumeName',
        "spec.source.persistentVolumeName: Invalid value: \"\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
      ],
    ],
    [
      'spec.source',
      {
        inlineVolumeSpec: {
          accessModes: ['ReadWriteOnce'],
          capacity: { storage: '1' },
          hostPath: { path: '/' },
          volumeMode: 'Block',
        },
      },
      [
        'spec.source.inlineVolumeSpec.capacity: Forbidden: may not be specified in the context of inline volumes',
        'spec.source.inlineVolumeSpec.csi: Required value: has to be specified in the context of inline volumes',
        'spec.source.inlineVolumeSpec.volumeMode: Forbidden: may not specify volumeMode other than Filesystem in the context of inline volumes',
      ],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
  test.each<FaultRow>([
    [
      'spec.nodeName',
      'm',
      [
        'spec: Invalid value: {"Attacher":"a","Source":{"PersistentVolumeName":"p","InlineVolumeSpec":null},"NodeName":"m"}: field is immutable',
      ],
    ],
  ])('changed: %s = %j', (path, value, faults) => expect(find.onUpdate(path, value)).toEqual(faults));
});

describe('volumeattributesclasses', () => {
  const find = faultFinder('storage.k8s.io/v1/volumeattributesclasses', { driverName: 'd', parameters: { a: 'b' } });
  test.each<FaultRow>([
    ['driverName', '', ['driverName: Required value']],
    ['parameters', {}, ['parameters: Required value: must contain at least one key/value pair']],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
  test.each<FaultRow>([
    ['parameters', { a: 'c' }, ['parameters: Forbidden: updates to parameters are forbidden.']],
    ['driverName', 'e', ['driverName: Forbidden: updates to driverName are forbidden.']],
  ])('changed: %s = %j', (path, value, faults) => expect(find.onUpdate(path, value)).toEqual(faults));
});
