import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { Listener } from '../kube-apiserver.ts';
import { configMap, startTestServer, type TestServer } from '../testing/test-server.ts';
import { streamOverWebSocket } from './websocket.ts';

let server: TestServer;
let listener: Listener;
beforeAll(async () => {
  server = await startTestServer();
  listener = await server.listen({ port: 0 });
});
afterAll(() => server.stop());

test('a watch sends one message an event', async () => {
  const url = `${listener.url.replace('http', 'ws')}/api/v1/namespaces/default/configmaps?watch=true`;
  const client = new WebSocket(url);
  const events: string[] = [];
  client.on('message', (data, isBinary) => {
    const { type, object } = JSON.parse(String(data));
    events.push(`${isBinary} ${type} ${object.metadata.name}`);
  });
  await new Promise((resolve, reject) => client.once('open', resolve).once('error', reject));
  await server.call('POST', '/api/v1/namespaces/default/configmaps', configMap('over-websocket'));
  await expect.poll(() => events).toContain('false ADDED over-websocket');
  client.close();
});

test('errors before the upgrade are plain HTTP responses', async () => {
  const client = new WebSocket(`${listener.url.replace('http', 'ws')}/api/v1/namespaces/default/pods/none/log`);
  const code = await new Promise((resolve) =>
    client.once('unexpected-response', (_, response) => resolve(response.statusCode)).on('error', () => {}),
  );
  expect(code).toBe(404);
});

test.each([
  ['binary.k8s.io', true, 'one'],
  ['base64.binary.k8s.io', false, Buffer.from('one').toString('base64')],
  [undefined, true, 'one'],
])('a log as %s', async (protocol, binary, text) => {
  async function* body() {
    yield Buffer.from('one');
  }
  const web = createServer().on(
    'upgrade',
    (request, socket, head) =>
      void streamOverWebSocket(request, socket, head, { type: 'raw', code: 200, contentType: '', body: body() }),
  );
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  try {
    const client = new WebSocket(`ws://127.0.0.1:${(web.address() as AddressInfo).port}/`, protocol ? [protocol] : []);
    const received: [boolean, string][] = [];
    client.on('message', (data, isBinary) => received.push([isBinary, String(data)]));
    expect(await new Promise((resolve) => client.once('close', resolve))).toBe(1000);
    expect(received).toEqual([
      [binary, ''],
      [binary, text],
    ]);
  } finally {
    web.close();
  }
});
