import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createClient } from '../../client/client.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { seededRandom } from '../../machinery/random.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import type { UserInfo } from '../request/user.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { type Access, createAccess } from './access.ts';

const api = '/apis/rbac.authorization.k8s.io/v1';
const group = 'rbac.authorization.k8s.io';
const signingKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
  type: 'pkcs8',
  format: 'pem',
}) as string;
const clock = new VirtualClock();
const random = seededRandom(1);
let server: TestServer;
let access: Access;

/** May write roles and bindings, and read pods. */
const eve: UserInfo = { name: 'eve', groups: ['crew', 'system:authenticated'] };
const secrets = { apiGroups: [''], resources: ['secrets'], verbs: ['get'] };
const pods = { apiGroups: [''], resources: ['pods'], verbs: ['get'] };
const user = (name: string) => ({ kind: 'User', name, apiGroup: group });

async function as(
  who: UserInfo,
  method: 'POST' | 'PUT' | 'PATCH',
  path: string,
  body: object,
  contentType = 'application/json',
): Promise<{ code: number; body?: any }> {
  const query: Record<string, string> = contentType.includes('apply') ? { fieldManager: 'me', force: 'true' } : {};
  return server.transport(who).send({ method, path: `${api}/${path}`, body, contentType, query });
}

beforeAll(async () => {
  access = createAccess({
    clock,
    random,
    metrics: new Metrics(),
    serviceAccounts: { signingKey, issuer: 'https://kubernetes.default.svc' },
  });
  server = await startTestServer({
    clock,
    authorizers: access.authorizers,
    admission: access.admission,
    tokens: access.tokens,
    namespaces: [],
  });
  const client = createClient(server.transport({ name: 'system:apiserver', groups: ['system:masters'] }));
  await access.start({ client, clock, random, logger: silentLogger });
  await server.call('POST', '/api/v1/namespaces', { metadata: { name: 'default' } });
  const give = async (name: string, rules: object[], subjects: object[]) => {
    await server.call('POST', `${api}/clusterroles`, { metadata: { name }, rules });
    const roleRef = { apiGroup: group, kind: 'ClusterRole', name };
    await server.call('POST', `${api}/clusterrolebindings`, { metadata: { name }, subjects, roleRef });
  };
  const resources = ['roles', 'clusterroles', 'rolebindings', 'clusterrolebindings'];
  const write = { apiGroups: [group], resources, verbs: ['create', 'update', 'patch', 'get'] };
  await give('writer', [write, pods], [user('eve'), user('binder'), user('escalator'), user('root')]);
  await give(
    'binder',
    [{ apiGroups: [group], resources: ['clusterroles'], resourceNames: ['secret-reader'], verbs: ['bind'] }],
    [user('binder')],
  );
  await give(
    'escalator',
    [{ apiGroups: [group], resources: ['roles', 'clusterroles'], verbs: ['escalate'] }],
    [user('escalator')],
  );
  await give(
    'everything',
    [
      { apiGroups: ['*'], resources: ['*'], verbs: ['*'] },
      { nonResourceURLs: ['*'], verbs: ['*'] },
    ],
    [user('root')],
  );
  await server.call('POST', `${api}/clusterroles`, { metadata: { name: 'secret-reader' }, rules: [secrets] });
  await server.call('POST', `${api}/clusterroles`, { metadata: { name: 'pod-reader' }, rules: [pods] });
  await server.call('POST', `${api}/namespaces/default/roles`, {
    metadata: { name: 'secret-reader' },
    rules: [secrets],
  });
  const root: UserInfo = { name: 'root', groups: [] };
  // Roles reach the authorizer through informers, a moment later.
  await vi.waitFor(async () => expect((await as(root, 'POST', 'clusterroles', role('probe'))).code).not.toBe(403));
});
afterAll(async () => {
  await access.stop();
  await server.stop();
});

const reference = (kind: string, name: string) => ({ apiGroup: group, kind, name });
const role = (name: string, ...rules: object[]) => ({ metadata: { name }, rules });
const binding = (name: string, kind: string, roleName: string) => ({
  metadata: { name },
  subjects: [user('somebody')],
  roleRef: reference(kind, roleName),
});
const who = (name: string): UserInfo => ({ name, groups: ['system:authenticated'] });
const all = [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }];

