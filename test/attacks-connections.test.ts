// Attacks by the frames and the order of requests on connections, as in attacks.test.ts: they need no rights.

import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AttackedServer, startAttackedServer } from './attacked-server.ts';
import { frame, get, openTls, preface, repeating, widen, widestWindow } from './http2-frames.ts';

const longestWaitMs = 250;
const mostMegabytes = 300;
const attempts = 4;
const attackMs = 1_500;

let server: AttackedServer;
const maps = '/api/v1/namespaces/default/configmaps';
const schemas = '/openapi/v2';
const many = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

beforeAll(async () => {
  server = await startAttackedServer({ isSecure: true });
  for (let i = 0; i < 20; i++) {
    const body = JSON.stringify({ metadata: { name: `m${i}` }, data: { a: 'x'.repeat(900_000) } });
    expect((await server.send('POST', maps, body)).code).toBe(201);
  }
});
afterAll(() => server.stop());

interface Attack {
  readonly attack: string;
  readonly protocol: 'h2' | 'http/1.1';
  readonly connections: number;
  readonly isRead?: boolean;
  readonly run: (socket: TLSSocket) => void;
}

const pipelined = (path: string) => (socket: TLSSocket) =>
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(10_000));

const attacks: readonly Attack[] = [
  {
    attack: 'streams that are reset at once',
    protocol: 'h2',
    connections: 2,
    isRead: true,
    run(socket) {
      const cancel = Buffer.from([0, 0, 0, 8]);
      const streams = many(20_000, (i) => [get(2 * i + 1, maps), frame('reset', 2 * i + 1, cancel)]);
      socket.write(Buffer.concat([preface(), ...streams.flat()]));
    },
  },
  ...(
    [
      [200, 4],
      [900, 12],
    ] as const
  ).map(([headers, connections]) => ({
    attack: `${headers} headers in each of a hundred requests, in a byte each`,
    protocol: 'h2' as const,
    connections,
    isRead: true,
    run: (socket: TLSSocket) => socket.write(Buffer.concat([preface(), repeating(100, '/livez', headers)])),
  })),
  { attack: 'ten thousand lists in a pipeline', protocol: 'http/1.1', connections: 2, run: pipelined(maps) },
  {
    attack: 'ten thousand health checks in a pipeline',
    protocol: 'http/1.1',
    connections: 2,
    run: pipelined('/livez'),
  },
  {
    attack: 'bodies in chunks of one byte',
    protocol: 'http/1.1',
    connections: 2,
    run(socket) {
      const head = `POST ${maps} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`;
      socket.write(head + '1\r\n \r\n'.repeat(1_000_000));
    },
  },
  {
    attack: 'a thousand lists that are not read',
    protocol: 'h2',
    connections: 10,
    run: (socket) => socket.write(Buffer.concat([preface(1_000), ...many(100, (i) => get(2 * i + 1, maps))])),
  },
  {
    attack: 'a thousand objects that are not read',
    protocol: 'h2',
    connections: 10,
    run: (socket) => socket.write(Buffer.concat([preface(1_000), ...many(100, (i) => get(2 * i + 1, `${maps}/m0`))])),
  },
  ...[0, widestWindow].map((window) => ({
    attack: `hundreds of schemas that are not read, in windows of ${window}`,
    protocol: 'h2' as const,
    connections: 3,
    run: (socket: TLSSocket) =>
      socket.write(
        Buffer.concat([preface(window), widen(widestWindow - 65_535), ...many(100, (i) => get(2 * i + 1, schemas))]),
      ),
  })),
];

test.each(attacks)('$attack', async ({ protocol, connections, isRead, run }) => {
  for (let attempt = 1; ; attempt++) {
    const { code, waitMs, megabytes } = await server.measured(async () => {
      const sockets = await Promise.all(many(connections, () => openTls(server.url, protocol)));
      for (const socket of sockets) {
        socket.on('error', () => {});
        if (isRead) socket.resume();
        run(socket);
      }
      await new Promise((resolve) => setTimeout(resolve, attackMs));
      const answer = await server.send('GET', '/livez');
      for (const socket of sockets) socket.destroy();
      return answer;
    });
    expect(code).toBe(200);
    if (waitMs < longestWaitMs && megabytes < mostMegabytes) return;
    if (attempt < attempts) continue;
    expect(waitMs).toBeLessThan(longestWaitMs);
    expect(megabytes).toBeLessThan(mostMegabytes);
  }
});

test('a connection ends that resets hundreds of streams at once', async () => {
  const opened = async (count: number) => {
    const socket = await openTls(server.url, 'h2');
    socket.on('error', () => {});
    socket.resume();
    const streams = many(count, (i) => [
      get(2 * i + 1, '/livez'),
      frame('reset', 2 * i + 1, Buffer.from([0, 0, 0, 8])),
    ]);
    socket.write(Buffer.concat([preface(), ...streams.flat()]));
    return socket;
  };
  const few = await opened(100);
  const tooMany = await opened(700);
  await expect.poll(() => tooMany.closed).toBe(true);
  expect(few.closed).toBe(false);
  few.destroy();
});

test('a pipeline is served in order, one request at a time, and one that is too long is closed', async () => {
  const socket = await openTls(server.url, 'http/1.1');
  socket.on('error', () => {});
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  const ask = (count: number) =>
    socket.write(many(count, (i) => `GET /api/v1/namespaces/n${i} HTTP/1.1\r\nHost: x\r\n\r\n`).join(''));
  const names = () =>
    [
      ...Buffer.concat(chunks)
        .toString()
        .matchAll(/"name":"(n\d+)"/g),
    ].map(([, name]) => name);
  ask(50);
  await expect.poll(() => names().length).toBe(50);
  expect(names()).toEqual(many(50, (i) => `n${i}`));
  ask(500);
  await expect.poll(() => socket.closed).toBe(true);
});

test('a body of many small chunks ends its connection, and one of fewer is read', async () => {
  const sent = async (chunks: number) => {
    const socket = await openTls(server.url, 'http/1.1');
    let text = '';
    socket.on('error', () => {}).on('data', (chunk) => (text += chunk));
    const head = `POST ${maps} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`;
    socket.write(`${head}${'1\r\n \r\n'.repeat(chunks)}0\r\n\r\n`);
    return { socket, text: () => text };
  };
  const few = await sent(40_000);
  await expect.poll(few.text).toMatch(/^HTTP\/1.1 400 /);
  few.socket.destroy();
  const tooMany = await sent(60_000);
  await expect.poll(() => tooMany.socket.closed).toBe(true);
});
