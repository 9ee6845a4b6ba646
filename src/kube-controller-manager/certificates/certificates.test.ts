// The certificate controllers over the real API server, in virtual time.

import { X509Certificate } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CertificateSigningRequest } from '../../api/api.ts';
import { type Client, createClient, type RunningComponent } from '../../client/client.ts';
import { certificateSigner } from '../../cluster/certificates/certificate-signer.ts';
import { type KeyPair, makeAuthority } from '../../cluster/certificates/certificates.ts';
import { certificateRequest, type RequestOptions } from '../../cluster/certificates/test-certificate-request.ts';
import {
  type ApiServer,
  type Attributes,
  createApiServer,
  type UserInfo,
} from '../../kube-apiserver/kube-apiserver.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { seededRandom } from '../../machinery/random.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { createMemoryStore } from '../../store/store.ts';
import { startKubeControllerManager } from '../kube-controller-manager.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const admin = { name: 'admin', groups: ['system:masters'] };

/** They run every few seconds: hours of virtual time would take long. */
const disabled = ['nodelifecycle', 'podgc', 'garbagecollector', 'resourcequota', 'cronjob', 'disruption'];

let clock: VirtualClock;
let api: ApiServer;
let client: Client;
let manager: RunningComponent;
let start: () => Promise<void>;
let ca: KeyPair;
/** Users who get a client certificate automatically, by subresource. */
let granted: Record<string, string[]>;
const guardedRights = ['nodeclient', 'selfnodeclient', 'selfnodeserver', 'nodeproxyclient'];

beforeEach(async () => {
  clock = new VirtualClock();
  granted = {};
  const authorize = ({ user, subresource }: Attributes) => {
    const isOpen = !guardedRights.includes(subresource) || granted[subresource]?.includes(user.name);
    return { decision: isOpen ? ('allow' as const) : ('no-opinion' as const) };
  };
  const random = seededRandom(1);
  const logger = silentLogger;
  api = await createApiServer({
    store: createMemoryStore({ clock }),
    clock,
    random,
    logger,
    authorizers: [{ name: 'test', authorize }],
  });
  client = createClient(api.transport(admin));
  ca = await makeAuthority(clock.now());
  start = async () => {
    const context = { client, clock, random, logger, metrics: new Metrics(), fatal: () => {} };
    manager = await startKubeControllerManager(context, {
      certificateSigner: certificateSigner(() => ca),
      serverNames: ['server-1'],
      disabled,
    });
  };
  await start();
});
afterEach(async () => {
  await manager.stop();
  await api.stop();
});

/** Without the controllers, which renew their Lease every two seconds. */
async function skipAhead(ms: number): Promise<void> {
  await manager.stop();
  await clock.advance(ms);
  await start();
  await clock.settle();
}

const clientSigner = 'kubernetes.io/kube-apiserver-client';
const kubeletSigner = 'kubernetes.io/kube-apiserver-client-kubelet';
const servingSigner = 'kubernetes.io/kubelet-serving';
const nodeSubject = [{ O: ['system:nodes'] }, { CN: ['system:node:a'] }];
const clientUsages = ['digital signature', 'key encipherment', 'client auth'];
const servingUsages = ['digital signature', 'key encipherment', 'server auth'];

interface Asked extends Partial<RequestOptions> {
  readonly signer?: string;
  readonly usages?: string[];
  readonly expirationSeconds?: number;
  readonly by?: UserInfo;
}

let count = 0;
async function ask({
  signer = clientSigner,
  usages = clientUsages,
  expirationSeconds,
  by = admin,
  ...request
}: Asked = {}) {
  const pem = await certificateRequest({ subject: [{ CN: ['jane'] }], ...request });
  const name = `r${count++}`;
  const spec = { request: btoa(pem), signerName: signer, usages, ...(expirationSeconds && { expirationSeconds }) };
  await createClient(api.transport(by)).create('certificatesigningrequests', { metadata: { name }, spec } as never);
  return name;
}

async function decide(name: string, type = 'Approved') {
  const csr = await client.get('certificatesigningrequests', { name });
  const conditions = [...(csr.status?.conditions ?? []), { type, status: 'True', reason: 'Test', message: 'test' }];
  await client.update('certificatesigningrequests', { ...csr, status: { conditions } }, { subresource: 'approval' });
}

