import { connect, createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { firstLine } from './first-line.ts';

/** The first line of a connection on which a server writes these pieces and then ends it. */
async function receive(...pieces: string[]) {
  const server = createServer(async (socket) => {
    for (const piece of pieces) await new Promise((resolve) => socket.write(piece, () => setImmediate(resolve)));
    socket.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const socket: Socket = connect(port, '127.0.0.1');
  try {
    const { line, rest } = await firstLine(socket);
    return { line, rest: rest.toString(), isPaused: socket.isPaused() };
  } finally {
    socket.destroy();
    server.close();
  }
}

test.each([
  ['a line alone', ['8080\n'], '8080', ''],
  ['an empty line with data behind it', ['\nGET /'], '', 'GET /'],
  ['a line in pieces', ['80', '80', '\nx'], '8080', 'x'],
])('%s', async (_, pieces, line, rest) => expect(await receive(...pieces)).toEqual({ line, rest, isPaused: true }));

test('a connection that closes before its line is an error', () =>
  expect(receive('80')).rejects.toThrow('connection closed'));
