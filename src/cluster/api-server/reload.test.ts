// Files of the API server change while it runs: over real sockets, without a restart.

import { createHash, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request as httpsRequest } from 'node:https';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type TestAuthority, type TestPair, testAuthority } from '../../kube-apiserver/testing/test-certificates.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { systemRandom } from '../../machinery/random.ts';
import { systemClock } from '../../machinery/time/clock.ts';
import { type EtcdStandIn, serveEtcdStandIn } from '../etcd-stand-in/etcd-stand-in.ts';
import { readApiServerCommand, startApiServer } from './api-server.ts';

const directory = mkdtempSync(path.join(os.tmpdir(), 'coracle-reload-'));
const at = (name: string) => path.join(directory, name);
/** Replaces a file as certificate managers do. */
const put = (name: string, text: string): string => {
  writeFileSync(at(`${name}.new`), text);
  renameSync(at(`${name}.new`), at(name));
  return at(name);
};
const putPair = (name: string, { cert, key }: TestPair): string =>
  [put(`${name}.crt`, cert), put(`${name}.key`, key)].join(',');

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const authorization = (...types: string[]) => {
  const authorizers = types.map((type) => ({ type, name: type.toLowerCase() }));
  return JSON.stringify({
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'AuthorizationConfiguration',
    authorizers,
  });
};
const authentication = (more: object) =>
  JSON.stringify({ apiVersion: 'apiserver.config.k8s.io/v1', kind: 'AuthenticationConfiguration', ...more });

/** The first key encrypts. */
const encryption = (...keys: string[]) => {
  const named = keys.map((name) => ({ name, secret: Buffer.alloc(32, name).toString('base64') }));
  const resources = [{ resources: ['secrets'], providers: [{ secretbox: { keys: named } }] }];
  return JSON.stringify({ apiVersion: 'apiserver.config.k8s.io/v1', kind: 'EncryptionConfiguration', resources });
};

let servers: TestAuthority;
let clients: TestAuthority;
let etcd: EtcdStandIn;
let port: number;
let stop: (() => Promise<void>) | undefined;
const metrics = new Metrics();

beforeAll(async () => {
  [servers, clients] = [await testAuthority('CN=servers'), await testAuthority('CN=clients')];
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const etcdUrl = `http://127.0.0.1:${await freePort()}`;
  etcd = await serveEtcdStandIn({ dataDirectory: at('etcd'), clientUrls: [etcdUrl] });
  port = await freePort();
  putPair('serving', await servers.issue('CN=first', ['127.0.0.1']));
  const sni = putPair('sni', await servers.issue('CN=sni', ['Inside.example', '*.many.example']));
  const { values, faults } = readApiServerCommand([
    `--etcd-servers=${etcdUrl}`,
    `--secure-port=${port}`,
    '--bind-address=127.0.0.1',
    `--tls-cert-file=${at('serving.crt')}`,
    `--tls-private-key-file=${at('serving.key')}`,
    `--tls-sni-cert-key=${sni}`,
    `--tls-sni-cert-key=${putPair('named', await servers.issue('CN=named'))}:given.example,inside.example`,
    `--client-ca-file=${put('ca.crt', clients.ca)}`,
    '--service-account-issuer=https://first',
    `--service-account-signing-key-file=${put('sa.key', privateKey.export({ type: 'pkcs8', format: 'pem' }) as string)}`,
    `--authorization-config=${put('authorization', authorization('RBAC'))}`,
    `--authentication-config=${put('authentication', authentication({ anonymous: { enabled: true } }))}`,
    '--disable-admission-plugins=ServiceAccount',
    `--encryption-provider-config=${put('encryption', encryption('a'))}`,
    '--encryption-provider-config-automatic-reload',
  ]);
  expect(faults).toEqual([]);
  const environment = { clock: systemClock, random: systemRandom, logger: silentLogger, metrics };
  ({ stop } = await startApiServer(values, environment));
});
afterAll(async () => {
  await stop?.();
  await etcd.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** A client whose requests share a connection. */
function clientOf(as: TestPair) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: servers.ca, ...as });
  const call = (url: string, body?: object) =>
    new Promise<{ code: number; body: any; reused: boolean }>((resolve, reject) => {
      const method = body ? 'POST' : 'GET';
      const headers = body && { 'Content-Type': 'application/json' };
      const sent = httpsRequest({ host: '127.0.0.1', port, path: url, agent, method, headers }, (answer) => {
        let text = '';
        answer.on('data', (part) => (text += part));
        answer.on('end', () =>
          resolve({
            code: answer.statusCode ?? 0,
            body: text.startsWith('{') ? JSON.parse(text) : text,
            reused: sent.reusedSocket,
          }),
        );
      });
      sent.on('error', reject);
      sent.end(body && JSON.stringify(body));
    });
  return { call, code: async (url: string) => (await call(url)).code, close: () => agent.destroy() };
}

