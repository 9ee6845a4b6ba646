// The API server's checks of certificate requests: form, signature, rights, and updates.

import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createClient } from '../../client/client.ts';
import { makeAuthority } from '../../cluster/certificates/certificates.ts';
import { certificateRequest } from '../../cluster/certificates/test-certificate-request.ts';
import { decodePem, encodePem } from '../../machinery/certificates/pem.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { seededRandom } from '../../machinery/random.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import type { UserInfo } from '../request/user.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { type Access, createAccess } from './access.ts';

const path = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
const rbac = '/apis/rbac.authorization.k8s.io/v1';
const signer = 'kubernetes.io/kube-apiserver-client';
const clock = new VirtualClock();
const random = seededRandom(1);
let server: TestServer;
let access: Access;
let jane: string;
/** Base64 of a PEM. */
let certificate: string;

const signingKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
  type: 'pkcs8',
  format: 'pem',
});

beforeAll(async () => {
  access = createAccess({
    clock,
    metrics: new Metrics(),
    random,
    serviceAccounts: { signingKey: signingKey as string, issuer: 'https://kubernetes.default.svc' },
  });
  const { authorizers, admission, tokens } = access;
  server = await startTestServer({ clock, authorizers, admission, tokens, namespaces: [] });
  const client = createClient(server.transport({ name: 'system:apiserver', groups: ['system:masters'] }));
  await access.start({ client, clock, random, logger: silentLogger });
  jane = await certificateRequest({ subject: 'CN=jane' });
  certificate = btoa((await makeAuthority(clock.now())).cert);
  const give = async (name: string, rules: object[]) => {
    await server.call('POST', `${rbac}/clusterroles`, { metadata: { name }, rules });
    await server.call('POST', `${rbac}/clusterrolebindings`, {
      metadata: { name },
      subjects: [{ kind: 'User', name, apiGroup: 'rbac.authorization.k8s.io' }],
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
    });
  };
  const group = { apiGroups: ['certificates.k8s.io'] };
  const write = {
    ...group,
    resources: [
      'certificatesigningrequests',
      'certificatesigningrequests/approval',
      'certificatesigningrequests/status',
    ],
    verbs: ['*'],
  };
  const on = (verb: string, name: string) => ({
    ...group,
    resources: ['signers'],
    verbs: [verb],
    resourceNames: [name],
  });
  await give('nothing', [write]);
  await give('approver', [write, on('approve', signer)]);
  await give('domain', [write, on('approve', 'kubernetes.io/*')]);
  await give('other', [write, on('approve', 'example.com/*'), on('sign', 'example.com/x')]);
  await give('signer', [write, on('sign', signer)]);
  await vi.waitFor(async () => expect((await as('signer', 'GET', path)).code).toBe(200));
});
afterAll(async () => {
  await access.stop();
  await server.stop();
});

async function as(
  name: string,
  method: 'GET' | 'POST' | 'PUT' | 'PATCH',
  where: string,
  body?: object,
): Promise<{ code: number; body?: any }> {
  const user: UserInfo =
    name === 'admin' ? { name, groups: ['system:masters'] } : { name, groups: ['system:authenticated'] };
  const contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  return server.transport(user).send({ method, path: where, body, contentType });
}

let count = 0;
const request = (over: object = {}, pem = jane) => ({
  metadata: { name: `r${count++}` },
  spec: { request: btoa(pem), signerName: signer, usages: ['client auth'], ...over },
});
async function made(over: object = {}): Promise<string> {
  const { code, body } = await as('nothing', 'POST', path, request(over));
  expect(code, body.message).toBe(201);
  return body.metadata.name;
}

const usage = { status: 'True', reason: 'x', message: 'y' };
const approved = { ...usage, type: 'Approved' };

