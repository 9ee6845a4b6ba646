import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createClient } from '../../client/client.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { seededRandom } from '../../machinery/random.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import type { UserInfo } from '../request/user.ts';
import { pod, startTestServer, type TestServer } from '../testing/test-server.ts';
import { type Access, createAccess } from './access.ts';
import type { Credentials } from './authentication.ts';
import { type Attributes, decide } from './authorization.ts';

const newKey = () =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
const issuer = 'https://kubernetes.default.svc.cluster.local';
const rbacApi = '/apis/rbac.authorization.k8s.io/v1';

const clock = new VirtualClock();
const random = seededRandom(1);
let server: TestServer;
let access: Access;

beforeAll(async () => {
  access = createAccess({ clock, random, metrics: new Metrics(), serviceAccounts: { signingKey: newKey(), issuer } });
  server = await startTestServer({ clock, authorizers: access.authorizers, tokens: access.tokens });
  const client = createClient(server.transport({ name: 'system:apiserver', groups: ['system:masters'] }));
  await access.start({ client, clock, random, logger: silentLogger });
});
afterAll(async () => {
  await access.stop();
  await server.stop();
});

const question = (user: UserInfo, over: Partial<Attributes>): Attributes => ({
  user,
  isResource: true,
  path: '',
  verb: 'get',
  group: '',
  version: 'v1',
  resource: '',
  subresource: '',
  namespace: '',
  name: '',
  rest: '',
  ...over,
});
const may = async (user: UserInfo, over: Partial<Attributes>) =>
  (await decide(server.server.authorizers, question(user, over))).decision === 'allow';