const presented = (servername?: string) =>
  new Promise<string>((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, ca: servers.ca, ...(servername && { servername }) });
    socket.on('secureConnect', () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on('error', reject);
    socket.setTimeout(5_000, () => socket.destroy(new Error('no handshake')));
  }).catch((error) => error.code as string);

const soon = (check: () => Promise<void>) => vi.waitFor(check, { timeout: 8_000, interval: 50 });
const reloads = (of: string, status: string) =>
  Number(
    new RegExp(`^apiserver_${of}_config_controller_automatic_reloads_total\\{.*"${status}".*\\} (\\d+)`, 'm').exec(
      metrics.text(),
    )?.[1] ?? 0,
  );

test.each([
  { host: undefined, shows: 'first' },
  { host: 'other.example', shows: 'first' },
  { host: 'one.many.example', shows: 'sni' },
  { host: 'a.b.many.example', shows: 'first' },
  { host: 'given.example', shows: 'named' },
  { host: 'INSIDE.example', shows: 'named' },
])('a client that requests $host gets the certificate $shows', async ({ host, shows }) => {
  const seen = await new Promise<string>((resolve, reject) => {
    const socket = connect({
      host: '127.0.0.1',
      port,
      rejectUnauthorized: false,
      ...(host && { servername: host }),
    });
    socket.on('secureConnect', () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on('error', reject);
  });
  expect(seen).toBe(shows);
});

test('a changed serving certificate is presented to new connections, and open ones stay', async () => {
  const client = clientOf(await clients.issue('CN=root,O=system:masters'));
  await client.call('/version');
  putPair('serving', await servers.issue('CN=second', ['127.0.0.1']));
  await soon(async () => expect(await presented()).toBe('second'));
  expect(await client.call('/version')).toMatchObject({ code: 200, reused: true });
  // A certificate without its key, and half a file.
  put('serving.crt', (await servers.issue('CN=third', ['127.0.0.1'])).cert);
  writeFileSync(at('serving.key'), readFileSync(at('serving.key'), 'utf8').slice(0, 40));
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(await presented()).toBe('second');
  for (let i = 1; i <= 100; i++) putPair('serving', await servers.issue(`CN=n${i}`, ['127.0.0.1']));
  await soon(async () => expect(await presented()).toBe('n100'));
  client.close();
});

test('a certificate that expires counts no longer on an open connection', async () => {
  const client = clientOf(await clients.issue('CN=brief', [], { validForMs: 2_500 }));
  expect(await client.code('/api/v1/namespaces')).toBe(403);
  await soon(async () => expect(await client.code('/api/v1/namespaces')).toBe(401));
  expect(await client.call('/api/v1/namespaces')).toMatchObject({ code: 401, reused: true });
  client.close();
});

test('a changed certificate of a host name is presented', async () => {
  putPair('sni', await servers.issue('CN=moved', ['moved.example']));
  await soon(async () => expect(await presented('moved.example')).toBe('moved'));
  // Its former names get the common certificate, which is not valid for them.
  expect(await presented('one.many.example')).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
});

test('changed authorities count from the next request on, also on open connections', async () => {
  const successor = await testAuthority('CN=clients');
  const subject = 'CN=root,O=system:masters';
  const [former, next] = [clientOf(await clients.issue(subject)), clientOf(await successor.issue(subject))];
  const maps = '/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication';
  expect([await former.code(maps), await next.code(maps)]).toEqual([200, 401]);
  put('ca.crt', clients.ca + successor.ca);
  await soon(async () => expect(await next.code(maps)).toBe(200));
  const server = clientOf(await successor.issue(subject, ['127.0.0.1'], { purpose: 'serverAuth' }));
  const expired = clientOf(await successor.issue(subject, [], { purpose: 'clientAuth', validForMs: -1 }));
  const successors = clientOf(await successor.issue(subject));
  const all = [former, next, successors, server, expired];
  expect(await Promise.all(all.map((client) => client.code(maps)))).toEqual([200, 200, 200, 401, 401]);
  put('ca.crt', 'no certificate');
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(await former.code(maps)).toBe(200);
  put('ca.crt', successor.ca);
  await soon(async () => expect(await former.code(maps)).toBe(401));
  expect(await former.call(maps)).toMatchObject({ code: 401, reused: true });
  expect(await successors.call(maps)).toMatchObject({ code: 200, reused: true });
  await soon(async () => {
    const published = (await successors.call(maps)).body.data['client-ca-file'];
    expect(published.split('-----BEGIN').length - 1).toBe(2);
    expect(published).toContain(new X509Certificate(successor.ca).toString());
  });
  clients = successor;
  for (const client of all) client.close();
});

test('changed authorizers decide the next request; invalid files change nothing', async () => {
  const client = clientOf(await clients.issue('CN=jane'));
  const url = '/api/v1/namespaces';
  expect(await client.code(url)).toBe(403);
  put('authorization', authorization('RBAC', 'AlwaysAllow'));
  await soon(async () => expect(await client.code(url)).toBe(200));
  expect([reloads('authorization', 'success'), reloads('authorization', 'failure')]).toEqual([1, 0]);
  // RBAC was there at the start.
  put('authorization', authorization('AlwaysDeny'));
  await soon(async () => expect(reloads('authorization', 'failure')).toBe(1));
  expect(await client.code(url)).toBe(200);
  // Node was not.
  put('authorization', authorization('RBAC', 'Node'));
  await soon(async () => expect(reloads('authorization', 'failure')).toBe(2));
  expect(await client.code(url)).toBe(200);
  const hash = createHash('sha256').update(authorization('RBAC', 'AlwaysAllow')).digest('hex');
  expect(metrics.text().match(/^apiserver_authorization_config_controller_last_config_info.*$/gm)).toEqual([
    expect.stringContaining(`hash="sha256:${hash}"} 1`),
  ]);
  put('authorization', authorization('RBAC'));
  await soon(async () => expect(await client.code(url)).toBe(403));
  client.close();
});

test.each([
  { case: 'half a document', text: '{"apiVersion":' },
  { case: 'anonymous access that differs', text: authentication({ anonymous: { enabled: false } }) },
  {
    case: 'an issuer that does not answer',
    text: authentication({
      anonymous: { enabled: true },
      jwt: [
        {
          issuer: { url: 'https://127.0.0.1:1', audiences: ['a'] },
          claimMappings: { username: { claim: 'sub', prefix: '' } },
        },
      ],
    }),
  },
])('$case is no authentication configuration: the previous one stays', async ({ text }) => {
  const failures = reloads('authentication', 'failure');
  put('authentication', text);
  await soon(async () => expect(reloads('authentication', 'failure')).toBeGreaterThan(failures));
  expect(reloads('authentication', 'success')).toBe(0);
});

test('changed keys encrypt all secrets again; keys that cannot read them change nothing', async () => {
  const client = clientOf(await clients.issue('CN=root,O=system:masters'));
  const secrets = '/api/v1/namespaces/default/secrets';
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'one' }, stringData: { a: 'b' } };
  expect((await client.call(secrets, secret)).code).toBe(201);
  put('encryption', encryption('c'));
  await soon(async () => expect(reloads('encryption', 'failure')).toBeGreaterThan(0));
  put('encryption', 'resources: {');
  await soon(async () => expect(reloads('encryption', 'failure')).toBeGreaterThan(1));
  expect(reloads('encryption', 'success')).toBe(0);
  put('encryption', encryption('b', 'a'));
  await soon(async () => expect(reloads('encryption', 'success')).toBe(1));
  // Without the first key, it can be read only if it was encrypted again.
  put('encryption', encryption('b'));
  await soon(async () => expect(reloads('encryption', 'success')).toBe(2));
  expect((await client.call(`${secrets}/one`)).body.data).toEqual({ a: 'Yg==' });
  client.close();
});
