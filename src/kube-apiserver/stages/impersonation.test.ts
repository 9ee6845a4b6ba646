// Impersonation over real HTTP: headers, resulting users, and rights.

import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Attributes } from '../access/authorization.ts';
import type { Listener } from '../kube-apiserver.ts';
import type { UserInfo } from '../request/user.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
let listener: Listener;
let requestor: UserInfo;
/** The requestor's rights: "verb resource[/subresource][.group] [namespace/]name", `*` for any word. */
let granted: string[];
let asked: string[];

const show = ({ verb, resource, subresource, group, namespace, name }: Attributes) =>
  `${verb} ${resource}${subresource && `/${subresource}`}${group && `.${group}`} ${namespace && `${namespace}/`}${name}`.trim();

beforeAll(async () => {
  const authorize = (attributes: Attributes) => {
    if (attributes.user.name !== requestor.name) return { decision: 'allow' as const };
    asked.push(show(attributes));
    const words = show(attributes).split(' ');
    const allowed = granted.some((grant) => grant.split(' ').every((word, i) => word === '*' || word === words[i]));
    return allowed ? { decision: 'allow' as const } : { decision: 'no-opinion' as const };
  };
  server = await startTestServer({
    authenticators: [{ name: 'test', authenticate: async () => requestor }],
    authorizers: [{ name: 'test', authorize }],
    namespaces: [],
  });
  listener = await server.listen({ port: 0 });
});
afterAll(() => server.stop());

let count = 0;
beforeEach(() => {
  requestor = { name: `requestor-${count++}`, groups: ['system:authenticated'] };
  granted = [];
  asked = [];
});

/** The effective user. Headers may be repeated. */
async function whoAmI(...headers: readonly (readonly [string, string])[]): Promise<{ code: number; body: any }> {
  const body = JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' });
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      `${listener.url}/apis/authentication.k8s.io/v1/selfsubjectreviews`,
      {
        method: 'POST',
        headers: [
          'Host',
          'x',
          'Content-Type',
          'application/json',
          'Content-Length',
          String(body.length),
          ...headers.flat(),
        ] as never,
      },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk) => chunks.push(chunk));
        incoming.on('end', () => {
          const answer = JSON.parse(Buffer.concat(chunks).toString());
          resolve({ code: incoming.statusCode ?? 0, body: answer.status?.userInfo ?? answer });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(Buffer.from(body)); // with a text, Node would encode the headers as UTF-8 too
  });
}
const user = (name: string) => ['Impersonate-User', name] as const;
const group = (name: string) => ['Impersonate-Group', name] as const;
const extra = (key: string, value: string) => [`Impersonate-Extra-${key}`, value] as const;
const uid = (value: string) => ['Impersonate-Uid', value] as const;
const everything = '* * *';

