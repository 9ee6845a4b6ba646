import { duplexPair } from 'node:stream';
import { deflateSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { SpdySession, type SpdyStream } from './spdy.ts';
import { spdyDictionary } from './spdy-dictionary.ts';

/** A SYN_STREAM frame whose header block is the deflated `block`. */
function open(id: number, block: Buffer): Buffer {
  const body = Buffer.concat([Buffer.alloc(10), deflateSync(block, { dictionary: spdyDictionary, level: 9 })]);
  body.writeUInt32BE(id);
  const head = Buffer.alloc(8);
  head.writeUInt16BE(0x8003);
  head.writeUInt16BE(1, 2);
  head.writeUIntBE(body.length, 5, 3);
  return Buffer.concat([head, body]);
}

test('headers that inflate to twenty megabytes end the connection', async () => {
  const [client, server] = duplexPair();
  const streams: SpdyStream[] = [];
  const session = new SpdySession(server, (stream) => streams.push(stream));
  client.on('error', () => {}).resume();
  const before = process.memoryUsage.rss();
  const bomb = open(1, Buffer.alloc(20 << 20));
  expect(bomb.length).toBeLessThan(32 << 10);
  client.write(bomb);
  await session.closed;
  expect(streams).toEqual([]);
  expect((process.memoryUsage.rss() - before) / 2 ** 20).toBeLessThan(150);
});

test('headers without content are no stream to its user before the end of the frame', async () => {
  const [client, server] = duplexPair();
  const opened = new Promise<SpdyStream>((resolve) => new SpdySession(server, resolve));
  client.on('error', () => {}).resume();
  const bytes = open(3, Buffer.alloc(4));
  client.write(bytes.subarray(0, 20));
  client.write(bytes.subarray(20));
  expect((await opened).id).toBe(3);
  client.destroy();
});

const ping = Buffer.from([0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1]);

function data(id: number, length: number, bytes: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(id);
  head.writeUIntBE(length, 5, 3);
  return Buffer.concat([head, bytes]);
}

test('a client that does not read gets few answers, and other work has turns meanwhile', async () => {
  const [client, server] = duplexPair();
  const opened = new Promise<SpdyStream>((resolve) => new SpdySession(server, resolve));
  client.on('error', () => {});
  client.write(open(1, Buffer.alloc(4)));
  const stream = await opened;
  let turns = 0;
  const count = () => setImmediate(() => turns++ < 10_000 && count());
  count();
  client.write(Buffer.concat([...Array.from({ length: 200_000 }, () => ping), data(1, 4, Buffer.from('last'))]));
  expect(await new Promise((resolve) => stream.once('data', (bytes) => resolve(String(bytes))))).toBe('last');
  expect(server.writableLength).toBeLessThan(200_000);
  expect(turns).toBeGreaterThan(100);
  client.destroy();
});

test('large data frames are handed on as they arrive', async () => {
  const [client, server] = duplexPair();
  const opened = new Promise<SpdyStream>((resolve) => new SpdySession(server, resolve));
  client.on('error', () => {}).resume();
  client.write(open(1, Buffer.alloc(4)));
  client.write(data(1, 0xffffff, Buffer.from('first')));
  const stream = await opened;
  const read = () => new Promise<string>((resolve) => stream.once('data', (bytes) => resolve(String(bytes))));
  expect(await read()).toBe('first');
  client.write('second');
  expect(await read()).toBe('second');
  client.destroy();
});

test('a number of a stream that was used before ends the connection', async () => {
  const [client, server] = duplexPair();
  const streams: SpdyStream[] = [];
  const session = new SpdySession(server, (stream) => streams.push(stream));
  client.on('error', () => {}).resume();
  client.write(Buffer.concat([open(3, Buffer.alloc(4)), open(3, Buffer.alloc(4))]));
  await session.closed;
  expect(streams).toHaveLength(1);
});
