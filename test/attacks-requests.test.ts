// Attacks by the line and the headers of a request alone, as in attacks.test.ts: they need no rights.

import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AttackedServer, startAttackedServer } from './attacked-server.ts';

const longestWaitMs = 250;
const attempts = 4;
const objects = 3_000;

let server: AttackedServer;
const maps = '/api/v1/namespaces/default/configmaps';
const many = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
const query = (name: string, text: string) => `${maps}?${name}=${encodeURIComponent(text)}`;

beforeAll(async () => {
  server = await startAttackedServer();
  for (let from = 0; from < objects; from += 100)
    await Promise.all(
      many(100, (i) => {
        const labels = { a: 'b', name: `x${from + i}` };
        return server.send('POST', maps, JSON.stringify({ metadata: { name: `m${from + i}`, labels } }));
      }),
    );
});
afterAll(() => server.stop());

test.each<[attack: string, code: number, path: string, headers?: Record<string, string>]>([
  ['labels that are missing', 200, query('labelSelector', many(20_000, (i) => `!k${i}`).join())],
  ['one label of many values', 200, query('labelSelector', `name in (${many(50_000, (i) => `y${i}`)})`)],
  ['one label of many other values', 200, query('labelSelector', `name notin (${many(50_000, (i) => `y${i}`)})`)],
  [
    'names that an object does not have',
    200,
    query('fieldSelector', many(20_000, (i) => `metadata.name!=${i}`).join()),
  ],
  ['hundreds of thousands of labels', 200, `${maps}?labelSelector=${'a,'.repeat(450_000)}a`],
  ['labels in an odd order', 200, `${maps}?labelSelector=${many(150_000, (i) => (i * 7_919) % 150_000).join()}`],
  [
    'a list of values in an odd order',
    200,
    query('labelSelector', `a in (${many(120_000, (i) => (i * 7_919) % 120_000)})`),
  ],
  ['a list of commas', 200, query('labelSelector', `a in (${','.repeat(300_000)})`)],
  ['fields without a value', 400, `${maps}?fieldSelector=${'a=,'.repeat(300_000)}`],
  ['a version of nearly a million digits', 400, `${maps}?resourceVersion=${'9'.repeat(900_000)}`],
  ['hundreds of thousands of parameters', 400, `${maps}?${'a&'.repeat(450_000)}`],
  ['media types of rising quality', 406, maps, { accept: many(60_000, (i) => `a/b;q=0.${i}`).join() }],
  ['media types with wildcards first', 200, '/version', { accept: `${'*/*,'.repeat(90_000)}${'a/b,'.repeat(90_000)}` }],
  ['parameters of a media type', 200, '/version', { accept: `a/b${';'.repeat(900_000)}` }],
  ['spaces in credentials', 200, maps, { authorization: `Bearer${' '.repeat(900_000)}x` }],
])('%s', async (_, code, path, headers) => {
  for (let attempt = 1; ; attempt++) {
    const { waitMs, ...answer } = await server.measured(() => server.send('GET', path, undefined, '', headers));
    expect(answer.code, answer.text.slice(0, 300)).toBe(code);
    if (waitMs < longestWaitMs) return;
    if (attempt === attempts) expect(waitMs).toBeLessThan(longestWaitMs);
  }
});

const webSocket = [
  'Connection: upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
];
test.each<[form: string, lines: string[]]>([
  ['tables', ['Accept: application/json;as=Table;v=v1;g=meta.k8s.io']],
  ['messages of WebSockets', webSocket],
])('a hundred watches whose clients read no %s', async (form, lines) => {
  const name = form.split(' ')[0];
  const write = (method: string, path: string, a: string) =>
    server.send(method, path, JSON.stringify({ metadata: { name }, data: { a: a.repeat(700_000) } }));
  const { code, text } = await write('POST', maps, 'x');
  expect(code).toBe(201);
  const { resourceVersion } = JSON.parse(text).metadata;
  const path = `${maps}?watch=1&includeObject=Object&resourceVersion=${resourceVersion}`;
  const sockets = many(100, () =>
    connect(Number(server.url.port), server.url.hostname)
      .on('error', () => {})
      .pause(),
  );
  try {
    const { waitMs, megabytes } = await server.measured(async () => {
      for (const socket of sockets) socket.write([`GET ${path} HTTP/1.1`, 'Host: x', ...lines, '', ''].join('\r\n'));
      await expect
        .poll(async () => (await server.send('GET', '/metrics')).text, { timeout: 10_000 })
        .toMatch(/apiserver_longrunning_requests\{[^}]*resource="configmaps"[^}]*\} 1\d\d/);
      for (const a of ['y', 'z', 'v', 'w']) expect((await write('PUT', `${maps}/${name}`, a)).code).toBe(200);
      return server.send('GET', '/livez');
    });
    expect(megabytes).toBeLessThan(300);
    expect(waitMs).toBeLessThan(4 * longestWaitMs);
  } finally {
    for (const socket of sockets) socket.destroy();
  }
});

test('watches with long selectors', async () => {
  const keys = many(150_000, (i) => (i * 7_919) % 150_000).join();
  const sockets = many(10, () => connect(Number(server.url.port), server.url.hostname).on('error', () => {}));
  const codes: string[] = [];
  try {
    const { waitMs, megabytes } = await server.measured(async () => {
      for (const socket of sockets) {
        socket.once('data', (data) => codes.push(String(data).slice(9, 12)));
        socket.write(`GET ${maps}?watch=1&labelSelector=${keys} HTTP/1.1\r\nHost: x\r\n\r\n`);
      }
      await expect.poll(() => codes.length, { timeout: 60_000 }).toBe(sockets.length);
      return server.send('GET', '/livez');
    });
    expect(codes).toContain('200');
    expect(codes).toContain('429');
    expect(waitMs).toBeLessThan(longestWaitMs);
    expect(megabytes).toBeLessThan(300);
  } finally {
    for (const socket of sockets) socket.destroy();
  }
});