describe('headers', () => {
  beforeEach(() => void (granted = [everything]));

  test.each<[string, readonly (readonly [string, string])[], object]>([
    ['a user', [user('jane')], { username: 'jane', groups: ['system:authenticated'] }],
    [
      'groups',
      [user('jane'), group('a'), group('b')],
      { username: 'jane', groups: ['a', 'b', 'system:authenticated'] },
    ],
    [
      'a group with a comma',
      [user('jane'), group('a,b')],
      { username: 'jane', groups: ['a,b', 'system:authenticated'] },
    ],
    [
      'a group with a comma and a space',
      [user('jane'), group('a, b'), group('c')],
      { username: 'jane', groups: ['a, b', 'c', 'system:authenticated'] },
    ],
    [
      'the group of all users',
      [user('jane'), group('system:authenticated')],
      { username: 'jane', groups: ['system:authenticated'] },
    ],
    [
      'the group of anonymous users',
      [user('jane'), group('system:unauthenticated')],
      { username: 'jane', groups: ['system:unauthenticated'] },
    ],
    [
      'the anonymous user',
      [user('system:anonymous')],
      { username: 'system:anonymous', groups: ['system:unauthenticated'] },
    ],
    [
      'extra values',
      [user('jane'), extra('scopes', 'a, b'), extra('scopes', 'c')],
      { username: 'jane', groups: ['system:authenticated'], extra: { scopes: ['a, b', 'c'] } },
    ],
    [
      'an escaped key',
      [user('jane'), extra('acme.com%2Fproject', 'x')],
      { username: 'jane', groups: ['system:authenticated'], extra: { 'acme.com/project': ['x'] } },
    ],
    [
      'a key that cannot be unescaped',
      [user('jane'), extra('a%zz', 'x')],
      { username: 'jane', groups: ['system:authenticated'], extra: { 'a%zz': ['x'] } },
    ],
    [
      'a key of JavaScript’s',
      [user('jane'), extra('__proto__', 'x')],
      { username: 'jane', groups: ['system:authenticated'], extra: { ['__proto__']: ['x'] } },
    ],
    ['a uid', [user('jane'), uid('1')], { username: 'jane', uid: '1', groups: ['system:authenticated'] }],
    ['two users', [user('jane'), user('joe')], { username: 'jane', groups: ['system:authenticated'] }],
    [
      'letters beyond ASCII',
      [user(Buffer.from('jürgen').toString('latin1'))],
      { username: 'jürgen', groups: ['system:authenticated'] },
    ],
    [
      'a service account',
      [user('system:serviceaccount:ns:a')],
      {
        username: 'system:serviceaccount:ns:a',
        groups: ['system:serviceaccounts', 'system:serviceaccounts:ns', 'system:authenticated'],
      },
    ],
    [
      'a service account with groups',
      [user('system:serviceaccount:ns:a'), group('b')],
      { username: 'system:serviceaccount:ns:a', groups: ['b', 'system:authenticated'] },
    ],
    [
      'no service account',
      [user('system:serviceaccount:ns')],
      { username: 'system:serviceaccount:ns', groups: ['system:authenticated'] },
    ],
    [
      'a node',
      [user('system:node:n1')],
      { username: 'system:node:n1', groups: ['system:nodes', 'system:authenticated'] },
    ],
    [
      'a node with groups',
      [user('system:node:n1'), group('b')],
      { username: 'system:node:n1', groups: ['b', 'system:authenticated'] },
    ],
    [
      'an unknown header',
      [user('jane'), ['Impersonate-Foo', 'x']],
      { username: 'jane', groups: ['system:authenticated'] },
    ],
  ])('%s', async (_, headers, wanted) => expect(await whoAmI(...headers)).toEqual({ code: 201, body: wanted }));

  test('an unknown header alone does not impersonate', async () =>
    expect((await whoAmI(['Impersonate-Foo', 'x'])).body.username).toBe(requestor.name));

  test.each<[string, readonly (readonly [string, string])[], string]>([
    [
      'groups',
      [group('a'), group('b')],
      '&user.DefaultInfo{Name:"", UID:"", Groups:[]string{"a", "b"}, Extra:map[string][]string(nil)}',
    ],
    ['a uid', [uid('1')], '&user.DefaultInfo{Name:"", UID:"1", Groups:[]string(nil), Extra:map[string][]string(nil)}'],
    [
      'extra values',
      [extra('b', 'x'), extra('a', 'y')],
      '&user.DefaultInfo{Name:"", UID:"", Groups:[]string(nil), Extra:map[string][]string{"a":[]string{"y"}, "b":[]string{"x"}}}',
    ],
    [
      'an empty user',
      [user(''), group('a')],
      '&user.DefaultInfo{Name:"", UID:"", Groups:[]string{"a"}, Extra:map[string][]string(nil)}',
    ],
  ])('%s without a user', async (_, headers, shown) =>
    expect(await whoAmI(...headers)).toMatchObject({
      code: 400,
      body: { reason: 'BadRequest', message: `requested ${shown} without impersonating a user name` },
    }),
  );
});

const on = (mode: string) => `impersonate-on:${mode}:create selfsubjectreviews.authentication.k8s.io`;
const authn = 'authentication.k8s.io';

