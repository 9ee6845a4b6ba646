// Names, generated names and finalizers, where the rule of a kind is not the common one.

import { describe, expect, test } from 'vitest';
import { type FaultRow, faultFinder } from './test-faults.ts';

const long = 'x'.repeat(254);

test.each<[resource: string, base: object, ...FaultRow]>([
  [
    'apiregistration.k8s.io/v1/apiservices',
    {
      metadata: { name: 'v1.a.b' },
      spec: { group: 'a.b', version: 'v1', groupPriorityMinimum: 1, versionPriority: 1 },
    },
    'metadata.generateName',
    'x',
    ['metadata.generateName: Invalid value: "x": must be `spec.version+"."+spec.group`: "v1.a.b"'],
  ],
  [
    'apiextensions.k8s.io/v1/customresourcedefinitions',
    {
      metadata: { name: 'gears.g.test' },
      spec: {
        group: 'g.test',
        scope: 'Namespaced',
        names: { plural: 'gears', kind: 'Gear' },
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
      },
    },
    'metadata.generateName',
    'gears-',
    ['metadata.generateName: Invalid value: "gears-": must be spec.names.plural+"."+spec.group'],
  ],
  ['node.k8s.io/v1/runtimeclasses', { metadata: { name: 'x' }, handler: 'h' }, 'metadata.finalizers', ['plain'], []],
  ['resource.k8s.io/v1/deviceclasses', { metadata: { name: 'x' } }, 'metadata.generateName', 'A_b', []],
  [
    'resource.k8s.io/v1/deviceclasses',
    { metadata: { name: 'x' } },
    'metadata.name',
    long,
    [`metadata.name: Invalid value: "${long}": must be no more than 253 bytes`],
  ],
])('%s: %j: %s = %j', (resource, base, path, value, faults) =>
  expect(faultFinder(resource, base).onCreate(path, value)).toEqual(faults),
);

describe('replicationcontrollers', () => {
  const find = faultFinder('v1/replicationcontrollers', {
    metadata: { name: 'x' },
    spec: {
      selector: { a: 'b' },
      template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
    },
  });
  test.each<FaultRow>([
    ['metadata.generateName', 'A_b', []],
    ['metadata.generateName', 'a/b', [`metadata.generateName: Invalid value: "a/b": may not contain '/'`]],
    ['metadata.name', long, [`metadata.name: Invalid value: "${long}": must be no more than 253 bytes`]],
  ])('%s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
});

test('the metadata of a disruption budget is checked once the rest is valid', () => {
  const budget = (spec: object) => faultFinder('policy/v1/poddisruptionbudgets', { metadata: { name: 'x' }, spec });
  const labels = { k: '-x' };
  expect(budget({ minAvailable: 1 }).onCreate('metadata.labels', labels)).toHaveLength(1);
  expect(budget({ minAvailable: -1 }).onCreate('metadata.labels', labels)).toEqual([
    'spec.minAvailable: Invalid value: -1: must be greater than or equal to 0',
  ]);
});

test('a limit range without a name gets a generated one', () => {
  const find = faultFinder('v1/limitranges', { spec: { limits: [] } });
  expect(find.onCreate('metadata.name', undefined)).toEqual([]);
});

test.each(['v1/namespaces', 'batch/v1/jobs'])('%s without a name: only the name is missing', (resource) => {
  const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } };
  const find = faultFinder(resource, resource.endsWith('jobs') ? { spec: { template } } : {});
  expect(find.onCreate('metadata.name', undefined)).toEqual([
    'metadata.name: Required value: name or generateName is required',
  ]);
});

test('a stateful set with an unreadable selector: its restart policy is still checked', () => {
  const template = { spec: { restartPolicy: 'OnFailure', containers: [{ name: 'c', image: 'i' }] } };
  const find = faultFinder('apps/v1/statefulsets', { metadata: { name: 'x' }, spec: { template } });
  expect(find.onCreate('spec.selector', { matchExpressions: [{ key: 'a', operator: 'x' }] })).toEqual([
    'spec.selector.matchExpressions[0].operator: Invalid value: "x": not a valid selector operator',
    'spec.selector: Invalid value: {"matchExpressions":[{"key":"a","operator":"x"}]}',
    'spec.template.spec.restartPolicy: Unsupported value: "OnFailure": supported values: "Always"',
  ]);
});
