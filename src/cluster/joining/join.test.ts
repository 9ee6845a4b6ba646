// A machine joins a real API server over HTTPS.

import { X509Certificate } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import * as https from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Client, type Kubeconfig, loadKubeconfig } from '../../client/client.ts';
import { detachedSignature, signatureKey } from '../../kube-controller-manager/kube-controller-manager.ts';
import { systemClock, type VirtualClock } from '../../machinery/time/clock.ts';
import { startCluster, type TestCluster } from '../../testing/testing.ts';
import { issue, makeAuthority } from '../certificates/certificates.ts';
import { type DataDirectory, dataDirectory } from '../data-directory.ts';
import { caHashes } from './ca-hash.ts';
import { discoverCluster } from './discovery.ts';
import { joinCluster } from './join.ts';
import { controlPlaneLabel, ensureJoinObjects } from './join-objects.ts';
import { readMembership } from './membership.ts';
import { ensureNodeCertificates, existingKubeletCertificate } from './node-certificates.ts';
import { checkCloud, checkPort } from './server.ts';
import { createToken, deleteToken, listTokens, newToken, workerGroup } from './tokens.ts';
import type { JoinRequest } from './types.ts';

let cluster: TestCluster;
let kubeconfig: Kubeconfig;
let hash: string;
const ranges = {
  serviceCidr: '10.96.0.0/12',
  clusterCidr: '10.244.0.0/16',
  clusterDomain: 'cluster.local',
  cloudProvider: 'external',
} as const;

beforeAll(async () => {
  cluster = await startCluster({ time: 'real', https: true, nodes: 1 });
  kubeconfig = await loadKubeconfig(cluster.kubeconfig!);
  [hash] = caHashes(kubeconfig.ca!);
  await ensureJoinObjects(cluster.client, { server: kubeconfig.server, ca: kubeconfig.ca!, config: ranges });
});
afterAll(() => cluster.stop());

const cluster64 = (ca: string) =>
  JSON.stringify({ clusters: [{ cluster: { 'certificate-authority-data': btoa(ca) } }] });

let directory: DataDirectory;
beforeEach(() => {
  directory = dataDirectory(mkdtempSync(path.join(tmpdir(), 'coracle-join-')));
});
afterEach(() => rmSync(directory.root, { recursive: true }));

const token = (options: { expiresMs?: number; groups?: string[] } = {}) =>
  createToken(cluster.client, { groups: [workerGroup], ...options });
const request = async (more: Partial<JoinRequest> = {}): Promise<JoinRequest> => ({
  server: kubeconfig.server,
  token: more.token ?? (await token()),
  hashes: [hash],
  ...more,
});
function join(given: JoinRequest, node = 'worker-1', prepare: () => Promise<void> = async () => {}) {
  const files = path.join(directory.pki, 'node');
  return joinCluster(given, directory, { directory: files, node, clock: systemClock }, prepare);
}

test('a machine gets its certificates and the settings of the cluster', async () => {
  const membership = await join(await request());
  expect(membership).toMatchObject({ node: 'worker-1', ca: kubeconfig.ca, settings: ranges });
  expect(await readMembership(directory)).toEqual(membership);
  const files = path.join(directory.pki, 'node');
  expect(readdirSync(files).sort()).toEqual([
    'kube-proxy.pem',
    'kubelet-client.pem',
    'kubelet-serving.pem',
    'network-policy.pem',
  ]);
  for (const file of readdirSync(files)) expect(statSync(path.join(files, file)).mode & 0o77).toBe(0);
}, 30_000);