const read = (name: string): Promise<CertificateSigningRequest | undefined> =>
  client.get('certificatesigningrequests', { name }).catch(() => undefined);

/** Signing uses system threads, which the virtual clock does not await. */
async function settled(name: string, done: (csr: CertificateSigningRequest) => boolean) {
  const lastMs = performance.now() + 10_000;
  for (let i = 0; performance.now() < lastMs; i++) {
    const csr = await read(name);
    if (csr && done(csr)) return csr;
    await clock.advance(i < 200 ? 1 : 0);
    await new Promise((resolve) => setTimeout(resolve, i < 200 ? 0 : 5));
  }
  throw new Error(`${name}: ${JSON.stringify((await read(name))?.status)}`);
}
const signed = async (name: string) => {
  const { status } = await settled(name, (csr) => !!csr.status?.certificate);
  return new X509Certificate(atob(status.certificate!));
};
const failed = async (name: string) => {
  const isFailed = (csr: CertificateSigningRequest) =>
    csr.status?.conditions?.some(({ type }) => type === 'Failed') ?? false;
  return (await settled(name, isFailed)).status.conditions!.find(({ type }) => type === 'Failed');
};
const quiet = async (name: string) => {
  await clock.advance(5_000);
  return (await read(name))?.status ?? {};
};

describe('signing', () => {
  test('an approved request is signed by the CA, with its names, for a year', async () => {
    const name = await ask({ subject: [{ O: ['b', 'a'] }, { CN: ['jane'] }], key: 'rsa' });
    expect(await quiet(name)).toEqual({});
    await decide(name);
    const certificate = await signed(name);
    expect(certificate.verify(new X509Certificate(ca.cert).publicKey)).toBe(true);
    expect(certificate.toLegacyObject().subject).toEqual({ O: ['b', 'a'], CN: 'jane' });
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    expect(certificate.ca).toBe(false);
    const [from, to] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
    expect(to - from).toBe(365 * dayMs);
    expect(Math.round((clock.now() - from) / minuteMs)).toBe(5);
  });

  test.each([
    [600, 10 * minuteMs],
    [3_600, hourMs],
    [8 * 3_600, 8 * hourMs - 5 * minuteMs],
    [100 * 24 * 3_600, 100 * dayMs - 5 * minuteMs],
    [2 * 365 * 24 * 3_600, 365 * dayMs - 5 * minuteMs],
  ])('for %i s on request', async (expirationSeconds, rest) => {
    const name = await ask({ expirationSeconds });
    await decide(name);
    const { validTo } = await signed(name);
    expect(Math.abs(Date.parse(validTo) - clock.now() - rest)).toBeLessThan(2_000);
  });

  test('a kubelet’s serving certificate has its addresses', async () => {
    const names = [
      { type: 'dns', value: 'a' },
      { type: 'ip', value: '10.0.0.1' },
      { type: 'ip', value: 'fd00::1' },
    ] as const;
    const name = await ask({ signer: servingSigner, usages: servingUsages, subject: nodeSubject, names });
    await decide(name);
    expect((await signed(name)).subjectAltName).toBe('DNS:a, IP Address:10.0.0.1, IP Address:FD00:0:0:0:0:0:0:1');
  });

  test.each<[string, Asked, string]>([
    ['a client’s other usage', { usages: ['server auth'] }, 'invalid usage for client certificate: server auth'],
    [
      'no client usage',
      { usages: ['digital signature'] },
      'missing required usage for client certificate: client auth',
    ],
    [
      'a serving certificate without names',
      { signer: servingSigner, usages: servingUsages, subject: nodeSubject },
      'DNS or IP subjectAltName is required',
    ],
    [
      'a serving certificate of no node',
      {
        signer: servingSigner,
        usages: servingUsages,
        subject: [{ O: ['system:nodes'] }, { CN: ['a'] }],
        names: [{ type: 'dns', value: 'a' }],
      },
      'subject common name does not begin with system:node:',
    ],
    [
      'a serving certificate with an address of mail',
      {
        signer: servingSigner,
        usages: servingUsages,
        subject: nodeSubject,
        names: [
          { type: 'dns', value: 'a' },
          { type: 'email', value: 'a@b.test' },
        ],
      },
      'Email subjectAltNames are not allowed',
    ],
    [
      'a serving certificate with another usage',
      { signer: servingSigner, usages: clientUsages, subject: nodeSubject, names: [{ type: 'dns', value: 'a' }] },
      'usages did not match [digital signature key encipherment server auth]',
    ],
    [
      'a kubelet of another group',
      { signer: kubeletSigner, subject: [{ O: ['system:masters'] }, { CN: ['system:node:a'] }] },
      'subject organization is not system:nodes',
    ],
    [
      'a kubelet of two groups',
      { signer: kubeletSigner, subject: [{ O: ['system:nodes', 'system:masters'] }, { CN: ['system:node:a'] }] },
      'subject organization is not system:nodes',
    ],
    [
      'a kubelet’s client certificate with names',
      { signer: kubeletSigner, subject: nodeSubject, names: [{ type: 'dns', value: 'a' }] },
      'DNS subjectAltNames are not allowed',
    ],
    [
      'a kubelet’s client certificate with a path',
      { signer: kubeletSigner, subject: nodeSubject, names: [{ type: 'url', value: 'spiffe://a' }] },
      'URI subjectAltNames are not allowed',
    ],
    [
      'a kubelet’s client certificate with another usage',
      { signer: kubeletSigner, subject: nodeSubject, usages: servingUsages },
      'usages did not match [client auth digital signature key encipherment]',
    ],
  ])('%s fails', async (_, asked, message) => {
    const name = await ask(asked);
    await decide(name);
    expect(await failed(name)).toMatchObject({ status: 'True', reason: 'SignerValidationFailure', message });
    expect((await read(name))?.status.certificate).toBeUndefined();
  });

  test('denied requests and those of other signers are left alone', async () => {
    const denied = await ask();
    await decide(denied, 'Denied');
    const foreign = await ask({ signer: 'example.com/x' });
    await decide(foreign);
    expect((await quiet(denied)).certificate).toBeUndefined();
    expect((await quiet(foreign)).certificate).toBeUndefined();
  });

  test('a certificate expires with the CA, and an expired CA does not sign', async () => {
    ca = await makeAuthority(clock.now() - 3_649 * dayMs);
    const name = await ask();
    await decide(name);
    expect((await signed(name)).validTo).toBe(new X509Certificate(ca.cert).validTo);
    await skipAhead(25 * hourMs);
    const late = await ask();
    await decide(late);
    expect((await quiet(late)).certificate).toBeUndefined();
  });
});

