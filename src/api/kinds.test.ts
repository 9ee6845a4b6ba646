import { describe, expect, test } from 'vitest';
import { qosClass } from './objects/pod.ts';
import { context, create, faults, now, pod, pods, registry } from './test-kinds.ts';

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
      case: 'mounting a volume that does not exist',
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
