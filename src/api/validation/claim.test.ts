import { describe, expect, test } from 'vitest';
import { type FaultRow, faultFinder } from '../kinds/test-faults.ts';

const spec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '2Gi' } } };
const find = faultFinder('v1/persistentvolumeclaims', { metadata: { name: 'x' }, spec });
const pvc = { kind: 'PersistentVolumeClaim', name: 'p' };
const subdomain =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

describe('new claims', () => {
  const group = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
  test.each<FaultRow>([
    ['spec.accessModes', [], ['spec.accessModes: Required value: at least 1 access mode is required']],
    ['spec.resources', {}, ['spec.resources[storage]: Required value']],
    [
      'spec.resources.requests',
      { storage: '0' },
      ['spec.resources[storage]: Invalid value: "0": must be greater than zero'],
    ],
    ['spec.resources.requests', { storage: '1', cpu: '-1' }, []],
    [
      'spec.selector',
      { matchExpressions: [{ key: 'k', operator: 'In', values: [] }] },
      [
        "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
      ],
    ],
    ['spec.storageClassName', '', []],
    ['spec.storageClassName', 'A', [`spec.storageClassName: Invalid value: "A": ${subdomain}`]],
    ['spec.volumeAttributesClassName', '', []],
    ['spec.volumeMode', 'Odd', ['spec.volumeMode: Unsupported value: "Odd": supported values: "Block", "Filesystem"']],
    // Sources that the old field does not support are dropped from it.
    ['spec.dataSource', { kind: 'Odd', name: 'n' }, []],
    [
      'spec.dataSourceRef',
      { kind: 'Odd', name: 'n' },
      [`spec.dataSource: Invalid value: "Odd": ${group}`, `spec.dataSourceRef: Invalid value: "Odd": ${group}`],
    ],
    [
      'spec.dataSourceRef',
      { apiGroup: 'A', kind: 'Odd', name: 'n' },
      [
        `spec.dataSource.apiGroup: Invalid value: "A": ${subdomain}`,
        `spec.dataSourceRef.apiGroup: Invalid value: "A": ${subdomain}`,
      ],
    ],
    [
      'spec',
      { ...spec, dataSource: pvc, dataSourceRef: { ...pvc, name: 'q' } },
      ['spec: Invalid value: {}: must match dataSourceRef'],
    ],
  ])('%s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
});

describe('changed claims', () => {
  const immutable =
    'spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n';
  test.each<FaultRow>([
    ['spec.volumeName', 'v', []],
    ['spec.storageClassName', 's', []],
    ['spec.resources.limits', {}, []],
    ['spec.resources.claims', undefined, []],
    [
      'spec.resources.requests',
      {},
      [
        'spec.resources[storage]: Required value',
        `${immutable}@@ -5,9 +5,7 @@\n  "Selector": null,\n  "Resources": {\n   "Limits": null,\n-  "Requests": {\n-   "storage": "2Gi"\n-  }\n+  "Requests": {}\n  },\n  "VolumeName": "",\n  "StorageClassName": null,\n`,
        'spec.resources.requests.storage: Forbidden: field can not be less than status.capacity',
      ],
    ],
    [
      'spec.selector',
      {},
      [
        `${immutable}@@ -2,7 +2,7 @@\n  "AccessModes": [\n   "ReadWriteOnce"\n  ],\n- "Selector": null,\n+ "Selector": {},\n  "Resources": {\n   "Limits": null,\n   "Requests": {\n`,
      ],
    ],
    [
      'metadata.annotations',
      { 'volume.beta.kubernetes.io/storage-class': 's' },
      ['metadata.annotations.volume.beta.kubernetes.io/storage-class: Invalid value: "s": field is immutable'],
    ],
  ])('%s = %j', (path, value, faults) => expect(find.onUpdate(path, value)).toEqual(faults));

  test('a bound claim grows', () => {
    const bound = faultFinder('v1/persistentvolumeclaims', {
      metadata: { name: 'x' },
      spec: { ...spec, volumeName: 'v' },
      status: { phase: 'Bound', capacity: { storage: '2Gi' } },
    });
    expect(bound.onUpdate('spec.resources.requests.storage', '3Gi')).toEqual([]);
    expect(bound.onUpdate('spec.volumeAttributesClassName', 'a')).toEqual([]);
    expect(bound.onUpdate('spec.resources.requests.storage', '1Gi')).toEqual([
      'spec.resources.requests.storage: Forbidden: field can not be less than status.capacity',
    ]);
  });
});
