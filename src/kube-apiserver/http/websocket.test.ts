import { createServer, request } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
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

test('thousands of pings at once get few answers, and the last one gets its own', async () => {
  const headers = {
    ...{ connection: 'Upgrade', upgrade: 'websocket' },
    ...{ 'sec-websocket-version': '13', 'sec-websocket-key': Buffer.alloc(16).toString('base64') },
  };
  const asking = request(`${listener.url}/api/v1/namespaces/default/configmaps?watch=true`, { headers }).end();
  const socket = await new Promise<Socket>((resolve) =>
    asking.once('upgrade', (_, upgraded: Socket) => resolve(upgraded)),
  );
  const count = 5_000;
  const pings = Buffer.alloc(10 * count);
  for (let i = 0; i < count; i++) {
    pings.writeUInt16BE(0x8984, 10 * i); // a ping of four bytes, with a mask of zeros
    pings.writeUInt32BE(i, 10 * i + 6);
  }
  const last = Buffer.from([0x8a, 4, 0, 0, (count - 1) >> 8, (count - 1) & 0xff]);
  let received = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => (received = Buffer.concat([received, chunk])));
  socket.write(pings);
  await expect.poll(() => received.includes(last)).toBe(true);
  expect(received.length).toBeLessThan((count / 10) * last.length);
  socket.destroy();
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