describe('approving', () => {
  const node: UserInfo = { name: 'system:node:a', groups: ['system:nodes'] };
  const asked: Asked = { signer: kubeletSigner, subject: nodeSubject, usages: ['digital signature', 'client auth'] };
  const approval = async (name: string) => (await quiet(name)).conditions?.[0];

  test('a node renews its own client certificate', async () => {
    granted.selfnodeclient = ['system:node:a'];
    const name = await ask({ ...asked, by: node });
    expect(await approval(name)).toMatchObject({
      type: 'Approved',
      reason: 'AutoApproved',
      message: 'Auto approving self kubelet client certificate after SubjectAccessReview.',
    });
    expect((await signed(name)).subject).toBe('O=system:nodes\nCN=system:node:a');
  });

  test('a bootstrap user gets one for a node, as soon as it has the right', async () => {
    const name = await ask({ ...asked, by: { name: 'bootstrap', groups: [] } });
    expect(await approval(name)).toBeUndefined();
    granted.nodeclient = ['bootstrap'];
    await clock.advance(10_000);
    expect(await approval(name)).toMatchObject({
      message: 'Auto approving kubelet client certificate after SubjectAccessReview.',
    });
  });

  test.each<[string, Asked]>([
    ['another’s name', { ...asked, by: { name: 'system:node:b', groups: ['system:nodes'] } }],
    [
      'a serving certificate',
      { ...asked, signer: servingSigner, usages: servingUsages, names: [{ type: 'dns', value: 'a' }], by: node },
    ],
    ['a client certificate of no node', { subject: nodeSubject, by: node }],
    ['what is no request of a kubelet', { ...asked, subject: [{ CN: ['system:node:a'] }], by: node }],
  ])('%s needs a subject', async (_, request) => {
    granted.selfnodeclient = ['system:node:a', 'system:node:b'];
    expect(await approval(await ask(request))).toBeUndefined();
  });
});

