import { connect as connectH2 } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { createServer as createTlsServer } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Listener } from '../kube-apiserver.ts';
import { readProtobuf } from '../protobuf/protobuf.ts';
import { type TestPair, testAuthority } from '../testing/test-certificates.ts';
import { configMap, pod, startTestServer, type TestServer } from '../testing/test-server.ts';

type Pair = TestPair;

async function certificates(): Promise<{ ca: string; server: Pair; admin: Pair; foreign: Pair }> {
  const [own, other] = [await testAuthority(), await testAuthority()];
  return {
    ca: own.ca,
    server: await own.issue('CN=server', ['127.0.0.1']),
    admin: await own.issue('CN=jane,O=crew'),
    foreign: await other.issue('CN=eve,O=system:masters'),
  };
}

let made: Awaited<ReturnType<typeof certificates>>;
let server: TestServer;
let listener: Listener;

beforeAll(async () => {
  made = await certificates();
  server = await startTestServer();
  listener = await server.listen({ port: 0, tls: { ...made.server, clientCa: made.ca } });
});
afterAll(() => server.stop());

interface Asked {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
  readonly as?: Pair;
}

function ask({ method = 'GET', path, headers = {}, body, as = made.admin }: Asked) {
  return new Promise<{ code: number; headers: Record<string, any>; bytes: Buffer; text: string; json: () => any }>(
    (resolve, reject) => {
      const request = httpsRequest(
        `${listener.url}${path}`,
        { method, headers, ca: made.ca, ...as, agent: false },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk) => chunks.push(chunk));
          response.on('end', () => {
            const bytes = Buffer.concat(chunks);
            const text = bytes.toString();
            const { statusCode = 0, headers } = response;
            resolve({ code: statusCode, headers, bytes, text, json: () => JSON.parse(text) });
          });
        },
      );
      request.on('error', reject);
      request.end(body);
    },
  );
}

const maps = '/api/v1/namespaces/default/configmaps';
const json = { 'Content-Type': 'application/json' };

describe('identity', () => {
  const review = {
    method: 'POST',
    path: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
    headers: json,
    body: '{}',
  };

  test('is in the certificate', async () => {
    const { userInfo } = (await ask(review)).json().status;
    expect(userInfo).toMatchObject({ username: 'jane', groups: ['crew', 'system:authenticated'] });
  });

  test('is refused with a certificate of another authority', async () => {
    expect((await ask({ ...review, as: made.foreign })).json()).toMatchObject({ code: 401, reason: 'Unauthorized' });
  });

  test('is anonymous without any credentials', async () => {
    const { userInfo } = (await ask({ ...review, as: {} as Pair })).json().status;
    expect(userInfo).toEqual({ username: 'system:anonymous', groups: ['system:unauthenticated'] });
  });

  test('is refused with unknown credentials', async () => {
    const answer = await ask({ ...review, as: {} as Pair, headers: { ...json, Authorization: 'Bearer nonsense' } });
    expect(answer.json()).toMatchObject({ code: 401, reason: 'Unauthorized', message: 'Unauthorized' });
  });

  test('may impersonate', async () => {
    const headers = { ...json, 'Impersonate-User': 'bob', 'Impersonate-Group': 'staff' };
    const classified = vi.spyOn(server.server.fairness, 'admit');
    const { userInfo } = (await ask({ ...review, headers })).json().status;
    expect(userInfo).toEqual({ username: 'bob', groups: ['staff', 'system:authenticated'] });
    // As in Kubernetes, flow schemas see the impersonated user.
    expect(classified.mock.lastCall?.[0].user.name).toBe('bob');
    classified.mockRestore();
  });
});

