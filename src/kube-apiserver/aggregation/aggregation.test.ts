import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { silentLogger } from '../../machinery/logger.ts';
import { systemClock } from '../../machinery/time/clock.ts';
import { testAuthority } from '../testing/test-certificates.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { openTracing } from '../tracing/open.ts';
import { RemoteDocuments } from './remote-documents.ts';
import { userHeaders } from './remote-request.ts';

const ownAddress = Object.values(networkInterfaces())
  .flat()
  .find((one) => one?.family === 'IPv4' && !one.internal)?.address as string;

let caBundle: string;
let extension: Server;
let port: number;
/** Responses of the extension API server by path; 404 for others, none for `hangs`, the begin of one for `endless`, a redirect for `elsewhere`. */
let documents: Record<string, object | string>;
let asked: { method?: string; url?: string; headers: Record<string, any>; body: string }[];
let server: TestServer;

beforeAll(async () => {
  const authority = await testAuthority();
  const pair = await authority.issue('CN=sample', ['sample.default.svc']);
  caBundle = Buffer.from(authority.ca).toString('base64');
  extension = createServer(pair, async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    const { method, url = '', headers } = request;
    // Whether it is available is looked at, and its OpenAPI read, at any time.
    if (url.includes('/flunders')) asked.push({ method, url, headers, body: Buffer.concat(parts).toString() });
    const said = documents[url.split('?')[0]];
    if (said === 'hangs') return;
    if (said === 'endless') return void response.writeHead(200).write('{');
    if (said === 'elsewhere') return void response.writeHead(302, { Location: 'https://elsewhere.test/' }).end();
    response.statusCode = said ? 200 : 404;
    response.setHeader('Content-Type', 'application/json');
    response.end(typeof said === 'string' ? said : JSON.stringify(said ?? {}));
  });
  await new Promise<void>((resolve) => extension.listen(0, '0.0.0.0', resolve));
  port = (extension.address() as AddressInfo).port;
});
afterAll(() => {
  extension.closeAllConnections();
  extension.close();
});

const base = '/apis/wardle.example.com/v1alpha1';
const flunders = {
  name: 'flunders',
  singularName: 'flunder',
  namespaced: true,
  kind: 'Flunder',
  verbs: ['get', 'list'],
};
const apiservices = '/apis/apiregistration.k8s.io/v1/apiservices';

beforeEach(async () => {
  asked = [];
  documents = {
    [base]: { kind: 'APIResourceList', groupVersion: 'wardle.example.com/v1alpha1', resources: [flunders] },
    [`${base}/namespaces/default/flunders`]: { kind: 'FlunderList', items: [] },
    '/openapi/v3': { paths: { 'apis/wardle.example.com/v1alpha1': { serverRelativeURL: '/openapi/v3/x?hash=ABC' } } },
    '/openapi/v3/apis/wardle.example.com/v1alpha1': { openapi: '3.0.0' },
    '/openapi/v2': { definitions: { 'wardle.Flunder': {} }, paths: { [`${base}/flunders`]: {}, '/version/': {} } },
  };
  server = await startTestServer();
});
afterEach(() => server.stop());

async function createService(): Promise<void> {
  const metadata = { name: 'sample', namespace: 'default' };
  await server.call('POST', '/api/v1/namespaces/default/services', { metadata, spec: { ports: [{ port: 443 }] } });
}
async function createEndpoints(): Promise<void> {
  const { code, body } = await server.call('POST', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', {
    metadata: { name: 'sample', labels: { 'kubernetes.io/service-name': 'sample' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [ownAddress] }],
    ports: [{ name: '', port, protocol: 'TCP' }],
  });
  expect(code, body.message).toBe(201);
}
async function register(spec: object = {}): Promise<void> {
  const { code, body } = await server.call('POST', apiservices, {
    metadata: { name: 'v1alpha1.wardle.example.com' },
    spec: {
      group: 'wardle.example.com',
      version: 'v1alpha1',
      groupPriorityMinimum: 100,
      versionPriority: 10,
      service: { name: 'sample', namespace: 'default' },
      caBundle,
      ...spec,
    },
  });
  expect(code, body.message).toBe(201);
}
const available = async () =>
  (await server.call('GET', `${apiservices}/v1alpha1.wardle.example.com`)).body.status?.conditions?.find(
    ({ type }: { type: string }) => type === 'Available',
  );
