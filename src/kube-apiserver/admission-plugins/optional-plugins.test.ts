import { afterEach, describe, expect, test } from 'vitest';
import { type Client, createClient } from '../../client/client.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import type { Authorizer } from '../access/authorization.ts';
import { startRemote, type TestRemote } from '../access/test-remote.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { type AdmissionConfiguration, admissionPlugins } from './admission-plugins.ts';

let server: TestServer;
let remote: TestRemote | undefined;
afterEach(async () => {
  await server.stop();
  await remote?.stop();
  remote = undefined;
});

const ns = '/api/v1/namespaces/default';

interface Started {
  readonly configuration?: AdmissionConfiguration;
  readonly authorizers?: readonly Authorizer[];
}

/** A server with `enabled` beside the default plugins, in virtual time. */
async function start(enabled: string, { configuration, authorizers }: Started = {}) {
  let client: Client | undefined;
  const clock = new VirtualClock();
  const options = { enabled: [enabled], configuration, clock, missingServiceAccounts: true };
  server = await startTestServer({
    clock,
    admission: admissionPlugins(() => client as Client, options),
    namespaces: [],
    ...(authorizers && { authorizers }),
  });
  client = createClient(server.transport({ name: 'system:apiserver', groups: ['system:masters'] }));
  if (enabled !== 'AlwaysDeny') await server.call('POST', '/api/v1/namespaces', { metadata: { name: 'default' } });
  return clock;
}

const box = (fields: object = {}) => ({ name: 'box', image: 'registry.test/box:1', ...fields });
const create = (name: string, spec: object = {}, metadata: object = {}) =>
  server.call('POST', `${ns}/pods`, { metadata: { name, ...metadata }, spec: { containers: [box()], ...spec } });
const merge = (path: string, body: object) =>
  server.call('PATCH', path, body, { contentType: 'application/merge-patch+json' });

test('AlwaysAdmit has no effect', async () => {
  await start('AlwaysAdmit');
  expect((await create('p')).code).toBe(201);
});

test('AlwaysDeny refuses every write, and no read', async () => {
  await start('AlwaysDeny');
  const { code, body } = await server.call('POST', '/api/v1/namespaces', { metadata: { name: 'x' } });
  expect([code, body.message]).toEqual([
    403,
    'namespaces "x" is forbidden: admission control is denying all modifications',
  ]);
  expect((await server.call('GET', '/api/v1/namespaces')).code).toBe(200);
});

describe('AlwaysPullImages', () => {
  test('sets the policy of every container and image volume', async () => {
    await start('AlwaysPullImages');
    const volumes = [{ name: 'v', image: { reference: 'registry.test/v:1', pullPolicy: 'Never' } }];
    const init = { name: 'init', image: 'registry.test/i:1', imagePullPolicy: 'IfNotPresent' };
    const { body } = await create('p', { volumes, initContainers: [init] });
    const { containers, initContainers } = body.spec;
    const policies = [...containers, ...initContainers].map((c: { imagePullPolicy: string }) => c.imagePullPolicy);
    expect([...policies, body.spec.volumes[0].image.pullPolicy]).toEqual(['Always', 'Always', 'Always']);
  });

  test('an update without a new image stays as it is', async () => {
    await start('AlwaysPullImages');
    await create('p');
    const { code, body } = await merge(`${ns}/pods/p`, { metadata: { labels: { a: 'b' } } });
    expect([code, body.spec.containers[0].imagePullPolicy]).toEqual([200, 'Always']);
  });
});

test.each([
  ['kubernetes.io/hostname', 201, undefined],
  [
    'topology.kubernetes.io/zone',
    403,
    'pods "p" is forbidden: affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey topology.kubernetes.io/zone but only key kubernetes.io/hostname is allowed',
  ],
])('LimitPodHardAntiAffinityTopology: %s', async (topologyKey, code, message) => {
  await start('LimitPodHardAntiAffinityTopology');
  const term = { topologyKey, labelSelector: { matchLabels: { a: 'b' } } };
  const affinity = { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } };
  const answer = await create('p', { affinity });
  expect([answer.code, answer.body.message]).toEqual([code, message]);
});

