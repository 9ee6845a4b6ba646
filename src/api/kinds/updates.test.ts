// Rules of updates and of metadata that differ between kinds.

import { expect, test } from 'vitest';
import { KindRegistry } from '../registry.ts';

const kinds = new KindRegistry();
const meta = { uid: 'u', resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z' };

function faultsOf(group: string, resource: string, metadata: object, update = false): readonly string[] {
  const kind = kinds.byResource(group, 'v1', resource);
  if (!kind) throw new Error(`no ${resource}`);
  const spec = { names: {}, versions: [], selector: {}, template: { spec: { containers: [] } } };
  const object = { spec, metadata: { name: 'a', ...(kind.namespaced && { namespace: 'n' }), ...meta } };
  const changed = { ...structuredClone(object), metadata: { ...object.metadata, ...metadata } };
  const faults = update ? kind.strategy.validateUpdate?.(changed, object) : kind.strategy.validate?.(changed);
  return (faults ?? [])
    .filter(({ field }) => field.startsWith('metadata'))
    .map(({ field, message }) => `${field}: ${message}`);
}

const odd =
  'metadata.finalizers[0]: Invalid value: "odd": name is neither a standard finalizer name nor is it fully qualified';
const slash = `metadata.generateName: Invalid value: "a/b": may not contain '/'`;

test.each([
  ['', 'configmaps', [odd]],
  ['networking.k8s.io', 'ingressclasses', [odd]],
  ['policy', 'poddisruptionbudgets', []],
  ['admissionregistration.k8s.io', 'mutatingwebhookconfigurations', []],
  ['admissionregistration.k8s.io', 'validatingadmissionpolicies', []],
  ['admissionregistration.k8s.io', 'validatingadmissionpolicybindings', []],
  ['apiextensions.k8s.io', 'customresourcedefinitions', []],
  ['apiregistration.k8s.io', 'apiservices', []],
])('a finalizer without a domain: %s %s', (group, resource, faults) => {
  expect(faultsOf(group, resource, { finalizers: ['odd'] }).filter((text) => text.includes('finalizers'))).toEqual(
    faults,
  );
});

test.each([
  ['resource.k8s.io', 'deviceclasses', 'A b', []],
  ['policy', 'poddisruptionbudgets', 'a/b', [slash]],
])('generateName in an update: %s %s', (group, resource, generateName, faults) => {
  expect(faultsOf(group, resource, { generateName }, true)).toEqual(faults);
});

test('a disruption budget takes any name that is one segment of a path', () => {
  expect(faultsOf('policy', 'poddisruptionbudgets', { name: 'A_b!' })).toEqual([]);
  expect(faultsOf('policy', 'poddisruptionbudgets', { name: 'a/b' })).toEqual([
    `metadata.name: Invalid value: "a/b": may not contain '/'`,
  ]);
});