describe('a machine is refused, and nothing stays', () => {
  test.each<[string, () => Promise<Partial<JoinRequest>>, RegExp]>([
    [
      'with another CA',
      async () => ({ hashes: [`sha256:${'0'.repeat(64)}`] }),
      /has the hash sha256:[0-9a-f]{64}, not sha256:0+/,
    ],
    [
      'with a wrong secret',
      async () => ({ token: { ...(await token()), secret: 'x'.repeat(16) } }),
      /secret of the token \w+ is wrong/,
    ],
    ['with a token that does not exist', async () => ({ token: newToken() }), /does not know the token/],
    [
      'with an expired token',
      async () => ({ token: await token({ expiresMs: Date.now() - 1_000 }) }),
      /does not know the token|has expired/,
    ],
    [
      'with a token for something else',
      async () => ({ token: await token({ groups: ['system:bootstrappers:other'] }) }),
      /refuses the token/,
    ],
    [
      'without a server',
      async () => ({ server: 'https://127.0.0.1:1' }),
      /cannot reach https:\/\/127\.0\.0\.1:1 \(ECONNREFUSED\)/,
    ],
  ])(
    '%s',
    async (_, more, message) => {
      await expect(join(await request(await more()))).rejects.toThrow(message);
      expect(existsSync(path.join(directory.pki, 'node'))).toBe(false);
      expect(await readMembership(directory)).toBeUndefined();
    },
    20_000,
  );

  test('with the name of a node that is Ready', async () => {
    await expect(join(await request(), 'node-1')).rejects.toThrow(/has a node node-1 that is Ready/);
  });

  test('with the name of a server that is away', async () => {
    const labels = { [controlPlaneLabel]: '' };
    await cluster.client.create('nodes', { metadata: { name: 'server-2', labels } });
    await expect(join(await request(), 'server-2')).rejects.toThrow(/has a node server-2, which is a server/);
    await cluster.client.delete('nodes', { name: 'server-2' });
  });

  test('with the name of a node that is away', async () => {
    await cluster.client.create('nodes', { metadata: { name: 'away' } });
    await expect(join(await request(), 'away')).rejects.toThrow(
      /a node away that is away: .* "coracle node remove away"/,
    );
    await cluster.client.delete('nodes', { name: 'away' });
  });

  test('when its token is deleted meanwhile', async () => {
    const given = await request();
    await expect(join(given, 'worker-8', () => deleteToken(cluster.client, given.token.id))).rejects.toThrow(
      /refuses the token \w+: it has expired or is wrong/,
    );
    expect(existsSync(path.join(directory.pki, 'node'))).toBe(false);
  });

  test('with the name of the API server', async () => {
    await expect(join(await request(), 'kubernetes.default.svc')).rejects.toThrow(/is a name of the API server/);
    expect(await readMembership(directory)).toBeUndefined();
  }, 20_000);

  test('when it is not prepared for the settings, before it asks for a certificate', async () => {
    const prepare = () => Promise.reject(new Error('ranges overlap'));
    await expect(join(await request(), 'worker-9', prepare)).rejects.toThrow('ranges overlap');
    const { items } = await cluster.client.list('certificatesigningrequests');
    expect(items.filter(({ spec }) => spec.username === 'system:node:worker-9')).toEqual([]);
  });
});

test('certificates of a join that was killed are not used under another name', async () => {
  await join(await request(), 'worker-6');
  rmSync(path.join(directory.root, 'membership.json'));
  await join(await request(), 'worker-7');
  for (const name of ['kubelet-client', 'kubelet-serving']) {
    const pem = readFileSync(path.join(directory.pki, 'node', `${name}.pem`), 'utf8');
    expect(new X509Certificate(pem).subject).toContain('CN=system:node:worker-7');
  }
}, 30_000);

test('a certificate that is due stays while no server renews it, until it expires', async () => {
  const { ca } = await join(await request(), 'worker-10');
  const tools = { directory: path.join(directory.pki, 'node'), node: 'worker-10', ca, clientFor: () => nowhere };
  const nowhere = { create: () => Promise.reject(new Error('no server answers')) } as unknown as Client;
  const after = (days: number) => ({ ...systemClock, now: () => Date.now() + days * 86_400_000 });
  const kubelet = (await existingKubeletCertificate({ ...tools, clock: systemClock }))!;
  const late: string[] = [];
  const onLate = (error: Error) => late.push(error.message);
  const due = { ...tools, clock: after(300) };
  await expect(ensureNodeCertificates(kubelet, due)).rejects.toThrow('no server answers');
  expect((await ensureNodeCertificates(kubelet, due, onLate)).kubelet).toEqual(kubelet);
  expect(new Set(late)).toEqual(new Set(['no server answers']));
  await expect(ensureNodeCertificates(kubelet, { ...tools, clock: after(400) }, onLate)).rejects.toThrow('no server');
}, 30_000);

test.each([
  ['https://192.0.2.1:6443', 6443, undefined],
  ['https://[2001:db8::1]:6443', 6443, undefined],
  ['https://api.example.com', 443, undefined],
  ['https://192.0.2.1:6443', 7443, /have the same port: start this one with --port 6443/],
])('a server joins %s with port %i', (server, port, message) => {
  if (message) expect(() => checkPort(server, port)).toThrow(message);
  else checkPort(server, port);
});

test.each([
  [undefined, undefined, undefined],
  [undefined, 'local', undefined],
  ['external', 'external', undefined],
  ['external', undefined, /start this one with --cloud-provider external and its --cloud-config/],
  [undefined, 'external', /start this one with --cloud-provider local$/],
] as const)('a server joins a cluster of the cloud %s with %s', (theirs, own, message) => {
  const check = () => checkCloud({ cloudProvider: theirs } as never, { cloudProvider: own } as never);
  if (message) expect(check).toThrow(message);
  else check();
});