const becomes = (status: string) => vi.waitFor(async () => expect(await available()).toMatchObject({ status }), 8000);
async function start(): Promise<void> {
  await createService();
  await createEndpoints();
  await register();
  await becomes('True');
}

test('an API that can be reached is available, and its requests go there as the user', async () => {
  await start();
  expect(await available()).toMatchObject({ reason: 'Passed', message: 'all checks passed' });
  asked = [];
  const { code, body } = await server.call('GET', `${base}/namespaces/default/flunders?limit=5`);
  expect([code, body]).toEqual([200, { kind: 'FlunderList', items: [] }]);
  expect(asked).toMatchObject([{ method: 'GET', url: `${base}/namespaces/default/flunders?limit=5` }]);
  expect(asked[0].headers).toMatchObject({
    'x-remote-user': 'system:admin',
    'x-remote-group': 'system:masters, system:authenticated',
  });
  await server.call('POST', `${base}/namespaces/default/flunders`, { kind: 'Flunder', metadata: { name: 'f' } });
  expect(JSON.parse(asked[1].body)).toMatchObject({ metadata: { name: 'f' } });
});

test.each([
  {
    case: 'no service',
    make: async () => {},
    reason: 'ServiceNotFound',
    message: 'service/sample in "default" is not present',
  },
  {
    case: 'no endpoints',
    make: createService,
    reason: 'EndpointsNotFound',
    message: 'cannot find endpointslices for service/sample in "default"',
  },
])('without: $case', async ({ make, reason, message }) => {
  await make();
  await register();
  await becomes('False');
  expect(await available()).toMatchObject({ reason, message });
  const { code, body } = await server.call('GET', `${base}/namespaces/default/flunders`);
  expect([code, body]).toEqual([503, 'service unavailable\n']);
});

test.each([
  {
    refusesRedirects: true,
    wanted: [502, 'the backend attempted to redirect this request, which is not permitted'],
  },
  { refusesRedirects: false, wanted: [302, ''] },
])('a redirect, refused: $refusesRedirects', async ({ refusesRedirects, wanted }) => {
  await server.stop();
  server = await startTestServer({ config: { refusesRedirects } });
  await start();
  documents[`${base}/namespaces/default/flunders`] = 'elsewhere';
  const { code, body } = await server.call('GET', `${base}/namespaces/default/flunders`);
  expect([code, body]).toEqual(wanted);
});

test('a port that the service does not have', async () => {
  await createService();
  await register({ service: { name: 'sample', namespace: 'default', port: 8443 } });
  await becomes('False');
  expect(await available()).toMatchObject({
    reason: 'ServicePortError',
    message: 'service/sample in "default" is not listening on port 8443',
  });
});

test('a server with a certificate of another authority is not trusted', async () => {
  await createService();
  await createEndpoints();
  await register({ caBundle: undefined });
  await becomes('False');
  expect(await available()).toMatchObject({ reason: 'FailedDiscoveryCheck' });
  await server.call(
    'PATCH',
    `${apiservices}/v1alpha1.wardle.example.com`,
    { spec: { insecureSkipTLSVerify: true } },
    {
      contentType: 'application/merge-patch+json',
    },
  );
  await becomes('True');
});

test('discovery and OpenAPI contain it until it is removed', async () => {
  await start();
  const groups = async () => (await server.call('GET', '/apis')).body.groups.map(({ name }: { name: string }) => name);
  expect((await groups()).at(-1)).toBe('wardle.example.com');
  expect((await server.call('GET', '/apis/wardle.example.com')).body).toMatchObject({
    kind: 'APIGroup',
    versions: [{ groupVersion: 'wardle.example.com/v1alpha1', version: 'v1alpha1' }],
  });
  expect((await server.call('GET', base)).body.resources).toEqual([flunders]);
  const { body: index } = await server.call('GET', '/openapi/v3');
  expect(index.paths['apis/wardle.example.com/v1alpha1']).toEqual({
    serverRelativeURL: '/openapi/v3/apis/wardle.example.com/v1alpha1?hash=ABC',
  });
  expect((await server.call('GET', '/openapi/v3/apis/wardle.example.com/v1alpha1')).body).toEqual({ openapi: '3.0.0' });
  const { body: v2 } = await server.call('GET', '/openapi/v2');
  expect(v2.definitions['wardle.Flunder']).toEqual({});
  expect(v2.paths[`${base}/flunders`]).toEqual({});
  expect(v2.paths['/version/']).toEqual((await server.call('GET', '/openapi/v2')).body.paths['/version/']);
  await server.call('DELETE', `${apiservices}/v1alpha1.wardle.example.com`);
  await vi.waitFor(async () => expect(await groups()).not.toContain('wardle.example.com'));
  expect((await server.call('GET', `${base}/flunders`)).code).toBe(404);
});

