// Defaults and validation of the main kinds, as a user of the API sees them.
import { describe, expect, test } from 'vitest';
import type { Schema } from '../machinery/schema.ts';
import { decodeBody } from './body.ts';
import type { ApiObject, Kind, KubeObject } from './kind.ts';
import { qosClass } from './objects/pod.ts';
import { builtinKinds, KindRegistry } from './registry.ts';

const registry = new KindRegistry();
const now = Date.UTC(2026, 0, 1);
const context = { now, user: { name: 'tester' } };

type AnyObject = KubeObject & { [field: string]: any };

function create(kind: Kind, body: object): AnyObject {
  const { object } = decodeBody(JSON.stringify({ metadata: { name: 'x' }, ...body }), 'json', kind);
  kind.strategy.setDefaults?.(object);
  object.metadata = { ...object.metadata, namespace: 'n', uid: 'u', creationTimestamp: '2026-01-01T00:00:00Z' };
  kind.strategy.prepareForCreate?.(object, context);
  return object as AnyObject;
}
const faults = (kind: Kind, object: ApiObject) =>
  (kind.strategy.validate?.(object) ?? []).map(({ field, message }) => `${field}: ${message}`);

const pods = registry.byResource('', 'v1', 'pods')!;
const pod = (spec: object, container: object = {}) =>
  create(pods, { spec: { containers: [{ name: 'a', image: 'i', ...container }], ...spec } });

test('every resource has a schema, and every column a cell', () => {
  expect(
    builtinKinds()
      .filter(({ schema }) => !schema.properties)
      .map(({ resource }) => resource),
  ).toEqual([]);
  for (const kind of builtinKinds()) {
    const object = smallest(kind);
    const label = `${kind.resource}.${kind.group}/${kind.version}`;
    expect(kind.cells(object, now), label).toHaveLength(kind.columns.length);
    for (const [field, value] of Object.entries(kind.selectableFields))
      expect(typeof value(object), `${label} ${field}`).toBe('string');
  }
});

/** An object with the required fields alone, each empty, and the defaults. */
function smallest(kind: Kind): ApiObject {
  const object = required(kind.schema) as ApiObject;
  object.metadata = { ...object.metadata, name: 'x', creationTimestamp: '2026-01-01T00:00:00Z' };
  kind.strategy.setDefaults?.(object);
  return object;
}

function required({ type, properties = {}, required: names = [] }: Schema): unknown {
  switch (type) {
    case 'array':
      return [];
    case 'string':
      return '';
    case 'integer':
    case 'number':
      return 0;
    case 'boolean':
      return false;
    default:
      return Object.fromEntries(names.map((name) => [name, required(properties[name])]));
  }
}

test('a pod gets its defaults', () =>
  expect(pod({}).spec).toEqual({
    containers: [
      {
        name: 'a',
        image: 'i',
        resources: {},
        terminationMessagePath: '/dev/termination-log',
        terminationMessagePolicy: 'File',
        imagePullPolicy: 'Always',
      },
    ],
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    dnsPolicy: 'ClusterFirst',
    securityContext: {},
    schedulerName: 'default-scheduler',
    enableServiceLinks: true,
  }));

test.each([
  ['nginx', 'Always'],
  ['nginx:latest', 'Always'],
  ['localhost:5000/nginx', 'Always'],
  ['nginx:1.29', 'IfNotPresent'],
  ['nginx@sha256:0', 'IfNotPresent'],
  [`nginx:latest@sha256:${'0'.repeat(64)}`, 'Always'],
  ['nginx:latest@sha256:0', 'IfNotPresent'],
])('the pull policy of %s is %s', (image, policy) =>
  expect((pod({}, { image }).spec as any).containers[0].imagePullPolicy).toBe(policy),
);

test('host ports follow the host network in pods, not in templates', () => {
  const spec = { hostNetwork: true, containers: [{ name: 'a', image: 'i', ports: [{ containerPort: 80 }] }] };
  expect((pod(spec).spec as any).containers[0].ports[0].hostPort).toBe(80);
  const template = { metadata: { labels: { a: 'b' } }, spec };
  const daemons = registry.byResource('apps', 'v1', 'daemonsets')!;
  expect((create(daemons, { spec: { template } }).spec as any).template.spec.containers[0].ports).toEqual([
    { containerPort: 80, protocol: 'TCP' },
  ]);
});