test('a damaged record of the membership is named', async () => {
  const settings = { ...ranges, version: '1.0.0' };
  const good = { node: 'a', ca: kubeconfig.ca, servers: ['192.0.2.1:6443'], settings };
  const bad: readonly unknown[] = [
    null,
    [],
    'x',
    { ...good, servers: [] },
    { ...good, servers: ['not a server'] },
    { ...good, servers: [null] },
    { ...good, ca: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n' },
    { ...good, node: 1 },
    { ...good, settings: { ...settings, serviceCidr: '10.0.0.0' } },
    { ...good, settings: { ...settings, clusterDomain: undefined } },
  ];
  const file = path.join(directory.root, 'membership.json');
  for (const text of ['', '{', '\0', ...bad.map((content) => JSON.stringify(content))]) {
    writeFileSync(file, text);
    await expect(readMembership(directory), text).rejects.toThrow(/membership.json is damaged: remove it/);
  }
  writeFileSync(file, JSON.stringify(good));
  expect(await readMembership(directory)).toEqual(good);
});

describe('discovery', () => {
  const stops: (() => void)[] = [];
  afterEach(() => {
    for (const stop of stops.splice(0)) stop();
  });

  const answering = (code: number, body: string) => serving((response) => response.writeHead(code).end(body));

  async function serving(answer: (response: ServerResponse) => void): Promise<string> {
    const now = Date.now();
    const pair = await issue(await makeAuthority(now), { name: 's', commonName: 's', usage: 'server' }, now);
    const server = https.createServer(pair, (_, response) => answer(response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    stops.push(() => server.close());
    return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
  const found = (server: string, clock: VirtualClock | typeof systemClock = systemClock) =>
    discoverCluster({ server, token: newToken(), hashes: [hash], clock });

  test.each<[string, number, string, RegExp]>([
    ['no map', 404, '{}', /publishes no cluster-info/],
    ['no access', 403, '{}', /refuses anonymous access/],
    ['another program', 200, '<html>', /does not answer as a Kubernetes API server/],
    ['an error', 500, 'x', /HTTP 500/],
    ['a list', 200, '[]', /publishes no cluster-info/],
    ['too much', 200, 'x'.repeat(2 << 20), /too long/],
  ])('a server with %s is named with its fault', async (_, code, body, message) => {
    await expect(found(await answering(code, body))).rejects.toThrow(message);
  });

  test('an answer that comes byte by byte does not hold it up', async () => {
    const server = await serving((response) => {
      const timer = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(timer));
    });
    const fast = {
      ...systemClock,
      after: ((ms, call) => systemClock.after(ms / 50, call)) as typeof systemClock.after,
    };
    await expect(found(server, fast)).rejects.toThrow(/cannot reach .* \(no answer in 10 s\)/);
  });

  test.each<[string, string, RegExp]>([
    ['no YAML', '{[', /cannot be read .*"coracle token create" on a server writes it again/],
    ['no clusters', 'clusters: {}', /has the hash \(none\)/],
    ['another shape', 'clusters: 7', /has the hash \(none\)/],
    ['no certificate', cluster64('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'), /cannot be read/],
    ['no URL', 'clusters: [{cluster: {server: "a b"}}]', /cannot be read .*Invalid URL/],
  ])('a signed cluster-info with %s is named', async (_, kubeconfig, message) => {
    const token = newToken();
    const data = { kubeconfig, [signatureKey(token)]: detachedSignature(kubeconfig, token) };
    const server = await answering(200, JSON.stringify({ data }));
    await expect(discoverCluster({ server, token, hashes: [hash], clock: systemClock })).rejects.toThrow(message);
  });

  test.each([
    [600_000, /10 minutes ahead of/],
    [-600_000, /10 minutes behind/],
  ])('a clock that is %i ms off is named', async (offMs, message) => {
    const clock = { ...systemClock, now: () => Date.now() + offMs, monotonic: () => 0 };
    await expect(found(await answering(404, '{}'), clock)).rejects.toThrow(message);
  });
});

test('tokens are listed and deleted', async () => {
  const made = await createToken(cluster.client, { groups: [workerGroup], description: 'for a test' });
  expect(await listTokens(cluster.client)).toContainEqual(
    expect.objectContaining({ ...made, description: 'for a test', groups: [workerGroup], isForSigning: true }),
  );
  await deleteToken(cluster.client, made.id);
  expect((await listTokens(cluster.client)).map(({ id }) => id)).not.toContain(made.id);
});

test('the hash of a CA is that of its public key', () => {
  const key = new X509Certificate(kubeconfig.ca!).publicKey.export({ type: 'spki', format: 'der' });
  expect(key.length).toBeGreaterThan(80);
  expect(caHashes(`text\n${kubeconfig.ca}`)).toEqual([hash]);
  expect(caHashes('')).toEqual([]);
});