describe('approving requests of nodes', () => {
  const node = (name: string): UserInfo => ({ name: `system:node:${name}`, groups: ['system:nodes'] });
  const subjectOf = (name: string) => [{ O: ['system:nodes'] }, { CN: [`system:node:${name}`] }];
  const dns = (...values: string[]) => values.map((value) => ({ type: 'dns', value }) as const);
  const serving = (name: string, more: Asked = {}): Asked => ({
    ...{ signer: servingSigner, usages: servingUsages, subject: subjectOf(name), names: dns(name), by: node(name) },
    ...more,
  });
  const proxy = (more: Asked = {}): Asked => ({ subject: [{ CN: ['system:kube-proxy'] }], by: node('a'), ...more });
  const decision = async (name: string) => (await quiet(name)).conditions?.[0];
  const reserved = ['server-1', 'kubernetes', 'x.svc', 'localhost'];
  const invalid = ['*', '*.example.com', 'KUBERNETES', 'Server-1', 'kubernetes.', 'a b'];
  beforeEach(() => {
    granted.selfnodeserver = ['a', 'b', ...reserved, ...invalid].map((n) => `system:node:${n}`);
    granted.nodeproxyclient = ['system:node:a'];
  });

  test('a node gets a serving certificate with its name', async () => {
    const name = await ask(serving('a'));
    expect(await decision(name)).toMatchObject({ type: 'Approved', reason: 'AutoApproved' });
    expect((await signed(name)).subjectAltName).toBe('DNS:a');
  });

  test('and a client certificate for its service proxy', async () => {
    const name = await ask(proxy());
    expect(await decision(name)).toMatchObject({ type: 'Approved', reason: 'AutoApproved' });
    expect((await signed(name)).subject).toBe('CN=system:kube-proxy');
  });

  test('and one for its enforcement of network policies', async () => {
    const name = await ask(proxy({ subject: [{ CN: ['coracle:network-policy'] }] }));
    expect(await decision(name)).toMatchObject({ type: 'Approved', reason: 'AutoApproved' });
  });

  test.each<[string, Asked]>([
    ['an address in a serving certificate', serving('a', { names: [...dns('a'), { type: 'ip', value: '10.0.0.1' }] })],
    ['a second name', serving('a', { names: dns('a', 'b') })],
    ['the name of another node', serving('a', { names: dns('b') })],
    ['the subject of another node', serving('a', { subject: subjectOf('b') })],
    ['a user who is no node', serving('a', { by: { name: 'jane', groups: ['system:nodes'] } })],
    ['a node without the right', serving('c')],
    ['another user for the proxy', proxy({ subject: [{ CN: ['admin'] }] })],
    ['a group for the proxy', proxy({ subject: [{ O: ['system:masters2'] }, { CN: ['system:kube-proxy'] }] })],
    ['a name for the proxy', proxy({ names: dns('a') })],
    ['a proxy of a node without the right', proxy({ by: node('b') })],
    ['a proxy of another user', proxy({ by: { name: 'jane', groups: ['system:nodes'] } })],
  ])('%s waits for a user', async (_, asked) => expect(await decision(await ask(asked))).toBeUndefined());

  test.each(invalid)('"%s", which is no name of a node, is refused: it could match that of a server', async (name) =>
    expect(await decision(await ask(serving(name)))).toMatchObject({ type: 'Denied', reason: 'InvalidName' }),
  );

  test.each(reserved)('%s is a name that no node gets', async (name) =>
    expect(await decision(await ask(serving(name)))).toMatchObject({ type: 'Denied', reason: 'ReservedName' }),
  );

  const bootstrap = (by: string, name = 'a') =>
    ask({ signer: kubeletSigner, subject: subjectOf(name), usages: clientUsages, by: { name: by, groups: [] } });
  const condition = (status: string) => {
    const at = new Date(clock.now()).toISOString();
    return { type: 'Ready', status, lastHeartbeatTime: at, lastTransitionTime: at };
  };
  const setReady = (name: string, status: string) =>
    client.patch(
      'nodes',
      { name },
      { type: 'merge', body: { status: { conditions: [condition(status)] } } },
      { subresource: 'status' },
    );

  test.each<[string, object, string]>([
    ['a node that is Ready', {}, 'True'],
    ['a node that is away', {}, 'Unknown'],
    ['a server that is away', { labels: { 'node-role.kubernetes.io/control-plane': '' } }, 'Unknown'],
  ])('a token cannot take over %s', async (_, metadata, status) => {
    granted.nodeclient = ['system:bootstrap:abcdef', 'jane'];
    await client.create('nodes', { metadata: { name: 'a', ...metadata } });
    await setReady('a', status);
    expect(await decision(await bootstrap('system:bootstrap:abcdef'))).toMatchObject({
      type: 'Denied',
      reason: 'NodeExists',
      message:
        'the cluster has a node a: choose another name with --node-name, or remove that node first with "coracle node remove a"',
    });
    const name = await bootstrap('jane');
    expect(await decision(name)).toBeUndefined();
    await client.delete('nodes', { name: 'a' });
    await clock.advance(60_000);
    expect(await decision(name)).toMatchObject({ type: 'Approved' });
    expect(await decision(await bootstrap('system:bootstrap:abcdef', 'b'))).toMatchObject({ type: 'Approved' });
  });

  test('of two tokens with one name at once, the second waits for the node of the first, and is denied', async () => {
    granted.nodeclient = ['system:bootstrap:aaaaaa', 'system:bootstrap:bbbbbb'];
    const first = await bootstrap('system:bootstrap:aaaaaa');
    const second = await bootstrap('system:bootstrap:bbbbbb');
    expect(await decision(first)).toMatchObject({ type: 'Approved' });
    expect(await decision(second)).toBeUndefined();
    await client.create('nodes', { metadata: { name: 'a' } });
    await clock.advance(1_000);
    expect(await decision(second)).toMatchObject({ type: 'Denied', reason: 'NodeExists' });
  });

  test('the second gets the name when the first registers no node', async () => {
    granted.nodeclient = ['system:bootstrap:aaaaaa'];
    expect(await decision(await bootstrap('system:bootstrap:aaaaaa'))).toMatchObject({ type: 'Approved' });
    const second = await bootstrap('system:bootstrap:aaaaaa');
    expect(await decision(second)).toBeUndefined();
    await clock.advance(16_000);
    expect(await decision(second)).toMatchObject({ type: 'Approved' });
  });

  test('a request of more than 64 KiB is left to a user', async () => {
    granted.selfnodeclient = ['system:node:a'];
    const kubelet = { signer: kubeletSigner, usages: clientUsages, by: node('a') };
    const long = [{ O: ['system:nodes'] }, { ST: ['x'.repeat(100_000)] }, { CN: ['system:node:a'] }];
    expect(await decision(await ask({ ...kubelet, subject: subjectOf('a') }))).toMatchObject({ type: 'Approved' });
    expect(await decision(await ask({ ...kubelet, subject: long }))).toBeUndefined();
  });
});