test.each([
  [
    undefined,
    undefined,
    ['batch.kubernetes.io/controller-uid', 'batch.kubernetes.io/job-name', 'controller-uid', 'job-name'],
  ],
  [
    undefined,
    { a: 'b' },
    ['a', 'batch.kubernetes.io/controller-uid', 'batch.kubernetes.io/job-name', 'controller-uid', 'job-name'],
  ],
  [{ a: 'b' }, { a: 'b' }, ['a']],
])('a job with labels %j and a template with %j', (own, pods, labels) => {
  const template = { metadata: { labels: pods }, spec: { containers: [] } };
  const job = create(registry.byResource('batch', 'v1', 'jobs')!, {
    metadata: { name: 'x', labels: own },
    spec: { template },
  });
  expect(Object.keys(job.metadata.labels ?? {}).sort()).toEqual(labels);
});

test('annotations of deployments are a new generation', () => {
  const kind = registry.byResource('apps', 'v1', 'deployments')!;
  const old = create(kind, { metadata: { name: 'x', annotations: { a: '1' } } });
  old.metadata.generation = 3;
  const next = structuredClone(old);
  kind.strategy.prepareForUpdate?.(next, old, context);
  expect(next.metadata.generation).toBe(3);
  next.metadata.annotations = { a: '2' };
  kind.strategy.prepareForUpdate?.(next, old, context);
  expect(next.metadata.generation).toBe(4);
});

describe('pods are refused', () => {
  test.each([
    { case: 'without containers', spec: { containers: [] }, fault: 'spec.containers: Required value' },
    {
      case: 'with an unknown restart policy',
      spec: { restartPolicy: 'X' },
      fault: 'spec.restartPolicy: Unsupported value: "X": supported values: "Always", "OnFailure", "Never"',
    },
    {
      case: 'mounting what is not there',
      container: { volumeMounts: [{ name: 'v', mountPath: '/v' }] },
      fault: 'spec.containers[0].volumeMounts[0].name: Not found: "v"',
    },
    {
      case: 'with a probe that does nothing',
      container: { livenessProbe: {} },
      fault: 'spec.containers[0].livenessProbe: Required value: must specify a handler type',
    },
    {
      case: 'with a request above the limit',
      container: { resources: { limits: { cpu: '1' }, requests: { cpu: '2' } } },
      fault: 'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
    },
    {
      case: 'with two volumes of one name',
      spec: {
        volumes: [
          { name: 'v', emptyDir: {} },
          { name: 'v', emptyDir: {} },
        ],
      },
      fault: 'spec.volumes[1].name: Duplicate value: "v"',
    },
    {
      case: 'with a toleration of nothing',
      spec: { tolerations: [{}] },
      fault:
        'spec.tolerations[0].operator: Invalid value: "": operator must be Exists when `key` is empty, which means "match all values and all keys"',
    },
  ])('$case', ({ spec = {}, container = {}, fault }) => expect(faults(pods, pod(spec, container))).toContain(fault));
});

test.each([
  { resources: {}, qos: 'BestEffort' },
  { resources: { requests: { cpu: '1' } }, qos: 'Burstable' },
  { resources: { limits: { cpu: '1', memory: '1Gi' } }, qos: 'Guaranteed' },
  { resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '500m' } }, qos: 'Burstable' },
])('$resources make a pod $qos', ({ resources, qos }) => {
  const made = pod({}, { resources });
  expect(qosClass(made.spec)).toBe(qos);
  expect(made.status.qosClass).toBe(qos);
});

test('a pod update may change an image and nothing else', () => {
  const old = pod({});
  const image = structuredClone(old);
  image.spec.containers[0].image = 'j';
  expect(pods.strategy.validateUpdate?.(image, old)).toEqual([]);
  const env = structuredClone(old);
  env.spec.containers[0].env = [{ name: 'A', value: 'b' }];
  expect(pods.strategy.validateUpdate?.(env, old)[0].message).toMatch(
    /^Forbidden: pod updates may not change fields other than/,
  );
});