describe('RBAC', () => {
  const jane: UserInfo = { name: 'jane', groups: ['crew', 'system:authenticated'] };
  const account: UserInfo = { name: 'system:serviceaccount:default:robot', groups: ['system:serviceaccounts'] };
  const in_ = (namespace: string, resource: string, over: Partial<Attributes> = {}) => ({
    namespace,
    resource,
    ...over,
  });

  beforeAll(async () => {
    const role = (name: string, rules: object[]) =>
      server.call('POST', `${rbacApi}/namespaces/default/roles`, { metadata: { name }, rules });
    const clusterRole = (name: string, rules: object[]) =>
      server.call('POST', `${rbacApi}/clusterroles`, { metadata: { name }, rules });
    const subject = (kind: string, name: string) => ({
      kind,
      name,
      ...(kind === 'ServiceAccount' ? { namespace: 'default' } : { apiGroup: 'rbac.authorization.k8s.io' }),
    });
    const bind = (path: string, name: string, kind: string, subjects: object[]) =>
      server.call('POST', `${rbacApi}/${path}`, {
        metadata: { name },
        subjects,
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name },
      });
    await role('reader', [
      { apiGroups: [''], resources: ['pods', 'pods/log'], verbs: ['get', 'list'] },
      { apiGroups: [''], resources: ['configmaps'], resourceNames: ['one'], verbs: ['get', 'update'] },
    ]);
    await bind('namespaces/default/rolebindings', 'reader', 'Role', [subject('User', 'jane')]);
    await clusterRole('crew', [
      { apiGroups: ['apps'], resources: ['*'], verbs: ['*'] },
      { apiGroups: ['*'], resources: ['*/scale'], verbs: ['update'] },
      { nonResourceURLs: ['/healthz', '/logs/*'], verbs: ['get'] },
    ]);
    await bind('clusterrolebindings', 'crew', 'ClusterRole', [subject('Group', 'crew')]);
    await clusterRole('secrets', [{ apiGroups: [''], resources: ['secrets'], verbs: ['get'] }]);
    await bind('namespaces/default/rolebindings', 'secrets', 'ClusterRole', [subject('ServiceAccount', 'robot')]);
    // Roles reach the authorizer through informers, a moment later.
    await vi.waitFor(async () => expect(await may(account, in_('default', 'secrets'))).toBe(true));
  });

  test.each<[string, UserInfo, Partial<Attributes>, boolean]>([
    ['a role in its namespace', jane, in_('default', 'pods'), true],
    ['a role in another namespace', jane, in_('other', 'pods'), false],
    ['a verb that is not named', jane, in_('default', 'pods', { verb: 'delete' }), false],
    ['a subresource that is named', jane, in_('default', 'pods', { subresource: 'log' }), true],
    ['a subresource that is not', jane, in_('default', 'pods', { subresource: 'exec' }), false],
    ['the name that is named', jane, in_('default', 'configmaps', { name: 'one' }), true],
    ['another name', jane, in_('default', 'configmaps', { name: 'two' }), false],
    ['no name at all', jane, in_('default', 'configmaps', { verb: 'list' }), false],
    ['any resource of a group', jane, in_('x', 'deployments', { group: 'apps', verb: 'patch' }), true],
    ['another group', jane, in_('x', 'jobs', { group: 'batch' }), false],
    [
      'a subresource of any resource',
      jane,
      in_('x', 'things', { group: 'y', subresource: 'scale', verb: 'update' }),
      true,
    ],
    ['a path', jane, { isResource: false, path: '/healthz' }, true],
    ['a path below', jane, { isResource: false, path: '/logs/a/b' }, true],
    ['another path', jane, { isResource: false, path: '/metrics' }, false],
    ['a cluster role that is bound in a namespace', account, in_('default', 'secrets'), true],
    ['the same elsewhere', account, in_('other', 'secrets'), false],
    ['an unknown user', { name: 'eve', groups: ['system:authenticated'] }, in_('default', 'pods'), false],
    ['a superuser', { name: 'x', groups: ['system:masters'] }, in_('any', 'thing', { verb: 'burn' }), true],
  ])('%s', async (_, user, over, wanted) => expect(await may(user, over)).toBe(wanted));

  test('a list of one name alone is judged as that name', async () => {
    const as = (query: Record<string, string>) =>
      server
        .transport(jane)
        .send({ method: 'GET', path: '/api/v1/namespaces/default/configmaps', query })
        .then(({ code }) => code);
    expect(await as({ fieldSelector: 'metadata.name=one' })).toBe(403); // the role allows no list
    await server.call('POST', `${rbacApi}/namespaces/default/roles`, {
      metadata: { name: 'lister' },
      rules: [{ apiGroups: [''], resources: ['configmaps'], resourceNames: ['one'], verbs: ['list'] }],
    });
    await server.call('POST', `${rbacApi}/namespaces/default/rolebindings`, {
      metadata: { name: 'lister' },
      subjects: [{ kind: 'User', name: 'jane', apiGroup: 'rbac.authorization.k8s.io' }],
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'lister' },
    });
    await expect.poll(() => as({ fieldSelector: 'metadata.name=one' })).toBe(200);
    expect(await as({ fieldSelector: 'metadata.name=two' })).toBe(403);
    expect(await as({})).toBe(403);
  });
});

