// Many requests at once on one HTTP/2 connection, as client-go sends them.

import { once } from 'node:events';
import { type ClientHttp2Session, connect } from 'node:http2';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Listener } from '../kube-apiserver.ts';
import { testAuthority } from '../testing/test-certificates.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

const maps = '/api/v1/namespaces/default/configmaps';
const objects = 8;
const objectBytes = 200_000;
const unreadLists = 90;

let server: TestServer;
let listener: Listener;
let session: ClientHttp2Session;

beforeAll(async () => {
  const authority = await testAuthority();
  const own = await authority.issue('CN=server', ['127.0.0.1']);
  server = await startTestServer();
  listener = await server.listen({ port: 0, tls: { ...own, clientCa: authority.ca } });
  const certificate = await authority.issue('CN=jane,O=crew');
  session = connect(listener.url, { ca: authority.ca, ...certificate, maxSessionMemory: 1_000 });
  session.once('connect', () => session.setLocalWindowSize(1 << 30));
});
afterAll(async () => {
  session.destroy();
  await server.stop();
});

function send(method: string, body?: string): Promise<{ code: number; bytes: number }> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':method': method, ':path': maps, 'content-type': 'application/json' });
    let code = 0;
    let bytes = 0;
    stream.on('response', (answer) => {
      code = Number(answer[':status']);
    });
    stream.on('data', (chunk) => {
      bytes += chunk.length;
    });
    stream.on('end', () => resolve({ code, bytes }));
    stream.on('error', reject);
    stream.end(body);
  });
}

test('one more request is answered beside ninety unread lists', async () => {
  const data = { a: 'x'.repeat(objectBytes) };
  for (let i = 0; i < objects; i++)
    expect((await send('POST', JSON.stringify({ metadata: { name: `m${i}` }, data }))).code).toBe(201);
  const unread = Array.from({ length: unreadLists }, () => session.request({ ':path': maps }));
  const begun = await Promise.all(unread.map((stream) => once(stream, 'response')));
  expect(begun.every(([headers]) => headers[':status'] === 200)).toBe(true);
  const { code, bytes } = await send('GET');
  expect(code).toBe(200);
  expect(bytes).toBeGreaterThan(objects * objectBytes);
  for (const stream of unread) stream.close();
});