describe('cleaning', () => {
  test.each<[string, string | undefined, number]>([
    ['pending', undefined, 24 * hourMs],
    ['denied', 'Denied', hourMs],
    ['approved and unsigned', 'Approved', 24 * hourMs],
  ])('a %s request is deleted after its retention', async (_, type, after) => {
    const name = await ask({ signer: 'example.com/x' });
    if (type) await decide(name, type);
    await skipAhead(after - 2_000);
    expect(await read(name)).toBeDefined();
    await clock.advance(4_000);
    expect(await read(name)).toBeUndefined();
  });

  test('a signed one after an hour, or with its certificate', async () => {
    const [long, short] = [await ask(), await ask({ expirationSeconds: 600 })];
    for (const name of [long, short]) {
      await decide(name);
      await signed(name);
    }
    await clock.advance(11 * minuteMs);
    expect(await read(short)).toBeUndefined();
    expect(await read(long)).toBeDefined();
    await clock.advance(50 * minuteMs);
    expect(await read(long)).toBeUndefined();
  });

  test('a failed one after an hour', async () => {
    const name = await ask({ usages: ['server auth'] });
    await decide(name);
    await failed(name);
    await clock.advance(59 * minuteMs);
    expect(await read(name)).toBeDefined();
    await clock.advance(2 * minuteMs);
    expect(await read(name)).toBeUndefined();
  });
});