test('DenyServiceExternalIPs allows those that were there', async () => {
  await start('DenyServiceExternalIPs');
  const service = (externalIPs: string[]) => ({
    metadata: { name: 's' },
    spec: { ports: [{ port: 80 }], externalIPs },
  });
  const denied = 'services "s" is forbidden: Use of external IPs is denied by admission control';
  expect((await server.call('POST', `${ns}/services`, service(['192.0.2.1']))).body.message).toBe(denied);
  expect((await server.call('POST', `${ns}/services`, service([]))).code).toBe(201);
  expect((await merge(`${ns}/services/s`, { spec: { externalIPs: ['192.0.2.1'] } })).body.message).toBe(denied);
});

test.each([
  ['an extended resource', { 'example.com/gpu': '1' }, ['example.com/gpu']],
  ['a resource of Kubernetes', { cpu: '1' }, []],
])('ExtendedResourceToleration: %s', async (_, requests, keys) => {
  await start('ExtendedResourceToleration');
  const limits = 'cpu' in requests ? {} : requests;
  const { body } = await create('p', { containers: [box({ resources: { requests, limits } })] });
  const added = body.spec.tolerations.filter(({ effect }: { effect: string }) => effect === 'NoSchedule');
  expect(added).toEqual(keys.map((key) => ({ key, operator: 'Exists', effect: 'NoSchedule' })));
});

test('NamespaceAutoProvision makes the namespace, except in a dry run', async () => {
  await start('NamespaceAutoProvision');
  const map = { metadata: { name: 'c' } };
  const path = '/api/v1/namespaces/fresh/configmaps';
  expect((await server.call('POST', path, map, { query: { dryRun: 'All' } })).code).toBe(404);
  expect((await server.call('POST', path, map)).code).toBe(201);
  expect((await server.call('GET', '/api/v1/namespaces/fresh')).code).toBe(200);
});

test('NamespaceExists rejects objects in missing namespaces', async () => {
  await start('NamespaceExists');
  const { body } = await server.call('POST', '/api/v1/namespaces/ghost/configmaps', { metadata: { name: 'c' } });
  expect(body.message).toBe('namespaces "ghost" not found');
});

describe('OwnerReferencesPermissionEnforcement', () => {
  const may: Record<string, boolean> = {};
  const authorizer: Authorizer = {
    name: 'test',
    authorize: ({ user, verb, resource, subresource }) => {
      const isAsked = user.name === 'eve' && (verb === 'delete' || subresource === 'finalizers');
      return isAsked && !may[`${verb} ${resource}`]
        ? { decision: 'no-opinion', reason: 'not hers' }
        : { decision: 'allow' };
    },
  };
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'r', uid: 'u' };
  const write = async (allowed: string[], owners: object[], exists: boolean) => {
    for (const key of Object.keys(may)) delete may[key];
    for (const key of allowed) may[key] = true;
    if (exists) await server.call('POST', `${ns}/configmaps`, { metadata: { name: 'c' } });
    const { code, body }: { code: number; body?: any } = await server
      .transport({ name: 'eve', groups: ['system:authenticated'] })
      .send({
        method: exists ? 'PUT' : 'POST',
        path: exists ? `${ns}/configmaps/c` : `${ns}/configmaps`,
        query: {},
        body: { metadata: { name: 'c', ownerReferences: owners } },
      });
    return [code, body.message];
  };
  const blocking = { ...owner, blockOwnerDeletion: true };

  test.each([
    ['a new object with an owner', [], [owner], false, 201, undefined],
    [
      'an owner of an object that she cannot delete',
      [],
      [owner],
      true,
      403,
      'configmaps "c" is forbidden: cannot set an ownerRef on a resource you can\'t delete: not hers, <nil>',
    ],
    ['an owner of an object that she can delete', ['delete configmaps'], [owner], true, 200, undefined],
    [
      'a blocking owner whose finalizers she cannot set',
      [],
      [blocking],
      false,
      403,
      'configmaps "c" is forbidden: cannot set blockOwnerDeletion if an ownerReference refers to a resource you can\'t set finalizers on: not hers, <nil>',
    ],
    ['a blocking owner whose finalizers she can set', ['update replicasets'], [blocking], false, 201, undefined],
    ['who can set all finalizers', ['update *'], [blocking], false, 201, undefined],
    [
      'a blocking owner of an unknown kind',
      [],
      [{ ...blocking, kind: 'Ghost' }],
      false,
      403,
      'configmaps "c" is forbidden: cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion apps/v1 Kind Ghost: no matches for kind "Ghost" in version "apps/v1"',
    ],
  ])('%s', async (_, allowed, owners, exists, code, message) => {
    await start('OwnerReferencesPermissionEnforcement', { authorizers: [authorizer] });
    expect(await write(allowed, owners, exists)).toEqual([code, message]);
  });
});