test('resources in aggregated discovery, converted from the older form', async () => {
  await start();
  const { documents: remote } = server.server.aggregation;
  const api = server.server.aggregation.find('wardle.example.com', 'v1alpha1')!;
  expect(await remote.discovery(api)).toEqual({
    version: 'v1alpha1',
    freshness: 'Current',
    resources: [
      {
        resource: 'flunders',
        responseKind: { group: 'wardle.example.com', version: 'v1alpha1', kind: 'Flunder' },
        scope: 'Namespaced',
        singularResource: 'flunder',
        verbs: ['get', 'list'],
      },
    ],
  });
});

test('thousands of resources are converted in linear time, and deep or large documents are none', async () => {
  await start();
  const resources = Array.from({ length: 40_000 }, (_, i) => [{ name: `r${i}` }, { name: `r${i}/status` }]).flat();
  documents[base] = { resources };
  documents['/openapi/v2'] = `{"paths":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}}`;
  documents['/openapi/v3'] = `{"paths":{},"more":"${'x'.repeat(5 << 20)}"}`;
  const remote = new RemoteDocuments(() => server.server);
  const api = server.server.aggregation.find('wardle.example.com', 'v1alpha1')!;
  const before = process.cpuUsage();
  const { resources: converted } = await remote.discovery(api);
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1_000).toBeLessThan(2_000);
  expect(converted).toHaveLength(40_000);
  expect(converted[7]).toMatchObject({ resource: 'r7', subresources: [{ subresource: 'status' }] });
  expect(await remote.openapiV2(api)).toBeUndefined();
  expect(await remote.openapiHash(api)).toBeUndefined();
});

test('is available with an answer that does not end', async () => {
  documents[base] = 'endless';
  await start();
});

test('an in-process watch reads the lines of its stream', async () => {
  await start();
  documents[`${base}/flunders`] =
    '{"type":"ADDED","object":{"metadata":{"name":"a"}}}\n{"type":"DELETED","object":{"metadata":{"name":"a"}}}\n';
  expect(await server.watched(`${base}/flunders`, 2)).toEqual(['ADDED a', 'DELETED a']);
});

test('a line of an in-process watch is bounded', async () => {
  await start();
  documents[`${base}/flunders`] = 'x'.repeat(5 << 20);
  await expect(server.watched(`${base}/flunders`, 1, 8_000)).rejects.toThrow('a line of the watch has more than 4 MiB');
});

test('names of users, groups and extra fields as headers', () => {
  const extra = { 'scopes/ä': ['view', 'edit'], plain: ['x'] };
  expect(userHeaders({ name: 'jörg', uid: '7', groups: ['a', 'b'], extra })).toEqual({
    'x-remote-user': 'j\u00c3\u00b6rg',
    'x-remote-uid': '7',
    'x-remote-group': ['a', 'b'],
    'x-remote-extra-scopes%2F%C3%A4': ['view', 'edit'],
    'x-remote-extra-plain': ['x'],
  });
});

test('the server of the API gets the context of the span of the request', async () => {
  await server.stop();
  const url = 'http://127.0.0.1:1/v1/traces';
  const tracing = await openTracing({
    ...{ url, samplingRatePerMillion: 0, clock: systemClock, logger: silentLogger, instance: 'one' },
  });
  server = await startTestServer({ tracing });
  await start();
  await server.call('GET', `${base}/namespaces/default/flunders`);
  expect(asked[0].headers['traceparent']).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
});