describe('bodies', () => {
  test.each([
    { case: 'broken JSON', body: '{', code: 400, says: 'unexpected end of JSON input' },
    {
      case: 'YAML',
      type: 'application/yaml',
      body: 'metadata: {name: yaml}\ndata: {a: "1"}\n',
      code: 201,
      says: '"name":"yaml"',
    },
    {
      case: 'XML',
      type: 'application/xml',
      body: '<a/>',
      code: 415,
      says: 'the body of the request was in an unknown format',
    },
    {
      case: 'four megabytes',
      body: JSON.stringify(configMap('big', {}, { a: 'x'.repeat(4 << 20) })),
      code: 413,
      says: 'Request entity too large: limit is 3145728',
    },
  ])('$case', async ({ type = 'application/json', body, code, says }) => {
    const answer = await ask({ method: 'POST', path: maps, headers: { 'Content-Type': type }, body });
    expect(answer.code).toBe(code);
    expect(answer.text).toContain(says);
  });

  test('protobuf, as typed Go clients send it', async () => {
    const field = (number: number, value: Buffer | string) => {
      const bytes = Buffer.from(value);
      return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
    };
    const raw = Buffer.concat([field(1, field(1, 'proto')), field(2, Buffer.concat([field(1, 'k'), field(2, 'v')]))]);
    const type = Buffer.concat([field(1, 'v1'), field(2, 'ConfigMap')]);
    const body = Buffer.concat([Buffer.from('k8s\0'), field(1, type), field(2, raw)]);
    const headers = {
      'Content-Type': 'application/vnd.kubernetes.protobuf',
      Accept: 'application/vnd.kubernetes.protobuf,application/json',
    };
    const answer = await ask({ method: 'POST', path: maps, headers, body });
    expect(answer.headers['content-type']).toBe('application/vnd.kubernetes.protobuf');
    expect(readProtobuf(answer.bytes)).toMatchObject({
      kind: 'ConfigMap',
      metadata: { name: 'proto', uid: expect.any(String) },
      data: { k: 'v' },
    });
  });

  test('unknown fields are warned of', async () => {
    const body = JSON.stringify({ ...configMap('warned'), shade: 1 });
    const { headers } = await ask({ method: 'POST', path: maps, headers: json, body });
    expect(headers.warning).toBe('299 - "unknown field \\"shade\\""');
  });

  test('warnings are UTF-8, and have no control characters', async () => {
    const body = JSON.stringify({ ...configMap('coloured'), 'grün☃\u0085': 1 });
    const { headers } = await ask({ method: 'POST', path: maps, headers: json, body });
    const text = Buffer.from(String(headers.warning), 'latin1').toString();
    expect(text).toBe('299 - "unknown field \\"grün☃ \\""');
  });
});

describe('answers in protobuf', () => {
  const headers = { Accept: 'application/vnd.kubernetes.protobuf,application/json' };
  const only = { Accept: 'application/vnd.kubernetes.protobuf' };
  const asMetadata = (kind: string) => ({
    Accept: `application/vnd.kubernetes.protobuf;as=${kind};g=meta.k8s.io;v=v1`,
  });

  test('an object and a list are those of JSON', async () => {
    await ask({ method: 'POST', path: maps, headers: json, body: JSON.stringify(configMap('listed')) });
    const object = await ask({ path: `${maps}/listed`, headers: only });
    expect(readProtobuf(object.bytes)).toEqual((await ask({ path: `${maps}/listed` })).json());
    const list = await ask({ path: maps, headers });
    const { items, ...whole } = (await ask({ path: maps })).json();
    expect(readProtobuf(list.bytes)).toEqual({ ...whole, items });
  });

  test('an error is a Status', async () => {
    const { code, bytes } = await ask({ path: `${maps}/missing`, headers });
    expect(code).toBe(404);
    expect(readProtobuf(bytes)).toMatchObject({ kind: 'Status', reason: 'NotFound', details: { name: 'missing' } });
  });

  test('metadata alone', async () => {
    const object = await ask({ path: `${maps}/listed`, headers: asMetadata('PartialObjectMetadata') });
    expect(readProtobuf(object.bytes)).toMatchObject({ kind: 'PartialObjectMetadata', metadata: { name: 'listed' } });
    const list: any = readProtobuf((await ask({ path: maps, headers: asMetadata('PartialObjectMetadataList') })).bytes);
    expect(list.items.map(({ metadata }: any) => metadata.name)).toContain('listed');
  });

  test('a watch is frames of events', async () => {
    const path = `${maps}?watch=true&timeoutSeconds=1&fieldSelector=metadata.name=listed`;
    const { bytes, headers: answered } = await ask({ path, headers });
    expect(answered['content-type']).toBe('application/vnd.kubernetes.protobuf;stream=watch');
    const length = bytes.readUInt32BE(0);
    const event = bytes.subarray(4, 4 + length);
    expect(event.subarray(0, 7).toString('latin1')).toBe('\n\x05ADDED');
    expect(readProtobuf(event.subarray(event.indexOf('k8s\0')))).toMatchObject({ metadata: { name: 'listed' } });
  });

  test('a table is refused, and JSON is taken where it is accepted too', async () => {
    expect((await ask({ path: maps, headers: asMetadata('Table') })).code).toBe(406);
    const Accept = `${asMetadata('Table').Accept},application/json`;
    expect((await ask({ path: maps, headers: { Accept } })).json().kind).toBe('ConfigMapList');
  });

  test('custom resources have no such form', async () => {
    const names = { plural: 'tabs', singular: 'tab', kind: 'Tab', listKind: 'TabList' };
    const schema = { openAPIV3Schema: { type: 'object' } };
    const body = JSON.stringify({
      metadata: { name: 'tabs.example.com' },
      spec: {
        group: 'example.com',
        scope: 'Cluster',
        names,
        versions: [{ name: 'v1', served: true, storage: true, schema }],
      },
    });
    const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
    await ask({ method: 'POST', path: crds, headers: json, body });
    const path = '/apis/example.com/v1/tabs';
    await vi.waitUntil(async () => (await ask({ path })).code === 200);
    expect((await ask({ path, headers })).json().kind).toBe('TabList');
    expect((await ask({ path, headers: only })).json()).toMatchObject({
      code: 406,
      message: 'only the following media types are accepted: application/json, application/yaml',
    });
  });
});