describe('other kinds', () => {
  const kind = (group: string, resource: string) => registry.byResource(group, 'v1', resource)!;
  const template = { metadata: { labels: { app: 'a' } }, spec: { containers: [{ name: 'a', image: 'i:1' }] } };
  const selector = { matchLabels: { app: 'a' } };

  test('a deployment rolls, keeps ten revisions and waits ten minutes', () => {
    const deployments = kind('apps', 'deployments');
    const made = create(deployments, { spec: { selector, template } });
    expect(made.spec).toMatchObject({
      replicas: 1,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } },
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
    });
    expect(faults(deployments, made)).toEqual([]);
    const other = structuredClone(made);
    other.spec.selector.matchLabels.more = 'x';
    expect(deployments.strategy.validateUpdate?.(other, made).at(-1)?.message).toMatch(/field is immutable$/);
    expect(deployments.cells(made, now + 5000)).toEqual(['x', '0/1', 0, 0, '5s', 'a', 'i:1', 'app=a']);
  });

  test.each([
    {
      group: '',
      resource: 'services',
      body: { spec: { ports: [{ port: 0 }] } },
      fault: 'spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
    },
    { group: '', resource: 'services', body: { spec: {} }, fault: 'spec.ports: Required value' },
    {
      group: '',
      resource: 'configmaps',
      body: { data: { '..': '' } },
      fault: 'data[..]: Invalid value: "..": must not be \'..\'',
    },
    { group: '', resource: 'secrets', body: { type: 'kubernetes.io/tls' }, fault: 'data[tls.crt]: Required value' },
    {
      group: 'apps',
      resource: 'deployments',
      body: { spec: { selector, template: {} } },
      fault: 'spec.template.spec.containers: Required value',
    },
    {
      group: 'batch',
      resource: 'jobs',
      body: { spec: { template } },
      fault: 'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
    },
    {
      group: 'rbac.authorization.k8s.io',
      resource: 'roles',
      body: { rules: [{ apiGroups: [''], resources: ['pods'] }] },
      fault: 'rules[0].verbs: Required value: verbs must contain at least one value',
    },
    {
      group: 'discovery.k8s.io',
      resource: 'endpointslices',
      body: { endpoints: [] },
      fault: 'addressType: Required value',
    },
    {
      group: 'coordination.k8s.io',
      resource: 'leases',
      body: { spec: { leaseDurationSeconds: 0 } },
      fault: 'spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0',
    },
  ])('$resource: $fault', ({ group, resource, body, fault }) => {
    const k = kind(group, resource);
    expect(faults(k, create(k, body))).toContain(fault);
  });

  test('text of a secret becomes data and is not kept', () => {
    const made = create(kind('', 'secrets'), { stringData: { a: 'ä' } });
    expect(made.data).toEqual({ a: 'w6Q=' });
    expect(made).not.toHaveProperty('stringData');
  });

  test('a namespace is active, labelled and held by the kubernetes finalizer', () =>
    expect(create(kind('', 'namespaces'), {})).toMatchObject({
      metadata: { labels: { 'kubernetes.io/metadata.name': 'x' } },
      spec: { finalizers: ['kubernetes'] },
      status: { phase: 'Active' },
    }));

  test('an event of the newer group is stored as one of the core group, and comes back the same', () => {
    const events = kind('events.k8s.io', 'events');
    const made = create(events, {
      eventTime: '2026-01-01T00:00:00.000000Z',
      reason: 'Why',
      note: 'n',
      regarding: { kind: 'Pod', name: 'p', namespace: 'n' },
      reportingController: 'c.test/x',
    });
    const stored = events.toStorage!(made);
    expect(stored).toMatchObject({
      apiVersion: 'v1',
      involvedObject: { name: 'p' },
      message: 'n',
      reportingComponent: 'c.test/x',
    });
    expect(events.fromStorage!(stored)).toEqual(made);
  });
});

describe('metadata', () => {
  const maps = registry.byResource('', 'v1', 'configmaps')!;
  test.each([
    { metadata: { name: '' }, fault: 'metadata.name: Required value: name or generateName is required' },
    {
      metadata: { finalizers: ['x'] },
      fault:
        'metadata.finalizers[0]: Invalid value: "x": name is neither a standard finalizer name nor is it fully qualified',
    },
    {
      metadata: { labels: { a: 'b'.repeat(64) } },
      fault: `metadata.labels: Invalid value: "${'b'.repeat(64)}": must be no more than 63 bytes`,
    },
    {
      metadata: { ownerReferences: [{ apiVersion: 'v1', kind: '', name: 'n', uid: 'u' }] },
      fault: 'metadata.ownerReferences.kind: Invalid value: "": must not be empty',
    },
  ])('$fault', ({ metadata, fault }) =>
    expect(faults(maps, create(maps, { metadata: { name: 'x', ...metadata } }))).toContain(fault),
  );

  test('an object that is going takes no new finalizers', () => {
    const old = create(maps, {});
    old.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
    const next = structuredClone(old);
    next.metadata.finalizers = ['a.test/b'];
    expect(maps.strategy.validateUpdate?.(next, old)[0].message).toBe(
      'Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"a.test/b"}',
    );
  });
});

