// The request as a proxied pod, service or node gets it, and the client's response: over HTTP/1.1 and HTTP/2.

import { once } from 'node:events';
import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type Server,
  type ServerResponse,
} from 'node:http';
import { connect as connectH2 } from 'node:http2';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClient } from '../../client/client.ts';
import type { Listener } from '../kube-apiserver.ts';
import { testAuthority } from '../testing/test-certificates.ts';
import { pod, startTestServer, type TestServer } from '../testing/test-server.ts';

/** The API server refuses to proxy to the loopback interface. */
const ownAddress = Object.values(networkInterfaces())
  .flat()
  .find((one) => one?.family === 'IPv4' && !one.internal)?.address as string;

const ns = '/api/v1/namespaces/default';

let server: TestServer;
let plain: Listener;
let secure: Listener;
let ca: string;
let backend: Server;
let port: number;
/** The backend's last request, and its next steps. */
let seen: { line: string; headers: IncomingHttpHeaders; body: string };
const events: string[] = [];

beforeAll(async () => {
  const authority = await testAuthority();
  ca = authority.ca;
  server = await startTestServer({
    authenticators: [{ name: 'test', authenticate: async () => ({ name: 'jane', groups: ['system:masters'] }) }],
  });
  const own = await authority.issue('CN=server', ['127.0.0.1']);
  plain = await server.listen({ port: 0 });
  secure = await server.listen({ port: 0, tls: { ...own, clientCa: ca } });
  backend = createServer(async (incoming, outgoing) => {
    const line = `${incoming.method} ${incoming.url}`;
    if (incoming.url === '/flood') return flood(outgoing);
    if (incoming.url === '/ticks') return ticks(incoming.socket, outgoing);
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk);
    seen = { line, headers: incoming.headers, body: Buffer.concat(chunks).toString() };
    if (incoming.url?.startsWith('/to?')) {
      outgoing.writeHead(302, { Location: decodeURIComponent(incoming.url.slice(4)) });
      return outgoing.end('elsewhere');
    }
    if (incoming.url === '/page') {
      outgoing.writeHead(200, { 'Content-Type': 'text/html', 'Content-Length': '16' });
      return outgoing.end('<a href="/b">b</');
    }
    if (incoming.url === '/short') {
      outgoing.writeHead(200, { 'Content-Length': '1000' });
      outgoing.write('short', () => incoming.socket.destroy());
      return undefined;
    }
    outgoing.writeHead(incoming.url === '/teapot' ? 418 : 200, [
      ...['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'Cache-Control', 'max-age=5', 'Keep-Alive', 'timeout=9'],
      ...['X-Own', 'kept', 'Connection', 'X-Hop', 'X-Hop', 'dropped', 'Access-Control-Allow-Origin', '*'],
      ...['Content-Type', 'text/plain', 'Content-Length', String(line.length)],
    ]);
    return outgoing.end(line);
  });
  backend.on('upgrade', (incoming, socket: Socket) => {
    seen = { line: `${incoming.method} ${incoming.url}`, headers: incoming.headers, body: '' };
    if (incoming.url === '/no') return socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno!');
    if (incoming.url === '/plain') return socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello ');
    socket.on('error', () => {});
    socket.on('close', () => events.push('upgraded connection closed'));
    return socket.pipe(socket);
  });
  backend.listen(0, ownAddress);
  await once(backend, 'listening');
  ({ port } = backend.address() as AddressInfo);
  await makeTargets();
});

afterAll(async () => {
  backend?.closeAllConnections();
  backend?.close();
  await server?.stop();
});

async function makeTargets() {
  const status = async (path: string, value: object) =>
    server.call('PATCH', `${path}/status`, { status: value }, { contentType: 'application/merge-patch+json' });
  const containers = [{ name: 'c', image: 'registry.test/c:1', ports: [{ containerPort: port }] }];
  await server.call('POST', `${ns}/pods`, pod('p', { containers }));
  await status(`${ns}/pods/p`, { podIP: ownAddress, podIPs: [{ ip: ownAddress }] });
  await server.call('POST', `${ns}/services`, {
    metadata: { name: 's' },
    spec: { ports: [{ name: 'web', port: 443 }] },
  });
  await server.call('POST', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', {
    metadata: { name: 's', labels: { 'kubernetes.io/service-name': 's' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [ownAddress], targetRef: { kind: 'Pod', namespace: 'default', name: 'p' } }],
    ports: [{ name: 'web', port }],
  });
  await server.call('POST', '/api/v1/nodes', { metadata: { name: 'n' } });
  await status('/api/v1/nodes/n', { addresses: [{ type: 'InternalIP', address: ownAddress }] });
}

