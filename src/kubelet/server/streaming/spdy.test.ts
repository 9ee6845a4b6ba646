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

test('headers that inflate to a hundred megabytes end the connection', async () => {
  const [client, server] = duplexPair();
  const streams: SpdyStream[] = [];
  const session = new SpdySession(server, (stream) => streams.push(stream));
  client.on('error', () => {}).resume();
  const before = process.memoryUsage.rss();
  const bomb = open(1, Buffer.alloc(100 << 20));
  expect(bomb.length).toBeLessThan(1 << 20);
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