test.each<[string, UserInfo, string, object, number]>([
  ['a cluster role with a right one does not have', eve, 'clusterroles', role('a1', secrets), 403],
  ['a cluster role with rights one has', eve, 'clusterroles', role('a2', pods), 201],
  ['a role with a right one does not have', eve, 'namespaces/default/roles', role('a3', secrets), 403],
  ['a role with rights one has', eve, 'namespaces/default/roles', role('a4', pods), 201],
  [
    'a binding of a role one does not have',
    eve,
    'clusterrolebindings',
    binding('b1', 'ClusterRole', 'everything'),
    403,
  ],
  ['a binding of a role one has', eve, 'clusterrolebindings', binding('b2', 'ClusterRole', 'pod-reader'), 201],
  [
    'a role binding of a cluster role',
    eve,
    'namespaces/default/rolebindings',
    binding('b3', 'ClusterRole', 'secret-reader'),
    403,
  ],
  ['a role binding of a role', eve, 'namespaces/default/rolebindings', binding('b4', 'Role', 'secret-reader'), 403],
  ['a binding of a role that does not exist', eve, 'clusterrolebindings', binding('b5', 'ClusterRole', 'nothing'), 404],
  [
    'bind, for the role that is named',
    who('binder'),
    'clusterrolebindings',
    binding('c1', 'ClusterRole', 'secret-reader'),
    201,
  ],
  ['bind, for another role', who('binder'), 'clusterrolebindings', binding('c2', 'ClusterRole', 'everything'), 403],
  ['bind gives no escalate', who('binder'), 'clusterroles', role('c3', secrets), 403],
  ['escalate', who('escalator'), 'clusterroles', role('d1', ...all), 201],
  [
    'escalate gives no bind',
    who('escalator'),
    'clusterrolebindings',
    binding('d2', 'ClusterRole', 'secret-reader'),
    403,
  ],
  [
    'escalate, with an aggregation rule',
    who('escalator'),
    'clusterroles',
    { ...role('d3'), aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] } },
    201,
  ],
  [
    'an aggregation rule',
    eve,
    'clusterroles',
    { ...role('d4'), aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] } },
    403,
  ],
  [
    'an aggregation rule, by who has everything',
    who('root'),
    'clusterroles',
    { ...role('d5'), aggregationRule: { clusterRoleSelectors: [{}] } },
    201,
  ],
  ['everything, by who has everything', who('root'), 'clusterroles', role('d6', ...all), 201],
  ['everything, by a superuser', { name: 'x', groups: ['system:masters'] }, 'clusterroles', role('d7', ...all), 201],
  ['an unknown kind of role', eve, 'clusterrolebindings', binding('e1', 'Thing', 'x'), 500],
  ['no name of a role', eve, 'clusterrolebindings', binding('e2', 'ClusterRole', ''), 422],
])('create %s', async (_, person, path, body, code) => {
  const answer = await as(person, 'POST', path, body);
  expect(answer.code, JSON.stringify(answer.body)).toBe(code);
});

test('the refusal names the user, the groups and the rules, as Kubernetes does', async () => {
  const rules = [{ apiGroups: [''], resources: ['secrets', 'pods'], verbs: ['get', 'list'] }];
  const { body } = await as(eve, 'POST', 'clusterroles', { metadata: { name: 'text' }, rules });
  expect(body).toMatchObject({
    reason: 'Forbidden',
    details: { name: 'text', group, kind: 'clusterroles' },
    message: [
      'clusterroles.rbac.authorization.k8s.io "text" is forbidden: user "eve" (groups=["crew" "system:authenticated"]) is attempting to grant RBAC permissions not currently held:',
      '{APIGroups:[""], Resources:["pods"], Verbs:["list"]}',
      '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}',
    ].join('\n'),
  });
  const aggregationRule = { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] };
  const refused = await as(eve, 'POST', 'clusterroles', { metadata: { name: 'sum' }, aggregationRule });
  expect(refused.body.message).toBe(
    'clusterroles.rbac.authorization.k8s.io "sum" is forbidden: must have cluster-admin privileges to use the aggregationRule',
  );
  const missing = await as(eve, 'POST', 'clusterrolebindings', binding('m', 'ClusterRole', 'nothing'));
  expect(missing.body.message).toBe('clusterrolebindings.rbac.authorization.k8s.io "nothing" not found');
});