describe('service account tokens', () => {
  const ns = '/api/v1/namespaces/default';
  const authenticator = () => access.authenticators.find(({ name }) => name === 'bearer-token')!;
  const enter = (token: string, audiences?: string[]) =>
    audiences
      ? authenticator().authenticateToken!(token, audiences)
      : authenticator().authenticate({ headers: { authorization: `Bearer ${token}` } } as unknown as Credentials);
  const tokenFor = async (account: string, spec: object = {}) => {
    const { code, body } = await server.call('POST', `${ns}/serviceaccounts/${account}/token`, { spec });
    expect(code, body.message).toBe(201);
    return body.status.token as string;
  };
  const account = (name: string) => server.call('POST', `${ns}/serviceaccounts`, { metadata: { name } });
  const refused = { code: 401 };

  test('identify the account', async () => {
    await account('a');
    expect(await enter(await tokenFor('a'))).toMatchObject({
      name: 'system:serviceaccount:default:a',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'],
    });
  });

  test('are good for their audiences', async () => {
    await account('aud');
    const token = await tokenFor('aud', { audiences: ['other'] });
    await expect(enter(token)).rejects.toMatchObject(refused);
    expect(await enter(token, ['other'])).toMatchObject({ name: 'system:serviceaccount:default:aud' });
  });

  test('expire', async () => {
    await account('exp');
    const token = await tokenFor('exp', { expirationSeconds: 600 });
    expect(await enter(token)).toBeDefined();
    await clock.advance(601_000);
    await expect(enter(token)).rejects.toMatchObject(refused);
  });

  test('end with their account, and are not good for the next of that name', async () => {
    await account('gone');
    const token = await tokenFor('gone');
    expect(await enter(token)).toBeDefined();
    await server.call('DELETE', `${ns}/serviceaccounts/gone`);
    await expect(enter(token)).rejects.toMatchObject(refused);
    await account('gone');
    await expect(enter(token)).rejects.toMatchObject(refused);
  });

  test.each([
    {
      case: 'of an account that is gone',
      change: () => server.call('DELETE', `${ns}/serviceaccounts/why`),
      why: 'serviceaccounts "why" not found',
    },
    {
      case: 'of another account of the name',
      async change() {
        await server.call('DELETE', `${ns}/serviceaccounts/why`);
        await account('why');
      },
      why: /^service account UID \(.{36}\) does not match claim \(.{36}\)$/,
    },
    {
      case: 'of a secret that is gone',
      change: () => server.call('DELETE', `${ns}/secrets/why`),
      why: 'service account token has been invalidated',
    },
    {
      case: 'of another secret of the name',
      async change() {
        await server.call('DELETE', `${ns}/secrets/why`);
        await server.call('POST', `${ns}/secrets`, { metadata: { name: 'why' } });
      },
      why: /^secret UID \(.{36}\) does not match service account secret ref claim \(.{36}\)$/,
    },
    { case: 'of the past', change: () => clock.advance(700_000), why: 'service account token has expired' },
  ])('$case are refused in the words of Kubernetes', async ({ change, why }) => {
    await account('why');
    const { body } = await server.call('POST', `${ns}/secrets`, { metadata: { name: 'why' } });
    const boundObjectRef = { kind: 'Secret', apiVersion: 'v1', name: 'why', uid: body.metadata.uid };
    const token = await tokenFor('why', { boundObjectRef, expirationSeconds: 600 });
    await change();
    const reason = await enter(token, []).catch((error: { readonly why: string }) => error.why);
    expect(reason).toEqual(typeof why === 'string' ? why : expect.stringMatching(why));
    for (const path of ['serviceaccounts', 'secrets']) await server.call('DELETE', `${ns}/${path}/why`);
  });

  test('of a pod’s volume are valid for a year, and contain the time of their renewal', async () => {
    await account('volume');
    const { body } = await server.call('POST', `${ns}/pods`, pod('volume', { serviceAccountName: 'volume' }));
    const boundObjectRef = { kind: 'Pod', apiVersion: 'v1', name: 'volume', uid: body.metadata.uid };
    const token = await tokenFor('volume', { boundObjectRef, expirationSeconds: 3_607 });
    const { exp, iat, ...claims } = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());
    expect(exp - iat).toBe(365 * 24 * 3_600);
    expect(claims['kubernetes.io'].warnafter - iat).toBe(3_607);
    const plain = await tokenFor('volume', { boundObjectRef, expirationSeconds: 3_600 });
    expect(
      JSON.parse(Buffer.from(plain.split('.')[1], 'base64url').toString())['kubernetes.io'].warnafter,
    ).toBeUndefined();
  });

  test('end with the node that they are bound to', async () => {
    await account('noded');
    const { body } = await server.call('POST', '/api/v1/nodes', { metadata: { name: 'bound' } });
    const boundObjectRef = { kind: 'Node', apiVersion: 'v1', name: 'bound', uid: body.metadata.uid };
    const token = await tokenFor('noded', { boundObjectRef });
    expect((await enter(token))?.extra).toMatchObject({ 'authentication.kubernetes.io/node-name': ['bound'] });
    await server.call('DELETE', '/api/v1/nodes/bound');
    await expect(enter(token)).rejects.toMatchObject(refused);
  });

  test.each<[string, object, number, string]>([
    [
      'another account’s pod',
      { boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'foreign' } },
      400,
      'cannot bind token for serviceaccount "asked" to pod running with different serviceaccount name.',
    ],
    [
      'another kind',
      { boundObjectRef: { kind: 'Deployment', apiVersion: 'apps/v1', name: 'x' } },
      400,
      'cannot bind token to object of type apps/v1, Kind=Deployment',
    ],
    [
      'a pod that does not exist',
      { boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'nothing' } },
      404,
      'pods "nothing" not found',
    ],
    [
      'the pod of before',
      { boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'own', uid: 'x' } },
      409,
      'the UID in the bound object reference (x) does not match the UID in record',
    ],
    ['a short time', { expirationSeconds: 599 }, 422, 'may not specify a duration less than 10 minutes'],
  ])('are not given for %s', async (_, spec, code, message) => {
    await account('asked');
    await server.call('POST', `${ns}/pods`, pod('foreign'));
    await server.call('POST', `${ns}/pods`, pod('own', { serviceAccountName: 'asked' }));
    const answer = await server.call('POST', `${ns}/serviceaccounts/asked/token`, { spec });
    expect([answer.code, answer.body.message]).toEqual([code, expect.stringContaining(message)]);
  });

  test.each<[string, object, number]>([
    ['another name', { name: 'x' }, 422],
    ['another namespace', { namespace: 'x' }, 400],
    ['another uid', { uid: 'x' }, 409],
  ])('are not given to %s than that of the path', async (_, metadata, code) => {
    await account('path');
    expect((await server.call('POST', `${ns}/serviceaccounts/path/token`, { metadata, spec: {} })).code).toBe(code);
  });

  test('end with the pod that they are bound to', async () => {
    await account('bound');
    const { body } = await server.call('POST', `${ns}/pods`, pod('bound', { serviceAccountName: 'bound' }));
    const boundObjectRef = { kind: 'Pod', apiVersion: 'v1', name: 'bound', uid: body.metadata.uid };
    const token = await tokenFor('bound', { boundObjectRef });
    expect((await enter(token))?.extra).toMatchObject({ 'authentication.kubernetes.io/pod-name': ['bound'] });
    await server.call('DELETE', `${ns}/pods/bound`, { gracePeriodSeconds: 0 });
    await expect(enter(token)).rejects.toMatchObject(refused);
  });

  test('of another key, or changed, are refused', async () => {
    const foreign = createAccess({
      clock,
      random,
      metrics: new Metrics(),
      serviceAccounts: { signingKey: newKey(), issuer },
    });
    const claims = { namespace: 'default', serviceAccount: { name: 'a', uid: 'x' }, audiences: [issuer] };
    const { token } = await foreign.tokens.issue({ ...claims, expirationSeconds: 600 });
    await expect(enter(token)).rejects.toMatchObject(refused);
    const own = await tokenFor('a');
    const [header, , signature] = own.split('.');
    const payload = Buffer.from(JSON.stringify({ iss: issuer, sub: 'admin', aud: [issuer], exp: 9e9 })).toString(
      'base64url',
    );
    await expect(enter(`${header}.${payload}.${signature}`)).rejects.toMatchObject(refused);
    const none = Buffer.from('{"alg":"none"}').toString('base64url');
    await expect(enter(`${none}.${payload}.`)).rejects.toMatchObject(refused);
    await expect(enter('no-token')).rejects.toMatchObject(refused);
  });

  test('are not looked for elsewhere', async () => {
    const ask = (authorization?: string) =>
      authenticator().authenticate({ headers: { ...(authorization && { authorization }) } } as unknown as Credentials);
    expect(await ask()).toBeUndefined();
    expect(await ask('Basic eDp5')).toBeUndefined();
  });
});
