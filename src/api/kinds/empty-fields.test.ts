// Empty lists and maps, which Kubernetes distinguishes from missing ones in some fields.

import { describe, expect, test } from 'vitest';
import { type FaultRow, faultFinder } from './test-faults.ts';

describe('resourceclaimtemplates', () => {
  const find = faultFinder('resource.k8s.io/v1/resourceclaimtemplates', {
    spec: { spec: { devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'c' } }] } } },
  });
  test.each<FaultRow>([
    ['spec.metadata.finalizers', [], ['spec.metadata.finalizers: Forbidden: cannot be set']],
    ['spec.metadata.managedFields', [], ['spec.metadata.managedFields: Forbidden: cannot be set']],
    ['spec.metadata.ownerReferences', [], ['spec.metadata.ownerReferences: Forbidden: cannot be set']],
    ['spec.metadata.labels', {}, []],
    ['spec.metadata.annotations', {}, []],
    ['spec.metadata.name', '', []],
    ['spec.spec.devices.config', [], []],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
  test.each<FaultRow>([
    ['spec.metadata.labels', {}, []],
    ['spec.spec.devices.constraints', [], []],
    ['spec.spec.devices.requests[0].exactly.selectors', [], []],
    [
      'spec.spec.devices.requests',
      [],
      [
        'spec: Invalid value: {"Spec":{"Devices":{"Requests":[],"Constraints":null,"Config":null}}}: field is immutable',
      ],
    ],
    [
      'spec.spec.devices.requests[0].exactly.capacity',
      {},
      [
        'spec: Invalid value: {"Spec":{"Devices":{"Requests":[{"Name":"r","Exactly":{"DeviceClassName":"c","Selectors":null,"AllocationMode":"ExactCount","Count":1,"AdminAccess":null,"Tolerations":null,"Capacity":{"Requests":null}},"FirstAvailable":null}],"Constraints":null,"Config":null}}}: field is immutable',
      ],
    ],
  ])('changed: %s = %j', (path, value, faults) => expect(find.onUpdate(path, value)).toEqual(faults));
});

describe('resourceslices', () => {
  const find = faultFinder('resource.k8s.io/v1/resourceslices', {
    spec: { driver: 'd', nodeName: 'n', pool: { name: 'p', resourceSliceCount: 1 }, devices: [{ name: 'a' }] },
  });
  const both = 'spec: Invalid value: "": only one of `sharedCounters` or `devices` is allowed';
  const noNode =
    'spec: Required value: exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required';
  const binds = 'bindingFailureConditions are required to use bindingConditions';
  const rows: FaultRow[] = [
    ['spec.sharedCounters', [], [both]],
    ['spec.devices', [], []],
    ['spec.devices[0].taints', [], []],
    ['spec.devices[0].attributes', {}, []],
    ['spec.devices[0].capacity', {}, []],
    [
      'spec.devices[0].attributes',
      { a: { bools: [] } },
      ['spec.devices[0].attributes[a]: Invalid value: "": exactly one value must be specified'],
    ],
    [
      'spec',
      { driver: 'd', pool: { name: 'p', resourceSliceCount: 1 }, devices: [], sharedCounters: [] },
      [noNode, both],
    ],
    [
      'spec.devices[0].bindingConditions',
      ['a'],
      [`spec.devices[0].bindingFailureConditions: Invalid value: null: ${binds}`],
    ],
  ];
  test.each(rows)('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
  test('given conditions are shown', () =>
    expect(
      find.onCreate('spec.devices[0]', { name: 'a', bindingConditions: ['a'], bindingFailureConditions: [] }),
    ).toEqual([`spec.devices[0].bindingFailureConditions: Invalid value: []: ${binds}`]));
  test('given terms are shown', () =>
    expect(
      find.onCreate('spec', {
        driver: 'd',
        pool: { name: 'p', resourceSliceCount: 1 },
        nodeSelector: { nodeSelectorTerms: [] },
      }),
    ).toEqual([
      'spec.nodeSelector.nodeSelectorTerms: Required value: must have at least one node selector term',
      'spec.nodeSelector.nodeSelectorTerms: Invalid value: []: must have exactly one node selector term',
    ]));
});

describe('lists that are written even when they are empty', () => {
  const job = faultFinder('batch/v1/jobs', {
    spec: {
      template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } },
      podFailurePolicy: { rules: [{ action: 'Ignore', onExitCodes: { operator: 'In', values: [1] } }] },
    },
  });
  const path = 'spec.podFailurePolicy.rules[0].onExitCodes';
  const none = (shown: string) => `${path}.values: Invalid value: ${shown}: at least one value is required`;
  test.each<FaultRow>([
    [`${path}.values`, undefined, [none('null')]],
    [`${path}.values`, [], [none('[]')]],
    [path, {}, [`${path}.operator: Required value: valid values: ["In" "NotIn"]`, none('null')]],
  ])('jobs: %s = %j', (at, value, faults) => expect(job.onCreate(at, value)).toEqual(faults));
});