describe('a new request', () => {
  test('records the requestor, and is never approved on create', async () => {
    const forged = {
      ...request({ username: 'root', groups: ['system:masters'], uid: 'x', extra: { a: ['b'] } }),
      status: { conditions: [approved] },
    };
    const { body } = await as('nothing', 'POST', path, forged);
    expect(body.spec).toMatchObject({ username: 'nothing', groups: ['system:authenticated'] });
    expect(body.spec.uid ?? body.spec.extra).toBeUndefined();
    expect(body.status).toEqual({});
  });

  test('may have text before its block', async () => {
    expect((await as('nothing', 'POST', path, request({}, `Subject: jane\n${jane}`))).code).toBe(201);
  });

  test.each(['rsa', 'ed25519'] as const)('may have a key of %s', async (key) => {
    const pem = await certificateRequest({ subject: 'CN=x', key });
    expect((await as('nothing', 'POST', path, request({}, pem))).code).toBe(201);
  });

  test.each<[string, () => Promise<string> | string, string]>([
    ['another signature', forged, 'x509: ECDSA verification failure'],
    ['no request', () => 'x', 'PEM block type must be CERTIFICATE REQUEST'],
    [
      'a certificate',
      () => jane.replaceAll('CERTIFICATE REQUEST', 'CERTIFICATE'),
      'PEM block type must be CERTIFICATE REQUEST',
    ],
    [
      'half a request',
      () => encodePem('CERTIFICATE REQUEST', decodePem(jane)!.bytes.subarray(0, 90)),
      'asn1: syntax error: data truncated',
    ],
  ])('with %s is refused', async (_, pem, message) => {
    const { code, body } = await as('nothing', 'POST', path, request({}, await pem()));
    expect(code).toBe(422);
    expect(body.message).toContain(`spec.request: Invalid value: `);
    expect(body.details.causes[0].message).toContain(message);
  });

  test.each<[string, object, string]>([
    ['no usages', { usages: undefined }, 'spec.usages: Required value'],
    [
      'an unknown usage',
      { usages: ['fly'] },
      'spec.usages[0]: Unsupported value: "fly": supported values: "any", "cert sign",',
    ],
    ['a usage twice', { usages: ['client auth', 'client auth'] }, 'spec.usages[1]: Duplicate value: "client auth"'],
    ['no signer', { signerName: undefined }, 'spec.signerName: Required value'],
    [
      'the signer of old',
      { signerName: 'kubernetes.io/legacy-unknown' },
      'the legacy signerName is not allowed via this API version',
    ],
    [
      'a signer without a path',
      { signerName: 'example.com' },
      "must be a fully qualified domain and path of the form 'example.com/signer-name'",
    ],
    [
      'a signer of one label',
      { signerName: 'example/x' },
      'Invalid value: "example": should be a domain with at least two segments separated by dots',
    ],
    [
      'a signer with a bad label',
      { signerName: 'Example.com/x' },
      'Invalid value: "Example.com": validating label "Example": a lowercase RFC 1123 label',
    ],
    ['a short life', { expirationSeconds: 599 }, 'may not specify a duration less than 600 seconds (10 minutes)'],
    [
      'nothing',
      { request: undefined },
      'spec.request: Invalid value: null: PEM block type must be CERTIFICATE REQUEST',
    ],
  ])('with %s is refused', async (_, over, message) => {
    const { code, body } = await as('nothing', 'POST', path, request(over));
    expect(code).toBe(422);
    expect(body.message).toContain(message);
  });

  test('for superusers is refused, and only for clients of the API', async () => {
    const masters = await certificateRequest({ subject: [{ O: ['a', 'system:masters'] }, { CN: ['x'] }] });
    const { code, body } = await as('nothing', 'POST', path, request({}, masters));
    expect([code, body.message]).toEqual([
      403,
      expect.stringContaining(
        'use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed',
      ),
    ]);
    expect((await as('nothing', 'POST', path, request({ signerName: 'example.com/x' }, masters))).code).toBe(201);
  });

  test('without a spec is refused', async () => {
    expect((await as('nothing', 'POST', path, { metadata: { name: 'empty' } })).code).toBe(422);
    expect((await as('nothing', 'POST', path, { metadata: { name: 'null' }, spec: null })).code).toBe(422);
  });
});

/** The request of one, with the signature of another. */
async function forged(): Promise<string> {
  const [one, two] = [decodePem(jane)!.bytes, decodePem(await certificateRequest({ subject: 'CN=jane' }))!.bytes];
  return encodePem(
    'CERTIFICATE REQUEST',
    two.length === one.length ? mix(one, two) : one.map((b, i) => (i === one.length - 1 ? b ^ 1 : b)),
  );
}
const mix = (one: Uint8Array, two: Uint8Array) => one.map((byte, i) => (i > one.length - 32 ? two[i] : byte));

