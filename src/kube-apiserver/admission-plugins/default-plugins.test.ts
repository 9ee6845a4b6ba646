import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Namespace } from '../../api/api.ts';
import { type Client, createClient } from '../../client/client.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { type AdmissionConfiguration, admissionPlugins } from './admission-plugins.ts';
import { parsePodSecurity, policyOf } from './pod-security-policy.ts';

let server: TestServer;
const ns = '/api/v1/namespaces/default';
const box = (fields: object = {}) => ({ name: 'box', image: 'registry.test/box:1', ...fields });

async function start(configuration: AdmissionConfiguration = {}) {
  let client: Client | undefined;
  const admission = admissionPlugins(() => client as Client, { configuration, missingServiceAccounts: true });
  server = await startTestServer({ namespaces: [], admission });
  client = createClient(server.transport({ name: 'system:apiserver', groups: ['system:masters'] }));
  await server.call('POST', '/api/v1/namespaces', { metadata: { name: 'default' } });
}
afterEach(() => server.stop());

const create = (name: string, spec: object = {}) =>
  server.call('POST', `${ns}/pods`, { metadata: { name }, spec: { containers: [box()], ...spec } });
const merge = (path: string, body: object) =>
  server.call('PATCH', path, body, { contentType: 'application/merge-patch+json' });
const node = (name: string, status: object = {}, labels: object = {}) =>
  server.call('POST', '/api/v1/nodes', { metadata: { name, labels }, status });

describe('with their defaults', () => {
  beforeEach(() => start());

  test('TaintNodesByCondition: a new node is not ready, also in a dry run', async () => {
    const taint = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' };
    expect((await node('n')).body.spec.taints).toEqual([taint]);
    const given = { metadata: { name: 'm' }, spec: { taints: [taint] } };
    expect((await server.call('POST', '/api/v1/nodes', given)).body.spec.taints).toEqual([taint]);
  });

  describe('PersistentVolumeClaimResize', () => {
    const claim = async (storageClassName: string | undefined, phase: string) => {
      await server.call('POST', '/apis/storage.k8s.io/v1/storageclasses', {
        metadata: { name: 'grows' },
        provisioner: 'p.test/p',
        allowVolumeExpansion: true,
      });
      await server.call('POST', '/apis/storage.k8s.io/v1/storageclasses', {
        metadata: { name: 'fixed' },
        provisioner: 'p.test/p',
      });
      await server.call('POST', `${ns}/persistentvolumeclaims`, {
        metadata: { name: 'c' },
        spec: { accessModes: ['ReadWriteOnce'], storageClassName, resources: { requests: { storage: '1Gi' } } },
      });
      await merge(`${ns}/persistentvolumeclaims/c/status`, { status: { phase, capacity: { storage: '1Gi' } } });
    };
    const resize = (storage: string) =>
      merge(`${ns}/persistentvolumeclaims/c`, { spec: { resources: { requests: { storage } } } });

    test.each([
      ['a class that allows it', 'grows', 'Bound', '2Gi', undefined],
      [
        'a class that does not',
        'fixed',
        'Bound',
        '2Gi',
        'persistentvolumeclaims "c" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
      ],
      [
        'no class',
        '',
        'Bound',
        '2Gi',
        'persistentvolumeclaims "c" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
      ],
    ])('%s', async (_, storageClassName, phase, size, message) => {
      await claim(storageClassName, phase);
      expect((await resize(size)).body.message).toBe(message);
    });
  });

  describe('a resize', () => {
    const sized = (cpu: string) => ({ resources: { requests: { cpu } } });
    const resize = async (cpu: string) => {
      const pod = structuredClone((await server.call('GET', `${ns}/pods/p`)).body);
      pod.spec.containers[0].resources = { requests: { cpu } };
      return server.call('PUT', `${ns}/pods/p/resize`, pod);
    };
    const running = async (status: object, labels: object = {}) => {
      await node('n', status, labels);
      await create('p', { nodeName: 'n', containers: [box(sized('100m'))] });
    };

    test('within the node', async () => {
      await running({ allocatable: { cpu: '1', memory: '1Gi' }, capacity: { cpu: '1', memory: '1Gi' } });
      expect((await resize('900m')).code).toBe(200);
    });

    test('beyond the node', async () => {
      await running({ allocatable: { cpu: '1', memory: '1Gi' }, capacity: { cpu: '1', memory: '1Gi' } });
      const { code, body } = await resize('1100m');
      expect([code, body.message, body.details.causes]).toEqual([
        403,
        'pods "p" is forbidden: node didn\'t have enough allocatable resources: cpu, requested: 1100, allocatable: 1000',
        [{ reason: 'NodeCapacity' }],
      ]);
    });

    test('on another system', async () => {
      await running({ allocatable: { cpu: '1' }, capacity: { cpu: '1' } }, { 'kubernetes.io/os': 'windows' });
      const { body } = await resize('200m');
      expect([body.message, body.details.causes]).toEqual([
        'pods "p" is forbidden: pod resize is only supported on linux nodes, node "n" is "windows"',
        [{ reason: 'UnsupportedPlatform' }],
      ]);
    });

    test.each([
      [['InPlacePodLevelResourcesVerticalScaling'], 200, undefined],
      [
        [],
        403,
        'pods "p" is forbidden: pod update requires features InPlacePodLevelResourcesVerticalScaling which are not available on node "n"',
      ],
    ])('of the whole pod, on a node that declares %j', async (declaredFeatures, code, message) => {
      await node('n', { allocatable: { cpu: '1' }, capacity: { cpu: '1' }, declaredFeatures });
      await create('p', { nodeName: 'n', resources: { requests: { cpu: '100m' } } });
      const pod = structuredClone((await server.call('GET', `${ns}/pods/p`)).body);
      pod.spec.resources.requests.cpu = '200m';
      const answer = await server.call('PUT', `${ns}/pods/p/resize`, pod);
      expect([answer.code, answer.body.message]).toEqual([code, message]);
    });
  });
});