describe('PodNodeSelector', () => {
  const label = (selector: string) =>
    merge(ns, { metadata: { annotations: { 'scheduler.alpha.kubernetes.io/node-selector': selector } } });
  const conflict = 'pods "p" is forbidden: pod node label selector conflicts with its namespace node label selector';

  test.each([
    ['the default of the cluster', undefined, {}, { env: 'dev' }],
    ['the selector of the namespace', 'env=prod,disk=ssd', {}, { env: 'prod', disk: 'ssd' }],
    ['an empty one', '', { a: 'b' }, { a: 'b' }],
    ['one that contradicts the pod', 'env=prod', { env: 'dev' }, conflict],
    ['one that is none', 'env', {}, 'invalid selector: [env]'],
  ])('%s', async (_, selector, nodeSelector, expected) => {
    await start('PodNodeSelector', { configuration: { nodeSelectors: { clusterDefaultNodeSelector: 'env=dev' } } });
    if (selector !== undefined) await label(selector);
    const { body } = await create('p', { nodeSelector });
    expect(typeof expected === 'string' ? body.message : body.spec.nodeSelector).toEqual(expected);
  });

  test('the labels that a namespace may use', async () => {
    await start('PodNodeSelector', { configuration: { nodeSelectors: { default: 'env=dev' } } });
    expect((await create('a', { nodeSelector: { env: 'dev' } })).code).toBe(201);
    expect((await create('p', { nodeSelector: { disk: 'ssd' } })).body.message).toBe(
      'pods "p" is forbidden: pod node label selector labels conflict with its namespace whitelist',
    );
  });
});

describe('PodTolerationRestriction', () => {
  const annotate = (name: string, tolerations: unknown) =>
    merge(ns, {
      metadata: { annotations: { [`scheduler.alpha.kubernetes.io/${name}`]: JSON.stringify(tolerations) } },
    });
  const gpu = { key: 'gpu', operator: 'Exists', effect: 'NoSchedule' } as const;
  const own = (tolerations: { key?: string }[]) =>
    tolerations.filter(
      ({ key }) => !key?.startsWith('node.kubernetes.io/n') && key !== 'node.kubernetes.io/unreachable',
    );

  test('the namespace’s default comes before that of the cluster', async () => {
    await start('PodTolerationRestriction', { configuration: { tolerations: { default: [gpu] } } });
    expect(own((await create('a')).body.spec.tolerations)).toEqual([gpu]);
    await annotate('defaultTolerations', []);
    expect(own((await create('b')).body.spec.tolerations)).toEqual([]);
  });

  test('a pod with requests tolerates memory pressure', async () => {
    await start('PodTolerationRestriction');
    const { body } = await create('p', { containers: [box({ resources: { requests: { cpu: '1' } } })] });
    expect(own(body.spec.tolerations)).toEqual([
      { key: 'node.kubernetes.io/memory-pressure', operator: 'Exists', effect: 'NoSchedule' },
    ]);
  });

  test.each([
    ['the namespace allows', [{ operator: 'Exists' }], 201, undefined],
    [
      'the namespace does not allow',
      [{ key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 9 }],
      500,
      'pod tolerations (possibly merged with namespace default tolerations) conflict with its namespace whitelist',
    ],
  ])('an object that %s', async (_, allowed, code, message) => {
    await start('PodTolerationRestriction');
    await annotate('tolerationsWhitelist', allowed);
    const answer = await create('p', { tolerations: [gpu] });
    expect([answer.code, answer.body.message]).toEqual([code, message]);
  });

  test('an annotation that is no list is a fault of the request', async () => {
    await start('PodTolerationRestriction');
    await annotate('defaultTolerations', { a: 1 });
    const { code, body } = await create('p');
    expect([code, body.message]).toEqual([
      500,
      'the annotation scheduler.alpha.kubernetes.io/defaultTolerations must be a list of tolerations',
    ]);
  });
});

