import { describe, expect, test } from 'vitest';
import { type FaultRow, faultFinder } from '../kinds/test-faults.ts';

const find = faultFinder('v1/configmaps', { metadata: { name: 'x' } });
const namePart =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'r', uid: 'u' };

describe('owners', () => {
  const path = 'metadata.ownerReferences';
  const at = (field: string, value: string, why = 'must not be empty') =>
    `${path}.${field}: Invalid value: ${JSON.stringify(value)}: ${why}`;
  const noVersion = 'version must not be empty';
  test.each<[owners: object[], faults: string[]]>([
    [[{ ...owner, apiVersion: '' }], [at('apiVersion', '', noVersion)]],
    [[{ ...owner, apiVersion: 'apps/' }], [at('apiVersion', 'apps/', noVersion)]],
    [[{ ...owner, apiVersion: 'a/b/c' }], [at('apiVersion', 'a/b/c', noVersion)]],
    [[{ ...owner, apiVersion: 'v1' }], []],
    [[{}], [at('apiVersion', '', noVersion), at('kind', ''), at('name', ''), at('uid', '')]],
    [
      [{ ...owner, apiVersion: 'v1', kind: 'Event' }],
      [
        `${path}: Invalid value: {"apiVersion":"v1","kind":"Event","name":"r","uid":"u"}: /v1, Kind=Event is disallowed from being an owner`,
      ],
    ],
    [[{ ...owner, apiVersion: 'a/v1', kind: 'Event' }], []],
    [
      [
        { ...owner, controller: true },
        { ...owner, name: 's', controller: true },
      ],
      [
        `${path}: Invalid value: ${JSON.stringify([
          { ...owner, controller: true },
          { ...owner, name: 's', controller: true },
        ])}: Only one reference can have Controller set to true. Found "true" in references for ReplicaSet/r and ReplicaSet/s`,
      ],
    ],
  ])('%j', (owners, faults) => expect(find.onCreate(path, owners)).toEqual(faults));
});

describe('names, labels and finalizers', () => {
  test.each<FaultRow>([
    ['metadata.name', '', ['metadata.name: Required value: name or generateName is required']],
    [
      'metadata.name',
      'x'.repeat(254),
      [`metadata.name: Invalid value: "${'x'.repeat(254)}": must be no more than 253 characters`],
    ],
    // A prefix gets more characters: its dash, and the character before it, are not looked at.
    ['metadata.generateName', 'A-', []],
    ['metadata.labels', { '/a': '' }, ['metadata.labels: Invalid value: "/a": prefix part must be non-empty']],
    [
      'metadata.labels',
      { 'a/b/c': '' },
      [
        `metadata.labels: Invalid value: "a/b/c": a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
      ],
    ],
    [
      'metadata.labels',
      { a: 'x'.repeat(64) },
      [`metadata.labels: Invalid value: "${'x'.repeat(64)}": must be no more than 63 bytes`],
    ],
    ['metadata.annotations', { 'A b': '' }, [`metadata.annotations: Invalid value: "A b": ${namePart}`]],
    [
      'metadata.annotations',
      { a: 'x'.repeat(262_144) },
      ['metadata.annotations: Too long: may not be more than 262144 bytes'],
    ],
    [
      'metadata.finalizers',
      ['odd'],
      [
        'metadata.finalizers[0]: Invalid value: "odd": name is neither a standard finalizer name nor is it fully qualified',
      ],
    ],
    [
      'metadata.finalizers',
      ['orphan', 'foregroundDeletion'],
      [
        'metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: finalizer orphan and foregroundDeletion cannot be both set',
      ],
    ],
    [
      'metadata.finalizers',
      [''],
      [
        'metadata.finalizers: Invalid value: "": name part must be non-empty',
        `metadata.finalizers: Invalid value: "": ${namePart}`,
        'metadata.finalizers[0]: Invalid value: "": name is neither a standard finalizer name nor is it fully qualified',
      ],
    ],
    ['metadata.generation', -1, ['metadata.generation: Invalid value: -1: must be greater than or equal to 0']],
  ])('%s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
});