describe('ingressclasses', () => {
  const find = faultFinder('networking.k8s.io/v1/ingressclasses', {
    spec: { controller: 'a.test/b', parameters: { kind: 'K', name: 'n' } },
  });
  const unknown = 'spec.parameters.scope: Unsupported value: "": supported values: "Cluster", "Namespace"';
  test.each<FaultRow>([
    ['spec.parameters.scope', undefined, []],
    ['spec.parameters.scope', '', [unknown]],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
});

test('ingresses show the rules that were given', () => {
  const find = faultFinder('networking.k8s.io/v1/ingresses', { spec: { rules: [{ host: 'h.test' }] } });
  const why = 'either `defaultBackend` or `rules` must be specified';
  expect(find.onCreate('spec.rules', undefined)).toEqual([`spec: Invalid value: null: ${why}`]);
  expect(find.onCreate('spec.rules', [])).toEqual([`spec: Invalid value: []: ${why}`]);
});

describe('customresourcedefinitions', () => {
  const schema = { openAPIV3Schema: { type: 'object' } };
  const find = faultFinder('apiextensions.k8s.io/v1/customresourcedefinitions', {
    metadata: { name: 'gears.g.test' },
    spec: {
      group: 'g.test',
      scope: 'Namespaced',
      names: { plural: 'gears', kind: 'Gear' },
      versions: [{ name: 'v1', served: true, storage: true, schema }],
    },
  });
  const none = 'must have exactly one version marked as storage version';
  const unstored = 'status.storedVersions: Invalid value: null: must have at least one stored version';
  test.each<FaultRow>([
    ['spec.versions', undefined, [`spec.versions: Invalid value: null: ${none}`, unstored]],
    ['spec.versions', [], [`spec.versions: Invalid value: []: ${none}`, unstored]],
    ['spec.names.categories', [], []],
    ['spec.versions[0].selectableFields', [], []],
    ['spec.versions[0].additionalPrinterColumns', [], []],
    ['spec.versions[0].schema.openAPIV3Schema.required', [], []],
    ['spec.versions[0].schema.openAPIV3Schema.enum', [], []],
    ['spec.versions[0].schema.openAPIV3Schema.properties', {}, []],
    ['spec.versions[0].schema.openAPIV3Schema.definitions', {}, []],
    ['spec.versions[0].schema.openAPIV3Schema.x-kubernetes-list-map-keys', [], []],
    ['spec.versions[0].schema.openAPIV3Schema.x-kubernetes-validations', [], []],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
});

describe('updates of workloads', () => {
  const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };
  const selector = { matchLabels: { a: 'b' } };
  const claims = 'spec.template.spec.resources.claims: Forbidden: claims may not be set for Resources at pod-level';
  test.each<[resource: string, spec: object, ...FaultRow]>([
    ['apps/v1/deployments', {}, 'spec.template.spec.resources', { claims: [] }, [claims]],
    ['apps/v1/daemonsets', {}, 'spec.template.spec.resources', { claims: [] }, [claims]],
    ['apps/v1/statefulsets', {}, 'spec.template.spec.resources', { claims: [] }, [claims]],
    ['apps/v1/statefulsets', {}, 'spec.selector.matchExpressions', [], []],
    ['apps/v1/statefulsets', {}, 'spec.volumeClaimTemplates', [], []],
    ['apps/v1/replicasets', {}, 'spec.selector.matchExpressions', [], []],
    ['apps/v1/deployments', {}, 'spec.selector.matchExpressions', [], []],
    [
      'apps/v1/daemonsets',
      {},
      'spec.selector.matchLabels',
      {},
      [
        'spec.selector: Invalid value: {}: field is immutable',
        'spec.selector: Invalid value: {}: empty selector is invalid for daemonset',
      ],
    ],
  ])('%s: %j %s = %j', (resource, spec, path, value, faults) =>
    expect(faultFinder(resource, { spec: { selector, template, ...spec } }).onUpdate(path, value)).toEqual(faults),
  );

  const job = faultFinder('batch/v1/jobs', {
    spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } } },
  });
  test.each(['containers[0].args', 'hostAliases', 'volumes', 'readinessGates'])('jobs: %s = []', (path) =>
    expect(job.onUpdate(`spec.template.spec.${path}`, [])).toEqual([]),
  );
});

describe('other updates', () => {
  test('a claim: requirements without values', () => {
    const find = faultFinder('v1/persistentvolumeclaims', {
      spec: {
        accessModes: ['ReadWriteOnce'],
        resources: { requests: { storage: '1Gi' } },
        selector: { matchExpressions: [{ key: 'k', operator: 'Exists' }] },
      },
    });
    expect(find.onUpdate('spec.selector.matchExpressions[0].values', [])).toEqual([]);
  });

  test('a quota: scopes', () => {
    const find = faultFinder('v1/resourcequotas', { spec: { scopes: ['BestEffort'], hard: { pods: '1' } } });
    expect(find.onUpdate('spec.scopes', [])).toEqual(['spec.scopes: Invalid value: []: field is immutable']);
  });

  test('a resource claim: empty lists are missing ones', () => {
    const find = faultFinder('resource.k8s.io/v1/resourceclaims', {
      spec: { devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'c' } }] } },
    });
    expect(find.onUpdate('spec.devices.config', [])).toEqual([]);
  });
});
