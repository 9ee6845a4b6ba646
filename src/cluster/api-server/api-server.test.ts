// The API server alone, over HTTPS and over the stand-in for etcd, as its flags configure it.

import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkNames } from '../../kube-apiserver/stages/health-names.ts';
import { type TestAuthority, testAuthority } from '../../kube-apiserver/testing/test-certificates.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { systemRandom } from '../../machinery/random.ts';
import { systemClock } from '../../machinery/time/clock.ts';
import { type EtcdStandIn, serveEtcdStandIn } from '../etcd-stand-in/etcd-stand-in.ts';
import { readApiServerCommand, startApiServer } from './api-server.ts';

const directory = mkdtempSync(path.join(os.tmpdir(), 'coracle-flags-'));
const file = (name: string, text?: string) => {
  const full = path.join(directory, name);
  if (text !== undefined) writeFileSync(full, text);
  return full;
};

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

let etcd: EtcdStandIn;
let etcdUrl: string;
let clients: TestAuthority;
let proxies: TestAuthority;
const keys = [1, 2].map(() => generateKeyPairSync('ec', { namedCurve: 'P-256' }));
const pem = (key: any, type: string) => key.export({ type, format: 'pem' }) as string;

beforeAll(async () => {
  clients = await testAuthority('CN=clients');
  proxies = await testAuthority('CN=proxies');
  file('ca.crt', clients.ca);
  file('proxy-ca.crt', proxies.ca);
  keys.forEach(({ privateKey, publicKey }, index) => {
    file(`sa-${index}.key`, pem(privateKey, 'pkcs8'));
    file(`sa-${index}.pub`, pem(publicKey, 'spki'));
  });
  etcdUrl = `http://127.0.0.1:${await freePort()}`;
  etcd = await serveEtcdStandIn({ dataDirectory: file('etcd'), clientUrls: [etcdUrl] });
});
afterAll(async () => {
  await etcd.stop();
  rmSync(directory, { recursive: true, force: true });
});

interface Running {
  readonly port: number;
  call(method: string, path: string, options?: CallOptions): Promise<{ code: number; body: any }>;
  stop(): Promise<void>;
}
interface CallOptions {
  readonly as?: { readonly cert: string; readonly key: string };
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: object;
}

async function start(...words: string[]): Promise<Running> {
  const port = await freePort();
  const { values, faults } = readApiServerCommand([
    `--etcd-servers=${etcdUrl}`,
    `--secure-port=${port}`,
    '--bind-address=127.0.0.1',
    `--cert-dir=${file('certs')}`,
    `--client-ca-file=${file('ca.crt')}`,
    '--service-account-issuer=https://first',
    `--service-account-signing-key-file=${file('sa-0.key')}`,
    '--authorization-mode=RBAC',
    '--disable-admission-plugins=ServiceAccount',
    ...words,
  ]);
  expect(faults).toEqual([]);
  const environment = { clock: systemClock, random: systemRandom, logger: silentLogger, metrics: new Metrics() };
  const { stop } = await startApiServer(values, environment);
  return {
    port,
    stop,
    call: (method, url, { as, token, headers = {}, body } = {}) =>
      new Promise((resolve, reject) => {
        const authorization = token && { authorization: `Bearer ${token}` };
        const content = body && { 'content-type': 'application/json' };
        const options = {
          ...{
            host: '127.0.0.1',
            port,
            path: url,
            method,
            agent: false,
            ca: readFileSync(file('certs/apiserver.crt')),
          },
          ...as,
          headers: { ...headers, ...authorization, ...content },
        };
        const sent = httpsRequest(options, (answer) => {
          let text = '';
          answer.on('data', (part) => (text += part));
          answer.on('end', () =>
            resolve({ code: answer.statusCode ?? 0, body: text.startsWith('{') ? JSON.parse(text) : text }),
          );
        });
        sent.on('error', reject);
        sent.end(body && JSON.stringify(body));
      }),
  };
}

const admin = () => clients.issue('CN=root,O=system:masters');
const pod = (privileged: boolean) => ({
  metadata: { generateName: 'p-' },
  spec: { containers: [{ name: 'c', image: 'i', securityContext: { privileged } }] },
});