describe('rights', () => {
  test.each<[string, string[], readonly (readonly [string, string])[], boolean]>([
    ['the old verb, for a user', ['impersonate users jane'], [user('jane')], true],
    ['the old verb, for another', ['impersonate users joe'], [user('jane')], false],
    ['the old verb, without the group', ['impersonate users jane'], [user('jane'), group('a')], false],
    [
      'the old verb, with the group',
      ['impersonate users jane', 'impersonate groups a'],
      [user('jane'), group('a')],
      true,
    ],
    [
      'the old verb, with half of a comma',
      ['impersonate users jane', 'impersonate groups a'],
      [user('jane'), group('a,b')],
      false,
    ],
    [
      'the old verb, for superusers',
      ['impersonate users jane', 'impersonate groups system:masters'],
      [user('jane'), group('system:masters')],
      true,
    ],
    [
      'the old verb, for a uid',
      ['impersonate users jane', `impersonate uids.${authn} 1`],
      [user('jane'), uid('1')],
      true,
    ],
    [
      'the old verb, for an extra value',
      ['impersonate users jane', `impersonate userextras/a.${authn} x`],
      [user('jane'), extra('a', 'x')],
      true,
    ],
    [
      'the old verb, for another extra value',
      ['impersonate users jane', `impersonate userextras/a.${authn} x`],
      [user('jane'), extra('a', 'y')],
      false,
    ],
    [
      'the old verb, for a service account',
      ['impersonate serviceaccounts ns/a'],
      [user('system:serviceaccount:ns:a')],
      true,
    ],
    [
      'the old verb, for a service account as a user',
      ['impersonate users *'],
      [user('system:serviceaccount:ns:a')],
      false,
    ],
    ['the old verb, for a node', ['impersonate users system:node:n1'], [user('system:node:n1')], true],
    ['the new verb alone', [`impersonate:user-info users.${authn} jane`], [user('jane')], false],
    ['the request alone', [on('user-info')], [user('jane')], false],
    ['both', [`impersonate:user-info users.${authn} jane`, on('user-info')], [user('jane')], true],
    ['both, for another', [`impersonate:user-info users.${authn} joe`, on('user-info')], [user('jane')], false],
    [
      'both, with a group',
      [`impersonate:user-info users.${authn} jane`, `impersonate:user-info groups.${authn} a`, on('user-info')],
      [user('jane'), group('a')],
      true,
    ],
    [
      'both, with another group',
      [`impersonate:user-info users.${authn} jane`, `impersonate:user-info groups.${authn} a`, on('user-info')],
      [user('jane'), group('b')],
      false,
    ],
    [
      'both, with many groups by a star',
      [`impersonate:user-info users.${authn} jane`, `impersonate:user-info groups.${authn} *`, on('user-info')],
      [user('jane'), ...'abcd'.split('').map(group)],
      true,
    ],
    [
      'both, with superusers',
      [`impersonate:user-info users.${authn} jane`, `impersonate:user-info * *`, on('user-info')],
      [user('jane'), group('system:masters')],
      false,
    ],
    ['both, with an empty group', [`impersonate:user-info * *`, on('user-info')], [user('jane'), group('')], false],
    [
      'both, with a key that is none',
      [`impersonate:user-info * *`, on('user-info')],
      [user('jane'), extra('plain', 'x')],
      false,
    ],
    [
      'both, with an extra value',
      [`impersonate:user-info * *`, on('user-info')],
      [user('jane'), extra('acme.com%2Fa', 'x')],
      true,
    ],
    [
      'both, for a service account as a user',
      ['impersonate:user-info * *', on('user-info')],
      [user('system:serviceaccount:ns:a')],
      false,
    ],
    [
      'those of service accounts',
      [`impersonate:serviceaccount serviceaccounts.${authn} ns/a`, on('serviceaccount')],
      [user('system:serviceaccount:ns:a')],
      true,
    ],
    [
      'those of service accounts, with a group',
      ['impersonate:serviceaccount * *', on('serviceaccount')],
      [user('system:serviceaccount:ns:a'), group('a')],
      false,
    ],
    [
      'those of nodes',
      [`impersonate:arbitrary-node nodes.${authn} n1`, on('arbitrary-node')],
      [user('system:node:n1')],
      true,
    ],
    [
      'those of nodes, for another',
      [`impersonate:arbitrary-node nodes.${authn} n1`, on('arbitrary-node')],
      [user('system:node:n2')],
      false,
    ],
    ['those of nodes, for a user', ['impersonate:arbitrary-node * *', on('arbitrary-node')], [user('jane')], false],
    [
      'those of one’s own node, by a user of no node',
      ['impersonate:associated-node * *', on('associated-node')],
      [user('system:node:n1')],
      false,
    ],
  ])('%s', async (_, grants, headers, allowed) => {
    granted = [...grants, 'create selfsubjectreviews *'];
    expect((await whoAmI(...headers)).code).toBe(allowed ? 201 : 403);
  });

  test('a pod’s account may act as its node', async () => {
    requestor = {
      name: `system:serviceaccount:ns:agent${count}`,
      groups: [],
      extra: { 'authentication.kubernetes.io/node-name': ['n1'] },
    };
    granted = [`impersonate:associated-node nodes.${authn} *`, on('associated-node')];
    expect((await whoAmI(user('system:node:n1'))).body).toEqual({
      username: 'system:node:n1',
      groups: ['system:nodes', 'system:authenticated'],
    });
    expect(asked).toContain(`impersonate:associated-node nodes.${authn} *`);
    expect((await whoAmI(user('system:node:n2'))).code).toBe(403);
  });

  test('the refusal is that of the first mode, and after a success that of its mode', async () => {
    const name = requestor.name;
    expect((await whoAmI(user('jane'))).body.message).toBe(
      `selfsubjectreviews.${authn} is forbidden: User "${name}" cannot impersonate-on:user-info:create resource "selfsubjectreviews" in API group "${authn}" at the cluster scope`,
    );
    granted = ['impersonate users joe'];
    expect((await whoAmI(user('joe'))).code).toBe(201);
    expect((await whoAmI(user('jane'))).body.message).toBe(
      `users "jane" is forbidden: User "${name}" cannot impersonate resource "users" in API group "" at the cluster scope`,
    );
  });
});
