// A client that does not read the output of a container holds a bounded part of it in this process.

import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ContainerRecord } from '../state.ts';
import { attachSession } from './exec.ts';

const frame = (stream: 1 | 2, bytes: Buffer) => {
  const head = Buffer.alloc(5);
  head[0] = stream;
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
};
const frames = 1_000;
const text = Buffer.alloc(60_000, 'x');

test('output waits until it is read, and none is lost', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'coracle-attach-'));
  const path = join(directory, 'socket');
  let keeper: Socket | undefined;
  const server = createServer((socket) => {
    keeper = socket.on('error', () => {});
    for (let i = 0; i < frames; i++) socket.write(frame(i % 2 ? 2 : 1, text));
    socket.end();
  }).listen(path);
  await new Promise((resolve) => server.once('listening', resolve));
  const socket = connect(path);
  const record = { config: { tty: false, stdin: false } } as ContainerRecord;
  const session = attachSession(socket, record, { stdin: false, tty: false }, Promise.resolve(0));
  try {
    let before = -1;
    await expect.poll(() => before === (before = socket.bytesRead), { interval: 100, timeout: 5_000 }).toBe(true);
    expect(socket.bytesRead).toBeLessThan(4 << 20);
    expect(keeper?.writableLength).toBeGreaterThan(50 << 20);
    const count = async (stream: AsyncIterable<Buffer> | undefined) => {
      let bytes = 0;
      for await (const chunk of stream ?? []) bytes += chunk.length;
      return bytes;
    };
    const total = (frames / 2) * text.length;
    expect(await Promise.all([count(session.stdout), count(session.stderr)])).toEqual([total, total]);
  } finally {
    session.close();
    server.close();
    rmSync(directory, { recursive: true });
  }
});