describe('approval', () => {
  const approve = (who: string, name: string, conditions: object[] = [approved]) =>
    as(who, 'PATCH', `${path}/${name}/approval`, { status: { conditions } });

  test.each<[string, number]>([
    ['nothing', 403],
    ['other', 403],
    ['signer', 403],
    ['approver', 200],
    ['domain', 200],
    ['admin', 200],
  ])('by %s: %i', async (who, code) => {
    const name = await made();
    const answer = await approve(who, name);
    expect(answer.code, answer.body.message).toBe(code);
    if (code === 403)
      expect(answer.body.message).toBe(
        `certificatesigningrequests.certificates.k8s.io "${name}" is forbidden: user not permitted to approve requests with signerName "${signer}"`,
      );
  });

  test('sets the times of conditions, and keeps existing ones', async () => {
    const name = await made();
    const { body } = await approve('admin', name);
    const [condition] = body.status.conditions;
    expect(condition.lastUpdateTime).toBe('2026-01-01T00:00:00Z');
    expect(condition.lastTransitionTime).toBe('2026-01-01T00:00:00Z');
    await clock.advance(60_000);
    const { lastTransitionTime: _, lastUpdateTime: __, ...bare } = condition;
    const again = await approve('admin', name, [{ ...bare, message: 'z' }]);
    expect(again.body.status.conditions[0]).toMatchObject({
      lastTransitionTime: '2026-01-01T00:00:00Z',
      lastUpdateTime: '2026-01-01T00:01:00Z',
    });
  });

  test.each<[string, object[], string]>([
    [
      'approved and denied',
      [approved, { ...usage, type: 'Denied' }],
      'Approved and Denied conditions are mutually exclusive',
    ],
    [
      'not approved',
      [{ ...approved, status: 'False' }],
      'status.conditions[0].status: Unsupported value: "False": supported values: "True"',
    ],
    ['twice', [approved, approved], 'status.conditions[1].type: Duplicate value: "Approved"'],
    ['of no type', [{ ...usage, type: '' }], 'status.conditions[0].type: Required value'],
  ])('%s is refused', async (_, conditions, message) => {
    const { code, body } = await approve('admin', await made(), conditions);
    expect([code, body.message]).toEqual([422, expect.stringContaining(message)]);
  });

  test('is permanent, and writes only conditions', async () => {
    const name = await made();
    await approve('admin', name);
    const { code, body } = await approve('admin', name, []);
    expect([code, body.message]).toEqual([
      422,
      expect.stringContaining('updates may not remove a condition of type "Approved"'),
    ]);
    const more = { spec: { signerName: 'example.com/x' }, status: { certificate: btoa('x') } };
    const kept = (await as('admin', 'PATCH', `${path}/${name}/approval`, more)).body;
    expect([kept.spec.signerName, kept.status.certificate]).toEqual([signer, undefined]);
  });
});

describe('status', () => {
  const sign = (who: string, name: string, status: object = { certificate }) =>
    as(who, 'PATCH', `${path}/${name}/status`, { status });

  test.each<[string, number]>([
    ['nothing', 403],
    ['approver', 403],
    ['other', 403],
    ['signer', 200],
    ['admin', 200],
  ])('signed by %s: %i', async (who, code) => {
    const name = await made();
    const answer = await sign(who, name);
    expect(answer.code, answer.body.message).toBe(code);
    if (code === 403)
      expect(answer.body.message).toContain(`user not permitted to sign requests with signerName "${signer}"`);
  });

  test('without a change needs no right', async () => {
    expect(
      (await as('nothing', 'PATCH', `${path}/${await made()}/status`, { metadata: { labels: { a: 'b' } } })).code,
    ).toBe(200);
  });

  test.each<[string, object, string]>([
    ['an approval', { conditions: [approved] }, 'updates may not add a condition of type "Approved"'],
    [
      'rubbish',
      { certificate: btoa('x') },
      'status.certificate: Invalid value: "<certificate data>": must contain at least one CERTIFICATE PEM block',
    ],
    [
      'a key',
      { certificate: btoa('-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n') },
      'only CERTIFICATE PEM blocks are allowed, found \\"PRIVATE KEY\\"',
    ],
  ])('does not take %s', async (_, status, message) => {
    const { code, body } = await sign('admin', await made(), status);
    expect([code, JSON.stringify(body.message)]).toEqual([
      422,
      expect.stringContaining(
        message.includes('\\"') ? message.replaceAll('\\"', '\\"') : JSON.stringify(message).slice(1, -1),
      ),
    ]);
  });

  test('a certificate is written once', async () => {
    const name = await made();
    await sign('admin', name);
    const other = btoa(`${atob(certificate)}${atob(certificate)}`);
    const { code, body } = await sign('admin', name, { certificate: other });
    expect([code, body.message]).toEqual([
      422,
      expect.stringContaining('updates may not modify existing certificate content'),
    ]);
  });

  test('failure has its time', async () => {
    const { body } = await sign('signer', await made(), { conditions: [{ ...usage, type: 'Failed' }] });
    expect(body.status.conditions[0].lastTransitionTime).toBeDefined();
  });
});