test.each<[string, 'PUT' | 'PATCH', string, object, number]>([
  ['a put', 'PUT', 'application/json', { metadata: { name: 'kept' }, rules: [pods, secrets] }, 403],
  ['a json patch', 'PATCH', 'application/json-patch+json', [{ op: 'add', path: '/rules/-', value: secrets }], 403],
  ['a merge patch', 'PATCH', 'application/merge-patch+json', { rules: [pods, secrets] }, 403],
  ['a strategic patch', 'PATCH', 'application/strategic-merge-patch+json', { rules: [secrets] }, 403],
  [
    'an apply',
    'PATCH',
    'application/apply-patch+yaml',
    { apiVersion: `${group}/v1`, kind: 'ClusterRole', metadata: { name: 'kept' }, rules: [secrets] },
    403,
  ],
  [
    'a merge patch that adds nothing',
    'PATCH',
    'application/merge-patch+json',
    { metadata: { labels: { a: 'b' } } },
    200,
  ],
])('update by %s', async (_, method, contentType, body, code) => {
  await server.call('POST', `${api}/clusterroles`, role('kept', pods));
  const answer = await as(eve, method, 'clusterroles/kept', body, contentType);
  expect(answer.code, JSON.stringify(answer.body)).toBe(code);
});

test.each(['PUT', 'PATCH'] as const)('a role that a %s would create is judged too', async (method) => {
  const apply = method === 'PATCH' ? 'application/apply-patch+yaml' : undefined;
  const made = { apiVersion: `${group}/v1`, kind: 'ClusterRole', metadata: { name: 'made' }, rules: [secrets] };
  expect((await as(eve, method, 'clusterroles/made', made, apply)).code).toBe(403);
});

test('rights that a mutating policy adds to a role are judged too', async () => {
  const policies = '/apis/admissionregistration.k8s.io/v1';
  const name = 'add-secrets';
  const added = 'Object.rules{apiGroups: [""], resources: ["secrets"], verbs: ["get"]}';
  const expression = `[JSONPatch{op: "add", path: "/rules/-", value: ${added}}]`;
  const spec = {
    reinvocationPolicy: 'Never',
    matchConstraints: {
      resourceRules: [
        {
          apiGroups: [group],
          apiVersions: ['v1'],
          resources: ['clusterroles'],
          operations: ['CREATE'],
          resourceNames: [],
        },
      ],
    },
    matchConditions: [{ name: 'marked', expression: 'object.metadata.name.startsWith("mutated")' }],
    mutations: [{ patchType: 'JSONPatch', jsonPatch: { expression } }],
  };
  const post = async (resource: string, body: object) =>
    expect((await server.call('POST', `${policies}/${resource}`, body)).code).toBe(201);
  await post('mutatingadmissionpolicies', { metadata: { name }, spec });
  await post('mutatingadmissionpolicybindings', { metadata: { name }, spec: { policyName: name } });
  const { code, body } = await server.call('POST', `${api}/clusterroles`, role('mutated-1', pods));
  expect([code, body.rules], JSON.stringify(body)).toEqual([201, [pods, secrets]]);
  const refused = await as(eve, 'POST', 'clusterroles', role('mutated-2', pods));
  expect(refused.code).toBe(403);
  expect(refused.body.message).toContain('{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}');
});

test('a role beyond one’s rights may lose owners and finalizers, and no more', async () => {
  await server.call('POST', `${api}/clusterroles`, {
    ...role('foreign', secrets),
    metadata: { name: 'foreign', finalizers: ['a.b/c'] },
  });
  const change = (body: object) => as(eve, 'PATCH', 'clusterroles/foreign', body, 'application/merge-patch+json');
  expect((await change({ metadata: { labels: { a: 'b' } } })).code).toBe(403);
  expect((await change({ metadata: { finalizers: [] } })).code).toBe(200);
});

test('an aggregation rule may not be taken away either', async () => {
  const aggregationRule = { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] };
  await server.call('POST', `${api}/clusterroles`, { ...role('summed'), aggregationRule });
  const body = { aggregationRule: null, metadata: { labels: { x: 'y' } } };
  expect((await as(eve, 'PATCH', 'clusterroles/summed', body, 'application/merge-patch+json')).code).toBe(403);
});

test('a role of another namespace grants no rights here', async () => {
  await server.call('POST', '/api/v1/namespaces', { metadata: { name: 'far' } });
  await server.call('POST', `${api}/namespaces/far/rolebindings`, {
    ...binding('own', 'ClusterRole', 'secret-reader'),
    subjects: [{ kind: 'User', name: 'eve', apiGroup: group }],
  });
  expect((await as(eve, 'POST', 'namespaces/far/roles', role('here', secrets))).code).toBe(201);
  expect((await as(eve, 'POST', 'namespaces/default/roles', role('there', secrets))).code).toBe(403);
  expect((await as(eve, 'POST', 'clusterroles', role('wide', secrets))).code).toBe(403);
});