describe('with the flags of a test environment', () => {
  let server: Running;
  let as: Awaited<ReturnType<typeof admin>>;
  beforeAll(async () => {
    as = await admin();
    server = await start();
  });
  afterAll(() => server.stop());

  test('the certificate was made for the addresses of the server, with its CA', async () => {
    const bundle = readFileSync(file('certs/apiserver.crt'), 'utf8');
    expect(bundle.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
    for (const address of ['127.0.0.1', '10.0.0.1']) expect(new X509Certificate(bundle).checkIP(address)).toBe(address);
    expect(await server.call('GET', '/healthz')).toEqual({ code: 200, body: 'ok' });
  });

  test('the user of a client certificate has the rights of its roles', async () => {
    expect((await server.call('GET', '/api/v1/namespaces', { as })).body.items.length).toBeGreaterThan(3);
    const nobody = await clients.issue('CN=nobody');
    expect(await server.call('GET', '/api/v1/namespaces', { as: nobody })).toMatchObject({ code: 403 });
    const foreign = await proxies.issue('CN=root,O=system:masters');
    expect(await server.call('GET', '/api/v1/namespaces', { as: foreign })).toMatchObject({ code: 401 });
  });

  test('a pod needs no service account, and must not be privileged', async () => {
    const pods = '/api/v1/namespaces/default/pods';
    expect(await server.call('POST', pods, { as, body: pod(false) })).toMatchObject({ code: 201 });
    const refused = await server.call('POST', pods, { as, body: pod(true) });
    expect(refused).toMatchObject({ code: 422 });
    expect(refused.body.details.causes).toEqual([
      {
        reason: 'FieldValueForbidden',
        message: 'Forbidden: disallowed by cluster policy',
        field: 'spec.containers[0].securityContext.privileged',
      },
    ]);
  });

  test('its health checks are those of Kubernetes, in its order', async () => {
    const names = async (endpoint: string) => {
      const { code, body } = await server.call('GET', `/${endpoint}?verbose`, { as });
      expect(code, body).toBe(200);
      return [...body.matchAll(/^\[\+\](\S+) ok$/gm)].map(([, name]) => name);
    };
    const hooks = checkNames.filter((name) => name !== 'poststarthook/aggregator-reload-proxy-client-cert');
    expect(await names('readyz')).toEqual(hooks);
    const ofReadiness = ['etcd-readiness', 'informer-sync', 'shutdown'];
    expect(await names('livez')).toEqual(hooks.filter((name) => !ofReadiness.includes(name)));
  });

  test('it has the objects of an API server, and not those of a whole cluster', async () => {
    const of = async (url: string) => (await server.call('GET', url, { as })).code;
    expect(await of('/api/v1/namespaces/default/services/kubernetes')).toBe(200);
    expect(await of('/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication')).toBe(200);
    expect(await of('/api/v1/namespaces/kube-system/services/kube-dns')).toBe(404);
  });
});

test('data outlives the server, and is separate for each prefix', async () => {
  const as = await admin();
  const map = { metadata: { name: 'kept' }, data: { a: 'b' } };
  const maps = '/api/v1/namespaces/default/configmaps';
  const first = await start();
  await first.call('POST', maps, { as, body: map });
  await first.stop();
  const second = await start();
  expect((await second.call('GET', `${maps}/kept`, { as })).body.data).toEqual(map.data);
  await second.stop();
  const apart = await start('--etcd-prefix=/apart');
  expect(await apart.call('GET', `${maps}/kept`, { as })).toMatchObject({ code: 404 });
  await apart.stop();
});

test('tokens of former issuers and keys are accepted, and the keys are published', async () => {
  const as = await admin();
  const token = async (server: Running) => {
    const accounts = '/api/v1/namespaces/default/serviceaccounts';
    await server.call('POST', accounts, { as, body: { metadata: { name: 'robot' } } });
    return (await server.call('POST', `${accounts}/robot/token`, { as, body: { spec: {} } })).body.status.token;
  };
  const before = await start();
  const old = await token(before);
  await before.stop();
  const changed = [
    '--service-account-issuer=https://first', // repeated: the same issuer twice does no harm
    `--service-account-signing-key-file=${file('sa-1.key')}`,
    `--service-account-key-file=${file('sa-1.pub')}`,
    `--service-account-key-file=${file('sa-0.pub')}`,
  ];
  const after = await start(...changed);
  const review = async (given: string) => (await after.call('GET', '/version', { token: given })).code;
  expect(await review(old)).toBe(200);
  expect(await review(await token(after))).toBe(200);
  expect(await review(`${old.slice(0, -4)}AAAA`)).toBe(401);
  expect((await after.call('GET', '/openid/v1/jwks', { as })).body.keys).toHaveLength(2);
  expect((await after.call('GET', '/.well-known/openid-configuration', { as })).body.jwks_uri).toMatch(
    new RegExp(`^https://.*:${after.port}/openid/v1/jwks$`),
  );
  await after.stop();
  const strict = await start(...changed.slice(0, 2));
  expect((await strict.call('GET', '/version', { token: old })).code).toBe(401);
  await strict.stop();
});

test('a front proxy names users in the headers that were agreed on', async () => {
  const server = await start(
    `--requestheader-client-ca-file=${file('proxy-ca.crt')}`,
    '--requestheader-allowed-names=front',
    '--requestheader-username-headers=X-Other,X-User',
    '--requestheader-group-headers=X-Group',
  );
  const front = await proxies.issue('CN=front');
  const headers = { 'X-User': 'ann', 'X-Group': 'system:masters' };
  const get = (as: typeof front, given: Record<string, string>) =>
    server.call('GET', '/api/v1/namespaces', { as, headers: given });
  expect(await get(front, headers)).toMatchObject({ code: 200 });
  expect(await get(front, { 'X-Remote-User': 'ann', 'X-Remote-Group': 'system:masters' })).toMatchObject({ code: 401 });
  expect(await get(await proxies.issue('CN=back'), headers)).toMatchObject({ code: 401 });
  await server.stop();
});

test('AlwaysAllow allows everything, but no anonymous requests', async () => {
  const server = await start('--authorization-mode=AlwaysAllow');
  const as = await clients.issue('CN=nobody');
  expect(await server.call('GET', '/api/v1/namespaces', { as })).toMatchObject({ code: 200 });
  expect(await server.call('GET', '/api/v1/namespaces')).toMatchObject({ code: 401 });
  await server.stop();
});

test('an API that is off is not served', async () => {
  const as = await admin();
  const server = await start('--runtime-config=autoscaling/v2=false,batch/v1/cronjobs=false');
  const code = async (url: string) => (await server.call('GET', url, { as })).code;
  expect(await code('/apis/autoscaling/v2/horizontalpodautoscalers')).toBe(404);
  expect(await code('/apis/autoscaling/v1/horizontalpodautoscalers')).toBe(200);
  expect(await code('/apis/batch/v1/cronjobs')).toBe(404);
  expect(await code('/apis/batch/v1/jobs')).toBe(200);
  await server.stop();
});

describe('files that cannot be used are named with their flag', () => {
  const damaged = file('damaged', 'no certificate');
  test.each([
    [`--client-ca-file=${damaged}`, /--client-ca-file .*damaged holds no certificate in PEM form/],
    [`--client-ca-file=${file('absent')}`, /--client-ca-file .*absent cannot be read: ENOENT/],
    [`--service-account-key-file=${damaged}`, /--service-account-key-file .*damaged holds no key in PEM form/],
    [`--service-account-signing-key-file=${damaged}`, /--service-account-signing-key-file .*damaged cannot be used/],
    [`--encryption-provider-config=${damaged}`, /damaged cannot be used/],
    [`--authentication-config=${damaged}`, /authentication configuration .*damaged cannot be used/],
  ])('%s', (word, says) => expect(start(word)).rejects.toThrow(says));

  test('an etcd that does not answer', () =>
    expect(start('--etcd-servers=http://127.0.0.1:1', '--storage-initialization-timeout=200ms')).rejects.toThrow(
      /--etcd-servers .* cannot be reached/,
    ));
});

test('for how long pods stay on nodes that are not ready', async () => {
  const as = await admin();
  const seconds = ['--default-not-ready-toleration-seconds=7', '--default-unreachable-toleration-seconds=8'];
  const server = await start(...seconds);
  const { body } = await server.call('POST', '/api/v1/namespaces/default/pods', { as, body: pod(false) });
  expect(body.spec.tolerations).toEqual([
    { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 7 },
    { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 8 },
  ]);
  await server.stop();
});