describe('EventRateLimit', () => {
  const post = (name: string, about = 'p') =>
    server.call('POST', `${ns}/events`, {
      metadata: { name },
      involvedObject: { kind: 'Pod', namespace: 'default', name: about },
    });

  test('a bucket is refilled with time', async () => {
    const clock = await start('EventRateLimit', {
      configuration: { eventLimits: [{ type: 'Namespace', qps: 1, burst: 2 }] },
    });
    expect([(await post('a')).code, (await post('b')).code]).toEqual([201, 201]);
    const { code, body } = await post('c');
    expect([code, body.reason, body.message]).toEqual([
      429,
      'TooManyRequests',
      'Too many requests: limit reached on type Namespace for key default',
    ]);
    await clock.advance(1_000);
    expect((await post('c')).code).toBe(201);
  });

  test('each source and object has a bucket, and the oldest is evicted', async () => {
    await start('EventRateLimit', {
      configuration: { eventLimits: [{ type: 'SourceAndObject', qps: 1, burst: 1, cacheSize: 1 }] },
    });
    expect((await post('a', 'one')).code).toBe(201);
    expect((await post('b', 'one')).code).toBe(429);
    expect((await post('c', 'two')).code).toBe(201);
    expect((await post('d', 'one')).code).toBe(201);
  });
});

describe('ImagePolicyWebhook', () => {
  const policy = (defaultAllow: boolean, url = remote?.url ?? 'http://127.0.0.1:1') => ({
    configuration: {
      imagePolicy: { server: { url }, allowTtlMs: 60_000, denyTtlMs: 0, retryBackoffMs: 1, defaultAllow },
    },
  });

  test.each([
    ['allowed', { allowed: true }, 201, undefined],
    [
      'denied with a reason',
      { allowed: false, reason: 'too old' },
      403,
      'pods "p" is forbidden: image policy webhook backend denied one or more images: too old',
    ],
    ['denied', {}, 403, 'pods "p" is forbidden: one or more images rejected by webhook backend'],
  ])('%s', async (_, status, code, message) => {
    remote = await startRemote(() => ({ text: JSON.stringify({ status }) }));
    await start('ImagePolicyWebhook', policy(false));
    const annotations = { 'x.image-policy.k8s.io/ticket': '7', other: 'no' };
    const answer = await create('p', {}, { annotations });
    expect([answer.code, answer.body.message]).toEqual([code, message]);
    expect(remote.asked[0].body).toEqual({
      kind: 'ImageReview',
      apiVersion: 'imagepolicy.k8s.io/v1alpha1',
      spec: {
        containers: [{ image: 'registry.test/box:1' }],
        annotations: { 'x.image-policy.k8s.io/ticket': '7' },
        namespace: 'default',
      },
    });
  });

  test('an answer is remembered for its time', async () => {
    remote = await startRemote(() => ({ text: '{"status":{"allowed":true}}' }));
    const clock = await start('ImagePolicyWebhook', policy(false));
    await create('a');
    await create('b');
    expect(remote.asked).toHaveLength(1);
    await clock.advance(61_000);
    await create('c');
    expect(remote.asked).toHaveLength(2);
  });

  test.each([
    [true, 201],
    [false, 403],
  ])('a server that refuses the review, where failures are allowed: %s', async (defaultAllow, code) => {
    remote = await startRemote(() => ({ code: 400, text: '' }));
    await start('ImagePolicyWebhook', policy(defaultAllow));
    const answer = await create('p');
    expect(answer.code).toBe(code);
    expect(answer.body.metadata.annotations?.['alpha.image-policy.k8s.io/failed-open']).toBe(
      defaultAllow ? 'true' : undefined,
    );
  });
});
