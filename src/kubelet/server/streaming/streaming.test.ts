// exec and port-forward with real clients: SPDY/3.1 (this project's client for CRI runtimes) and WebSocket.

import { createServer, type IncomingMessage, type Server } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { type Duplex, PassThrough, type Readable } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { ExecSession } from '../../../container-runtime/container-runtime.ts';
import { dialSpdy } from '../../../container-runtime/cri/spdy-client.ts';
import { systemClock } from '../../../machinery/time/clock.ts';
import { servePortForward } from './port-forward.ts';
import { serveRemoteCommand } from './remote-command.ts';

const servers: (Server | net.Server)[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

type Serve = (request: IncomingMessage, socket: Duplex, head: Buffer) => Promise<void>;

async function serve(handle: Serve): Promise<number> {
  const server = createServer().on('upgrade', (request, socket, head) => void handle(request, socket, head));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** Repeats its input in capital letters and exits with a code at the end of input. */
class Shout implements ExecSession {
  readonly stdin = new PassThrough();
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  readonly sizes: string[] = [];
  closed = false;
  readonly exitCode: Promise<number>;
  constructor(code: number) {
    this.stdin.on('data', (chunk) => this.stdout.write(String(chunk).toUpperCase()));
    this.exitCode = new Promise((resolve) =>
      this.stdin.on('end', () => {
        this.stderr.end('bye');
        this.stdout.end();
        resolve(code);
      }),
    );
  }
  resize(columns: number, rows: number): void {
    this.sizes.push(`${columns}x${rows}`);
  }
  close(): void {
    this.closed = true;
  }
}

const all = { stdin: true, stdout: true, stderr: true, tty: false };
const textOf = async (stream: Readable) => {
  let text = '';
  for await (const chunk of stream) text += chunk;
  return text;
};
const failedWith = (code: number) => ({
  status: 'Failure',
  reason: 'NonZeroExitCode',
  message: `command terminated with non-zero exit code: exit status ${code}`,
  details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
});

describe('exec over SPDY', () => {
  const exec = (session: ExecSession | Error, options = all) =>
    serve((request, socket, head) =>
      serveRemoteCommand(request, socket, head, options, systemClock, async () => {
        if (session instanceof Error) throw session;
        return session;
      }),
    );
  const dial = async (port: number, names: readonly string[]) => {
    const connection = await dialSpdy(`http://127.0.0.1:${port}/exec`, ['v4.channel.k8s.io']);
    const streams: Record<string, Duplex> = {};
    for (const streamtype of names) streams[streamtype] = await connection.open({ streamtype });
    return { connection, streams };
  };

  test.each([
    [0, { status: 'Success' }],
    [3, failedWith(3)],
  ])('input, output and the exit code %i', async (code, status) => {
    const { connection, streams } = await dial(await exec(new Shout(code)), ['error', 'stdin', 'stdout', 'stderr']);
    streams['stdin'].end('hello');
    const [out, err, outcome] = await Promise.all([streams['stdout'], streams['stderr'], streams['error']].map(textOf));
    expect({ out, err }).toEqual({ out: 'HELLO', err: 'bye' });
    expect(JSON.parse(outcome)).toMatchObject(status);
    await connection.closed;
  });

  test('megabytes go through unchanged', async () => {
    const { streams } = await dial(await exec(new Shout(0)), ['error', 'stdin', 'stdout', 'stderr']);
    streams['error'].resume();
    streams['stderr'].resume();
    streams['stdin'].end('x'.repeat(3 * 2 ** 20));
    expect(await textOf(streams['stdout'])).toBe('X'.repeat(3 * 2 ** 20));
  });

  test('the size of the terminal', async () => {
    const session = new Shout(0);
    const { streams } = await dial(await exec(session, { ...all, tty: true }), ['error', 'stdin', 'stdout', 'resize']);
    streams['resize'].write('{"Width":120,"Height":40}');
    streams['resize'].write('nonsense');
    await expect.poll(() => session.sizes).toEqual(['120x40']);
    streams['stdin'].end();
  });

  test('a command that cannot be started', async () => {
    const { streams } = await dial(await exec(new Error('no such command')), ['error', 'stdin', 'stdout', 'stderr']);
    expect(JSON.parse(await textOf(streams['error']))).toMatchObject({ status: 'Failure', message: 'no such command' });
  });

  test('a client that hangs up ends the session', async () => {
    const session = new Shout(0);
    const { connection } = await dial(await exec(session), ['error', 'stdin', 'stdout', 'stderr']);
    await systemClock.sleep(20);
    connection.close();
    await expect.poll(() => session.closed).toBe(true);
  });

  test('an unsupported protocol', async () => {
    const port = await exec(new Shout(0));
    await expect(dialSpdy(`http://127.0.0.1:${port}/`, ['v9.channel.k8s.io'])).rejects.toThrow(
      /403 .*client supports \[v9\.channel\.k8s\.io\], server supports \[v4\.channel\.k8s\.io\]/,
    );
  });
});

describe('exec over WebSocket', () => {
  const connect = async (session: ExecSession | Error, protocol = 'v5.channel.k8s.io') => {
    const port = await serve((request, socket, head) =>
      serveRemoteCommand(request, socket, head, all, systemClock, async () => {
        if (session instanceof Error) throw session;
        return session;
      }),
    );
    const client = new WebSocket(`ws://127.0.0.1:${port}/`, [protocol]);
    const received: Record<number, string> = {};
    client.on('message', (data: Buffer) => {
      received[data[0]] = (received[data[0]] ?? '') + data.subarray(1);
    });
    const closed = new Promise<number>((resolve) => client.once('close', resolve));
    await new Promise((resolve) => client.once('open', resolve));
    return { client, received, closed };
  };
  const message = (channel: number, text: string) => Buffer.concat([Buffer.from([channel]), Buffer.from(text)]);

  test.each([
    [0, { status: 'Success' }],
    [4, failedWith(4)],
  ])('input, its end, output and the exit code %i', async (code, status) => {
    const session = new Shout(code);
    const { client, received, closed } = await connect(session);
    client.send(message(0, 'hello'));
    client.send(message(4, '{"Width":80,"Height":24}'));
    client.send(Buffer.from([255, 0])); // v5: stdin is closed
    expect(await closed).toBe(1000);
    expect(received).toMatchObject({ 1: 'HELLO', 2: 'bye' });
    expect(JSON.parse(received[3])).toMatchObject(status);
    expect(session.sizes).toEqual(['80x24']);
  });

  test('a command that cannot be started', async () => {
    const { received, closed } = await connect(new Error('no such command'));
    expect(await closed).toBe(1000);
    expect(JSON.parse(received[3])).toMatchObject({ status: 'Failure', message: 'no such command' });
  });

  test.each<[string, readonly string[], boolean, string | undefined]>([
    ['v4.channel.k8s.io', ['v4.channel.k8s.io'], false, JSON.stringify(failedWith(2))],
    ['v4.base64.channel.k8s.io', ['v4.base64.channel.k8s.io'], true, JSON.stringify(failedWith(2))],
    ['channel.k8s.io', ['channel.k8s.io'], false, 'command terminated with non-zero exit code: exit status 2'],
    [
      'base64.channel.k8s.io',
      ['base64.channel.k8s.io'],
      true,
      'command terminated with non-zero exit code: exit status 2',
    ],
    ['no protocol', [], false, 'command terminated with non-zero exit code: exit status 2'],
  ])('%s', async (_, protocols, isBase64, outcome) => {
    const session = new Shout(2);
    const port = await serve((request, socket, head) =>
      serveRemoteCommand(request, socket, head, all, systemClock, async () => session),
    );
    const client = new WebSocket(`ws://127.0.0.1:${port}/`, [...protocols]);
    const received: string[] = [];
    client.on('message', (data: Buffer, isBinary) => {
      expect(isBinary).toBe(!isBase64);
      const text = data.subarray(1).toString();
      received.push(isBase64 ? `${data.toString()[0]} ${Buffer.from(text, 'base64')}` : `${data[0]} ${text}`);
    });
    const closed = new Promise<number>((resolve) => client.once('close', resolve));
    await new Promise((resolve) => client.once('open', resolve));
    client.send(isBase64 ? `0${Buffer.from('hello').toString('base64')}` : message(0, 'hello'));
    await expect.poll(() => received).toContain('1 HELLO');
    session.stdin.end();
    expect(await closed).toBe(1000);
    expect(received[0]).toBe('1 '); // the connection is open
    const said = received.find((text) => text.startsWith('3 '))?.slice(2);
    expect(said?.startsWith('{') ? { ...JSON.parse(said), metadata: undefined } : said).toEqual(
      outcome?.startsWith('{') ? JSON.parse(outcome) : outcome,
    );
  });

  test('input that the process does not read is not gathered', async () => {
    const session = new Shout(0);
    session.stdin.pause();
    session.stdin.removeAllListeners('data');
    const { client } = await connect(session);
    for (let i = 0; i < 200; i++) client.send(message(0, 'x'.repeat(64 * 1024)));
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(session.stdin.writableLength).toBeLessThan(2 ** 20);
    client.terminate();
  });

  test('of thousands of sizes at once a few are set, the latest last', async () => {
    const session = new Shout(0);
    const { client } = await connect(session);
    const socket = (client as unknown as { _socket: net.Socket })._socket;
    socket.cork(); // as one piece
    for (let i = 1; i <= 3_000; i++) client.send(message(4, `{"Width":${i},"Height":24}`));
    socket.uncork();
    await expect.poll(() => session.sizes.at(-1)).toBe('3000x24');
    for (const wrong of [
      '{"Width":70000,"Height":24}',
      '{"Width":0.5,"Height":24}',
      `${' '.repeat(2_000)}{"Width":1,"Height":1}`,
    ])
      client.send(message(4, wrong));
    client.send(message(4, '{"Width":80,"Height":25}'));
    await expect.poll(() => session.sizes.at(-1)).toBe('80x25');
    expect(session.sizes.at(-2)).toBe('3000x24');
    client.terminate();
  });

  test('a client that hangs up ends the session', async () => {
    const session = new Shout(0);
    const { client } = await connect(session, 'v4.channel.k8s.io');
    client.terminate();
    await expect.poll(() => session.closed).toBe(true);
  });
});

describe('port-forward', () => {
  const echo = async () => {
    const server = net.createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  };
  const forwarder = () =>
    serve((request, socket, head) =>
      servePortForward(
        request,
        socket,
        head,
        (port) => {
          const target = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
          return new Promise((resolve, reject) => target.once('connect', () => resolve(target)).once('error', reject));
        },
        'box',
      ),
    );
  const pair = async (connection: Awaited<ReturnType<typeof dialSpdy>>, requestid: string, port: number) => {
    const headers = { requestid, port: String(port) };
    const error = await connection.open({ ...headers, streamtype: 'error' });
    error.end();
    return { error, data: await connection.open({ ...headers, streamtype: 'data' }) };
  };

  test('several connections over one', async () => {
    const [port, target] = [await forwarder(), await echo()];
    const connection = await dialSpdy(`http://127.0.0.1:${port}/`, ['portforward.k8s.io']);
    const pairs = await Promise.all(['0', '1', '2'].map((id) => pair(connection, id, target)));
    for (const [i, { data }] of pairs.entries()) data.end(`connection ${i}`);
    expect(await Promise.all(pairs.map(({ data }) => textOf(data)))).toEqual([
      'connection 0',
      'connection 1',
      'connection 2',
    ]);
    expect(await Promise.all(pairs.map(({ error }) => textOf(error)))).toEqual(['', '', '']);
    connection.close();
  });

  test.each([
    { protocols: ['v4.channel.k8s.io'], isBase64: false },
    { protocols: ['v4.base64.channel.k8s.io'], isBase64: true },
    { protocols: [], isBase64: false },
  ])('over the channels of a WebSocket: $protocols', async ({ protocols, isBase64 }) => {
    const [port, target] = [await forwarder(), await echo()];
    const client = new WebSocket(`ws://127.0.0.1:${port}/?port=${target},1`, protocols);
    const received: Buffer[] = [];
    client.on('message', (data: Buffer, isBinary) => {
      expect(isBinary).toBe(!isBase64);
      const [channel, rest] = [data[0] as number, data.subarray(1)];
      const bytes = isBase64 ? Buffer.from(String(rest), 'base64') : rest;
      received[isBase64 ? channel - 48 : channel] = Buffer.concat([
        received[isBase64 ? channel - 48 : channel] ?? Buffer.alloc(0),
        bytes,
      ]);
    });
    await new Promise((resolve) => client.once('open', resolve));
    client.send(isBase64 ? `0${Buffer.from('hello').toString('base64')}` : Buffer.from('\0hello'));
    await expect.poll(() => received[0]?.subarray(2).toString()).toBe('hello');
    await expect
      .poll(() => received[3]?.subarray(2).toString())
      .toMatch(/^error forwarding port 1 to pod box, uid : .*ECONNREFUSED/);
    expect(received.map((bytes) => bytes.readUInt16LE())).toEqual([target, target, 1, 1]);
    expect(received[1]).toHaveLength(2);
    client.terminate();
  });

  test('a WebSocket closes when the connections of all its ports have ended', async () => {
    const port = await forwarder();
    const server = net.createServer((socket) => socket.end('bye'));
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const target = (server.address() as AddressInfo).port;
    const client = new WebSocket(`ws://127.0.0.1:${port}/?port=${target}&port=1`, 'v4.channel.k8s.io');
    const said: string[] = [];
    client.on('message', (data: Buffer) => said.push(`${data[0]} ${data.subarray(1)}`));
    expect(await new Promise((resolve) => client.once('close', resolve))).toBe(1000);
    expect(said).toContain('0 bye');
  });

  test.each([
    { query: '', says: 'query parameter "port" is required' },
    { query: 'port=', says: 'query parameter "port" cannot be empty' },
    { query: 'port=0', says: 'port "0" must be > 0' },
    {
      query: 'port=80,web',
      says: 'unable to parse "80,web" as a port: strconv.ParseUint: parsing "web": invalid syntax',
    },
    {
      query: 'port=65536',
      says: 'unable to parse "65536" as a port: strconv.ParseUint: parsing "65536": value out of range',
    },
    {
      query: `port=${Array(129).fill(1).join(',')}`,
      says: 'more than 128 ports cannot be forwarded over one WebSocket',
    },
  ])('a WebSocket with "$query" is refused', async ({ query, says }) => {
    const port = await forwarder();
    const client = new WebSocket(`ws://127.0.0.1:${port}/?${query}`, 'v4.channel.k8s.io');
    client.on('error', () => {});
    const response = await new Promise<IncomingMessage>((resolve) =>
      client.once('unexpected-response', (_, answer) => resolve(answer)),
    );
    expect([response.statusCode, await textOf(response)]).toEqual([400, says]);
  });

  test('a client that hangs up before its port is connected leaves no connection', async () => {
    const connected = Promise.withResolvers<void>();
    const target = new PassThrough();
    let ended: Promise<void> | undefined;
    let asked = 0;
    const connect = () => {
      asked++;
      return connected.promise.then(() => target);
    };
    const port = await serve((...upgrade) => (ended = servePortForward(...upgrade, connect)));
    const connection = await dialSpdy(`http://127.0.0.1:${port}/`, ['portforward.k8s.io']);
    await pair(connection, '0', 80);
    await expect.poll(() => asked).toBe(1);
    connection.close();
    await ended;
    connected.resolve();
    await expect.poll(() => target.destroyed).toBe(true);
  });

  test('a closed port: the error names it, and other ports work', async () => {
    const [port, target] = [await forwarder(), await echo()];
    const connection = await dialSpdy(`http://127.0.0.1:${port}/`, ['portforward.k8s.io']);
    const refused = await pair(connection, '0', 1);
    expect(await textOf(refused.error)).toMatch(/^an error occurred forwarding 1: .*ECONNREFUSED/);
    const works = await pair(connection, '1', target);
    works.data.end('still here');
    expect(await textOf(works.data)).toBe('still here');
    connection.close();
  });
});