test('kinds come and go', () => {
  const own = new KindRegistry();
  let changes = 0;
  const stop = own.onChange(() => changes++);
  own.add({ ...pods, group: 'g.test', resource: 'widgets', kind: 'Widget' });
  expect(own.byKind('g.test', 'v1', 'Widget')?.resource).toBe('widgets');
  own.remove('g.test', 'widgets');
  expect(own.byResource('g.test', 'v1', 'widgets')).toBeUndefined();
  stop();
  own.add();
  expect(changes).toBe(2);
});

describe('declarations of the kind', () => {
  const having = (field: keyof Kind) =>
    builtinKinds()
      .filter((kind) => kind[field])
      .map(({ resource, group }) => (group ? `${resource}.${group}` : resource))
      .sort();

  test.each<[keyof Kind, readonly string[]]>([
    ['isNamespace', ['namespaces']],
    ['allocates', ['services']],
    ['selectsByMap', ['replicationcontrollers']],
    ['keptSeconds', ['events', 'events.events.k8s.io']],
    ['watchedBy', ['pods', 'resourceslices.resource.k8s.io']],
    ['deprecation', ['componentstatuses', 'endpoints']],
    [
      'answersDeleted',
      [
        'csidrivers.storage.k8s.io',
        'csinodes.storage.k8s.io',
        'persistentvolumeclaims',
        'persistentvolumes',
        'pods',
        'podtemplates',
        'resourcequotas',
        'serviceaccounts',
        'services',
        'storageclasses.storage.k8s.io',
        'volumeattachments.storage.k8s.io',
      ],
    ],
  ])('%s holds for %j', (field, resources) => expect(having(field)).toEqual(resources));

  test('an index of watches, or a field sought in bytes, can be selected by', () => {
    for (const { resource, watchedBy, literalFields = [], selectableFields } of builtinKinds())
      for (const field of [...literalFields, ...(watchedBy ? [watchedBy] : [])])
        expect(Object.keys(selectableFields), resource).toContain(field);
  });

  test('only these do not live under their plural', () => {
    const moved = builtinKinds().filter(({ storagePrefix, resource }) => storagePrefix !== resource);
    expect(Object.fromEntries(moved.map(({ resource, storagePrefix }) => [resource, storagePrefix]))).toEqual({
      apiservices: 'apiregistration.k8s.io/apiservices',
      customresourcedefinitions: 'apiextensions.k8s.io/customresourcedefinitions',
      endpoints: 'services/endpoints',
      ingresses: 'ingress',
      nodes: 'minions',
      replicationcontrollers: 'controllers',
      services: 'services/specs',
    });
  });

  test('a deleted namespace terminates until its finalizers are removed', () => {
    const { strategy } = registry.byResource('', 'v1', 'namespaces')!;
    const live = create(registry.byResource('', 'v1', 'namespaces')!, {});
    expect(strategy.isHeld?.(live)).toBe(true);
    expect(strategy.isHeld?.({ ...live, spec: { finalizers: [] } })).toBe(false);
    const next = { ...live, metadata: { ...live.metadata, deletionGracePeriodSeconds: 0 } };
    strategy.prepareForDelete?.(next);
    expect(next).toMatchObject({ status: { phase: 'Terminating' } });
    expect(next.metadata).not.toHaveProperty('deletionGracePeriodSeconds');
  });

  test('a definition is given its finalizer before it is deleted, once', () => {
    const { strategy } = registry.byResource('apiextensions.k8s.io', 'v1', 'customresourcedefinitions')!;
    const live: AnyObject = { metadata: { name: 'x' } as AnyObject['metadata'], spec: {} };
    const next = structuredClone(live);
    strategy.announceDeletion?.(live, now)?.(next);
    expect(next.metadata.finalizers).toEqual(['customresourcecleanup.apiextensions.k8s.io']);
    expect(next.status.conditions).toMatchObject([{ type: 'Terminating', lastTransitionTime: '2026-01-01T00:00:00Z' }]);
    expect(strategy.announceDeletion?.(next, now)).toBeUndefined();
  });

  test.each([
    [{}, 1],
    [{ propagationPolicy: 'Orphan' }, 0],
    [{ orphanDependents: false }, 0],
  ])('deleting a job with %j warns %i times', (options, count) =>
    expect(registry.byResource('batch', 'v1', 'jobs')!.strategy.deletionWarnings?.(options)).toHaveLength(count),
  );
});