/** An endless response. */
function ticks(socket: Socket, outgoing: { write(text: string): void }) {
  socket.on('close', () => events.push('ticks ended'));
  outgoing.write('tick');
}

/** As fast as it is read. */
function flood(outgoing: ServerResponse) {
  const chunk = Buffer.alloc(1 << 20, 'x');
  const more = () => {
    while (outgoing.write(chunk));
  };
  outgoing.on('drain', more);
  outgoing.on('close', () => events.push('flood ended'));
  more();
}

interface Answer {
  readonly code: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Over HTTP/1.1; never follows a redirect. */
function send(method: string, path: string, headers: Record<string, string> = {}, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(`${plain.url}${path}`, { method, headers, agent: false });
    outgoing.on('response', async (incoming) => {
      try {
        const chunks: Buffer[] = [];
        for await (const chunk of incoming) chunks.push(chunk);
        const text = Buffer.concat(chunks).toString();
        resolve({ code: incoming.statusCode ?? 0, headers: incoming.headers, body: text });
      } catch (error) {
        reject(error);
      }
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** Over HTTP/2, as client-go does. */
async function sendH2(method: string, path: string, headers: Record<string, string> = {}, body?: string) {
  const session = connectH2(secure.url, { ca });
  try {
    const stream = session.request({ ':method': method, ':path': path, ...headers }, { endStream: body === undefined });
    if (body !== undefined) stream.end(body);
    const [answer] = await once(stream, 'response');
    let text = '';
    for await (const chunk of stream) text += chunk;
    return { code: Number(answer[':status']), headers: answer as IncomingHttpHeaders, body: text };
  } finally {
    session.destroy();
  }
}

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'];
const targets = () =>
  [`${ns}/pods/p/proxy`, `${ns}/pods/http:p:${port}/proxy`, `${ns}/services/s:web/proxy`].concat(
    `${ns}/services/s:443/proxy`,
    `/api/v1/nodes/n:${port}/proxy`,
  );

describe.each([
  ['HTTP/1.1', send],
  ['HTTP/2', sendH2],
])('over %s', (_, call) => {
  test.each(methods)('%s reaches pod, service and node', async (method) => {
    for (const target of targets()) {
      const path = '/some/path%2Fwith//x%20y/?q=a%20b+c&d=%2F&d=2&empty=&x';
      const { code, body } = await call(method, `${target}${path}`);
      expect({ target, code, body }).toEqual({ target, code: 200, body: method === 'HEAD' ? '' : `${method} ${path}` });
      expect(seen.line).toBe(`${method} ${path}`);
    }
  });

  test.each(methods)('%s without a path', async (method) => {
    for (const target of targets()) {
      const { code, headers } = await call(method, `${target}?method=${method}`);
      if (['GET', 'HEAD'].includes(method)) {
        expect({ code, location: headers.location }).toEqual({ code: 301, location: `${target}/?method=${method}` });
        expect(headers['content-type']).toBeUndefined();
      } else expect({ code, line: seen.line }).toEqual({ code: 200, line: `${method} /?method=${method}` });
    }
  });

  test('bodies of any size pass, with and without a length', async () => {
    const body = 'x'.repeat(5 << 20);
    const told: Record<string, string> = { 'content-length': String(body.length) };
    for (const headers of [{}, told]) {
      expect((await call('POST', `${ns}/pods/p/proxy/upload`, headers, body)).code).toBe(200);
      expect(seen.body.length).toBe(body.length);
    }
    expect((await call('DELETE', `${ns}/pods/p/proxy/x`, { 'content-length': '3' }, 'why')).code).toBe(200);
    expect(seen.body).toBe('why');
  });

  test('headers of the connection and of the API server are not forwarded', async () => {
    const { headers, code } = await call('GET', `${ns}/pods/p/proxy/teapot`, {
      authorization: 'Bearer secret',
      'x-remote-user': 'eve',
      'x-own': 'kept',
      'x-forwarded-for': '192.0.2.7',
      ...(call === send && { connection: 'keep-alive, x-hop', 'x-hop': 'dropped', 'proxy-authorization': 'secret' }),
    });
    expect(code).toBe(418);
    expect(seen.headers).toMatchObject({
      'x-own': 'kept',
      'x-forwarded-for': '192.0.2.7, 127.0.0.1',
      'x-forwarded-uri': `${ns}/pods/p/proxy/teapot`,
      host: new URL(call === send ? plain.url : secure.url).host,
    });
    for (const name of ['authorization', 'x-remote-user', 'x-hop', 'proxy-authorization'])
      expect(seen.headers).not.toHaveProperty(name);
    expect(headers).toMatchObject({ 'set-cookie': ['a=1', 'b=2'], 'x-own': 'kept', 'content-type': 'text/plain' });
    expect(headers['cache-control']).toBe('no-cache, private, max-age=5');
    expect(headers['content-length']).toBe('11');
    for (const name of ['x-hop', 'access-control-allow-origin']) expect(headers).not.toHaveProperty(name);
    expect(headers['keep-alive'] ?? '').not.toContain('timeout=9');
  });

  test.each([
    ['/a/', `${ns}/pods/p/proxy/a/`],
    ['a', 'a'],
    ['https://example.com/a', 'https://example.com/a'],
  ])('a redirect to %s is the client’s to follow', async (to, location) => {
    const answer = await call('GET', `${ns}/pods/p/proxy/to?${encodeURIComponent(to)}`);
    expect([answer.code, answer.headers.location, answer.body]).toEqual([302, location, 'elsewhere']);
  });

  test('links in a page lead through the proxy', async () => {
    const { body, headers } = await call('GET', `${ns}/services/s:web/proxy/page`);
    expect(body).toBe(`<a href="${ns}/services/s:web/proxy/b">b</`);
    expect(headers).not.toHaveProperty('content-length');
    expect(await call('HEAD', `${ns}/services/s:web/proxy/page`)).toMatchObject({ code: 200, body: '' });
  });

  test('a redirect to the backend’s own address leads through the proxy', async () => {
    const to = encodeURIComponent(`http://${ownAddress}:${port}/a`);
    expect((await call('GET', `${ns}/services/s:web/proxy/to?${to}`)).headers.location).toBe(
      `${ns}/services/s:web/proxy/a`,
    );
  });
});

describe('errors', () => {
  const message = async (path: string, method = 'GET') => {
    const { code, body } = await send(method, path);
    return `${code} ${JSON.parse(body).message}`;
  };

  test("have Kubernetes' messages", async () => {
    const closed = createTcpServer((socket) => socket.destroy()).listen(0, ownAddress);
    await once(closed, 'listening');
    const at = (closed.address() as AddressInfo).port;
    const why = '503 error trying to reach service:';
    expect(await message(`${ns}/pods/p:${at}/proxy/`)).toMatch(
      /^503 error trying to reach service: (EOF|read: connection reset by peer)$/,
    );
    closed.close();
    await once(closed, 'close');
    expect(await message(`${ns}/pods/p:${at}/proxy/`)).toBe(
      `${why} dial tcp ${ownAddress}:${at}: connect: connection refused`,
    );
    expect(await message(`${ns}/pods/https:p:${port}/proxy/`)).toBe(
      `${why} tls: first record does not look like a TLS handshake`,
    );
    expect(await message(`${ns}/pods/p/proxy/x?dryRun=All`, 'POST')).toBe('400 dryRun is not supported');
    expect(await message(`${ns}/pods/none/proxy`)).toBe('404 pods "none" not found');
    expect(await message(`${ns}/pods/p/proxy/to?${encodeURIComponent('/%zz')}`)).toContain(
      '500 Internal error occurred: error trying to parse Location header',
    );
    expect((await send('TRACE', `${ns}/pods/p/proxy/x`)).code).toBe(405);
  });

  test('an answer that breaks off does not look whole', async () => {
    await expect(send('GET', `${ns}/pods/p/proxy/short`)).rejects.toThrow();
  });

  test("a client's disconnect ends the backend's request", async () => {
    events.length = 0;
    const outgoing = httpRequest(`${plain.url}${ns}/pods/p/proxy/ticks`, { agent: false });
    outgoing.on('error', () => {});
    outgoing.end();
    const [incoming] = await once(outgoing, 'response');
    expect(String((await once(incoming, 'data'))[0])).toBe('tick');
    outgoing.destroy();
    await expect.poll(() => events).toContain('ticks ended');
  });
});

test('a backend over TLS is used by its scheme, with any certificate', async () => {
  const authority = await testAuthority();
  const own = await authority.issue('CN=backend', ['192.0.2.1']);
  const tls = createSecureServer(own, (incoming, outgoing) => outgoing.end(`${incoming.method} ${incoming.url}`));
  tls.listen(0, ownAddress);
  await once(tls, 'listening');
  try {
    const at = (tls.address() as AddressInfo).port;
    const answer = await send('PUT', `${ns}/pods/https:p:${at}/proxy/a?b`, {}, 'body');
    expect([answer.code, answer.body]).toEqual([200, 'PUT /a?b']);
  } finally {
    tls.closeAllConnections();
    tls.close();
  }
});

describe('upgrades', () => {
  const upgrade = (path: string) =>
    connect(plain.port, '127.0.0.1')
      .setEncoding('utf8')
      .on('error', () => {})
      .on('connect', function (this: Socket) {
        this.write(
          `GET ${ns}/pods/p/proxy${path} HTTP/1.1\r\nHost: api.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n` +
            'Authorization: Bearer secret\r\nX-Own: kept\r\n\r\n',
        );
      });

  async function read(socket: Socket, until: string): Promise<string> {
    let text = '';
    socket.on('data', (chunk) => (text += chunk));
    await expect.poll(() => text).toContain(until);
    return text;
  }

  test('pass both ways until one side ends', async () => {
    events.length = 0;
    const socket = upgrade('/up?a=%2F');
    expect(await read(socket, 'hello ')).toMatch(/^HTTP\/1.1 101 Switching Protocols\r\n/);
    expect(seen).toMatchObject({
      line: 'GET /up?a=%2F',
      headers: { host: 'api.test', 'x-own': 'kept', upgrade: 'echo' },
    });
    expect(seen.headers).not.toHaveProperty('authorization');
    socket.write('there');
    await read(socket, 'there');
    socket.destroy();
    await expect.poll(() => events).toContain('upgraded connection closed');
  });

  test('are refused by the backend itself', async () => {
    expect(await read(upgrade('/no'), 'no!')).toMatch(/^HTTP\/1.1 403 Forbidden\r\n/);
  });

  test('that the backend does not make are an error', async () => {
    const text = await read(upgrade('/plain'), '}');
    expect(text).toMatch(/^HTTP\/1.1 500 /);
    expect(text).toContain('"message":"invalid upgrade response: status code 200"');
  });

  test('without a reachable backend are an error', async () => {
    const socket = connect(plain.port, '127.0.0.1').setEncoding('utf8');
    socket.write(`GET ${ns}/pods/p:1/proxy/ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n`);
    expect(await read(socket, '}')).toContain(
      `error dialing backend: dial tcp ${ownAddress}:1: connect: connection refused`,
    );
  });
});

describe('a component of the same process', () => {
  const path = `${ns}/pods/p/proxy`;

  test('is not filled by an answer without an end', async () => {
    const client = createClient(server.transport({ name: 'component', groups: ['system:masters'] }));
    const before = process.memoryUsage.rss();
    await expect(client.raw('GET', `${path}/flood`)).rejects.toThrow('the answer has more than 16 MiB');
    await expect.poll(() => events).toContain('flood ended');
    expect(process.memoryUsage.rss() - before).toBeLessThan(300 * 2 ** 20);
  });

  test('ends a request that it does not wait for', async () => {
    events.length = 0;
    const client = createClient(server.transport({ name: 'component', groups: ['system:masters'] }));
    const over = new AbortController();
    const answer = client.raw('GET', `${path}/ticks`, undefined, { signal: over.signal });
    setTimeout(() => over.abort(), 50);
    await expect(answer).rejects.toThrow();
    await expect.poll(() => events).toContain('ticks ended');
  });
});