test.each([
  ['no label', {}, { enforce: 'privileged', audit: 'privileged', warn: 'privileged' }],
  [
    'the level that is enforced',
    { enforce: 'baseline' },
    { enforce: 'baseline', audit: 'privileged', warn: 'baseline' },
  ],
  [
    'a level of its own',
    { enforce: 'baseline', warn: 'privileged' },
    { enforce: 'baseline', audit: 'privileged', warn: 'privileged' },
  ],
  [
    'levels that cannot be read',
    { enforce: 'x', audit: 'x', warn: 'x' },
    { enforce: 'restricted', audit: 'privileged', warn: 'privileged' },
  ],
])('PodSecurity warns by %s', (_, labels, expected) => {
  const named = Object.fromEntries(
    Object.entries(labels).map(([mode, level]) => [`pod-security.kubernetes.io/${mode}`, level]),
  );
  const { policy } = policyOf({ metadata: { labels: named } } as Namespace, parsePodSecurity().defaults);
  expect({ enforce: policy.enforce.level, audit: policy.audit.level, warn: policy.warn.level }).toEqual(expected);
});

describe('PodSecurity with a configuration', () => {
  const configuration = (fields: object) =>
    parsePodSecurity(
      JSON.stringify({
        apiVersion: 'pod-security.admission.config.k8s.io/v1',
        kind: 'PodSecurityConfiguration',
        defaults: { enforce: 'baseline' },
        ...fields,
      }),
    );
  const privileged = { containers: [box({ securityContext: { privileged: true } })] };

  test.each([
    ['no exemption', {}, {}, 403],
    ['an exempt namespace', { namespaces: ['default'] }, {}, 201],
    ['an exempt user', { usernames: ['system:admin'] }, {}, 201],
    ['an exempt runtime class', { runtimeClasses: ['vm'] }, { runtimeClassName: 'vm' }, 201],
  ])('%s', async (_, exemptions, spec, code) => {
    await start({ podSecurity: configuration({ exemptions }) });
    await server.call('POST', '/apis/node.k8s.io/v1/runtimeclasses', { metadata: { name: 'vm' }, handler: 'vm' });
    expect((await create('p', { ...privileged, ...spec })).code).toBe(code);
  });

  test('a label comes before the default', async () => {
    await start({ podSecurity: configuration({}) });
    await merge(ns, { metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'privileged' } } });
    expect((await create('p', privileged)).code).toBe(201);
  });
});

describe('ResourceQuota with limited resources', () => {
  const scope = { scopeName: 'PriorityClass', operator: 'In', values: ['high'] };
  const quota = async (spec: object, status: object) => {
    await server.call('POST', `${ns}/resourcequotas`, { metadata: { name: 'q' }, spec });
    await merge(`${ns}/resourcequotas/q/status`, { status });
  };
  const high = async () => {
    await server.call('POST', '/apis/scheduling.k8s.io/v1/priorityclasses', { metadata: { name: 'high' }, value: 1 });
    return create('p', { priorityClassName: 'high' });
  };

  test.each([
    ['without a quota', false, 'pods "p" is forbidden: insufficient quota to consume: requests.cpu'],
    ['with one', true, undefined],
  ])('a resource %s', async (_, exists, message) => {
    await start({ limitedResources: [{ resource: 'pods', matchContains: ['requests.cpu'] }] });
    const hard = { 'requests.cpu': '1' };
    if (exists) await quota({ hard }, { hard, used: { 'requests.cpu': '0' } });
    const { body } = await create('p', { containers: [box({ resources: { requests: { cpu: '1' } } })] });
    expect(body.message).toBe(message);
    expect((await create('other')).body.message).toBe(
      exists ? 'pods "other" is forbidden: failed quota: q: must specify requests.cpu for: box' : undefined,
    );
  });

  test.each([
    ['without a quota', false, 500, 'insufficient quota to match these scopes: [{PriorityClass In [high]}]'],
    ['with one', true, 201, undefined],
  ])('a scope %s', async (_, exists, code, message) => {
    await start({ limitedResources: [{ resource: 'pods', matchScopes: [scope] }] });
    const hard = { pods: '1' };
    if (exists) await quota({ hard, scopeSelector: { matchExpressions: [scope] } }, { hard, used: { pods: '0' } });
    const answer = await high();
    expect([answer.code, answer.body.message]).toEqual([code, message]);
  });
});