test('a review has no table', async () => {
  const Accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
  const body = JSON.stringify({ spec: { resourceAttributes: { verb: 'get', resource: 'pods' } } });
  const answer = await ask({ method: 'POST', path, headers: { ...json, Accept }, body });
  expect(answer.json()).toMatchObject({ kind: 'Status', code: 406, reason: 'NotAcceptable' });
});

describe('answers', () => {
  test.each([
    { accept: 'application/json', type: 'application/json', has: '"kind":"ConfigMapList"' },
    { accept: 'application/yaml', type: 'application/yaml', has: 'kind: ConfigMapList' },
    { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io', type: 'application/json', has: '"kind":"Table"' },
    {
      accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
      type: 'application/json',
      has: '"kind":"PartialObjectMetadataList"',
    },
    { accept: 'text/html,application/json;q=0.5', type: 'application/json', has: '"kind":"ConfigMapList"' },
    { accept: 'application/xml', type: 'application/json', has: '"code":406' },
  ])('$accept', async ({ accept, type, has }) => {
    const { headers, text } = await ask({ path: maps, headers: { Accept: accept } });
    expect(headers['content-type']).toBe(type);
    expect(text).toContain(has);
    expect(headers['audit-id']).toBeTruthy();
  });

  test('a long list comes whole, in pieces or at once', async () => {
    const blob = 'x'.repeat(20_000);
    for (let i = 0; i < 60; i++)
      await server.call('POST', maps, configMap(`long-${i}`, { labels: { long: 'yes' } }, { blob }));
    const { json: list, headers } = await ask({ path: `${maps}?labelSelector=long%3Dyes` });
    expect(Number(headers['content-length'])).toBeGreaterThan(1 << 20);
    const { items } = list();
    expect(items).toHaveLength(60);
    for (const item of items) {
      expect(item).not.toHaveProperty('kind');
      expect(item.data.blob).toBe(blob);
      expect(item.metadata.resourceVersion).toMatch(/^\d+$/);
    }
  });

  test.each([
    { method: 'GET', path: '/nowhere', code: 404, says: '404 page not found' },
    { method: 'GET', path: '/apis/none.test/v1/things', code: 404, says: '404 page not found' },
    { method: 'GET', path: '/api/v1/things', code: 404, says: 'the server could not find the requested resource' },
    {
      method: 'POST',
      path: '/api/v1/configmaps',
      code: 405,
      says: 'the server does not allow this method on the requested resource',
    },
    { method: 'GET', path: '/readyz', code: 200, says: 'ok' },
    { method: 'GET', path: '/version', code: 200, says: '"minor": "36"' },
    { method: 'GET', path: '/apis', code: 200, says: '"APIGroupList"' },
    { method: 'GET', path: '/openapi/v3', code: 200, says: '/openapi/v3/apis/apps/v1?hash=' },
    {
      method: 'GET',
      path: '/openapi/v3/apis/apps/v1',
      code: 200,
      says: '#/components/schemas/io.k8s.api.apps.v1.DeploymentSpec',
    },
    { method: 'GET', path: '/metrics', code: 200, says: 'apiserver_request_total{' },
    {
      method: 'GET',
      path: '/metrics?name[]=apiserver_request_total&by[apiserver_request_total]=verb,code',
      code: 200,
      says: '\napiserver_request_total{code="200",verb="GET"} ',
    },
  ])('$method $path is $code', async ({ method, path, code, says }) => {
    const answer = await ask({ method, path, headers: { Accept: 'application/json' } });
    expect(answer.code).toBe(code);
    expect(answer.text).toContain(says);
  });

  test('HTTP/2 carries many requests, and a watch that ends with the client', async () => {
    const session = connectH2(listener.url, { ca: made.ca, ...made.admin });
    const get = (path: string) =>
      new Promise<string>((resolve) => {
        const stream = session.request({ ':path': path });
        let text = '';
        stream.setEncoding('utf8').on('data', (chunk) => {
          text += chunk;
          if (path.includes('watch') && text.includes('\n')) stream.close();
        });
        stream.on('close', () => resolve(text));
      });
    const texts = await Promise.all([get(`${maps}/proto`), get('/healthz'), get(`${maps}?watch=true`)]);
    expect(JSON.parse(texts[0]).metadata.name).toBe('proto');
    expect(texts[1]).toBe('ok');
    expect(JSON.parse(texts[2].split('\n')[0]).type).toBe('ADDED');
    session.close();
    await expect
      .poll(() => server.server.cache.all.find(({ prefix }) => prefix === '/registry/configmaps/')?.watcherCount)
      .toBe(0);
  });
});

describe('the way to a kubelet', () => {
  test('exec is passed on as it comes, with the names that kubelets use', async () => {
    let heard = '';
    const kubelet = createTlsServer({ ...made.server }, (socket) => {
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        heard += chunk;
        if (heard.endsWith('\r\n\r\n'))
          socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n');
        else socket.end('pong');
      });
    });
    await new Promise<void>((resolve) => kubelet.listen(0, '127.0.0.1', resolve));
    const { port } = kubelet.address() as { port: number };
    await server.call('POST', '/api/v1/nodes', { metadata: { name: 'n' } });
    const status = {
      addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
      daemonEndpoints: { kubeletEndpoint: { Port: port } },
    };
    await server.call('PATCH', '/api/v1/nodes/n/status', { status }, { contentType: 'application/merge-patch+json' });
    await server.call('POST', '/api/v1/namespaces/default/pods', pod('p', { nodeName: 'n' }));
    const answer = await new Promise<string>((resolve, reject) => {
      const request = httpsRequest(
        `${listener.url}/api/v1/namespaces/default/pods/p/exec?command=ls&command=-l&stdout=true&stdin=false`,
        {
          method: 'POST',
          headers: { Connection: 'Upgrade', Upgrade: 'SPDY/3.1', 'X-Stream-Protocol-Version': 'v4.channel.k8s.io' },
          ca: made.ca,
          ...made.admin,
          agent: false,
        },
      );
      request.on('upgrade', (_, socket) => {
        socket.write('ping');
        socket.on('data', (chunk: Buffer) => resolve(chunk.toString()));
      });
      request.on('response', (response) => reject(new Error(String(response.statusCode))));
      request.on('error', reject);
      request.end();
    });
    expect(answer).toBe('pong');
    expect(heard).toContain('POST /exec/default/p/c?command=ls&command=-l&output=1 HTTP/1.1');
    expect(heard).toContain('X-Stream-Protocol-Version: v4.channel.k8s.io');
    expect(heard).toContain('ping');
    kubelet.close();
  });

  test.each([
    {
      path: '/api/v1/namespaces/default/pods/p/log?container=zz',
      code: 400,
      says: 'container zz is not valid for pod p',
    },
    {
      path: '/api/v1/namespaces/default/pods/p/log?tailLines=-1',
      code: 422,
      says: 'tailLines: Invalid value: -1: must be greater than or equal to 0',
    },
    { path: '/api/v1/namespaces/default/pods/none/log', code: 404, says: 'pods "none" not found' },
  ])('$path is $code', async ({ path, code, says }) => {
    expect((await ask({ path })).json()).toMatchObject({ code, message: expect.stringContaining(says) });
  });
});
