// exec and attach: one session's streams over a WebSocket or over SPDY streams.
// https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/ (exec), KEP-4006

import type { IncomingMessage } from 'node:http';
import type { Duplex, Readable, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { RawData, WebSocket } from 'ws';
import type { Status } from '../../../api/api.ts';
import type { ExecSession } from '../../../container-runtime/container-runtime.ts';
import { must } from '../../../machinery/must.ts';
import type { Clock } from '../../../machinery/time/clock.ts';
import { ownTurn } from '../../../machinery/time/turn.ts';
import { SpdySession, type SpdyStream } from './spdy.ts';
import { acceptSpdy, acceptWebSocket, isSpdy, remoteCommandProtocols, spdyRemoteCommandProtocols } from './upgrade.ts';

interface RemoteCommandOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** How long a SPDY client has to open its streams. */
const streamCreationTimeoutMs = 30_000;
const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;

/** Serves one upgrade request; `begin` starts or joins the process. */
export async function serveRemoteCommand(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  options: RemoteCommandOptions,
  clock: Clock,
  begin: () => Promise<ExecSession>,
): Promise<void> {
  if (isSpdy(request)) return serveSpdy(request, socket, head, options, clock, begin);
  const accepted = await acceptWebSocket(request, socket, head, remoteCommandProtocols);
  if (accepted) await serveWebSocket(accepted.webSocket, codecOf(accepted.protocol), options, begin);
}

/** How a protocol writes channels and the end of a command. */
interface Codec {
  readonly protocol: string;
  encode(channel: number, bytes: Buffer): Buffer | string;
  decode(message: Buffer): { channel: number; bytes: Buffer };
  /** The error channel's message for an outcome; undefined: none. */
  status(outcome: Status): string | undefined;
}

const zero = 0x30;

function codecOf(protocol: string): Codec {
  const isBase64 = protocol.includes('base64.');
  return {
    protocol,
    encode: (channel, bytes) =>
      isBase64 ? `${channel}${bytes.toString('base64')}` : Buffer.concat([Buffer.from([channel]), bytes]),
    decode: (message) => {
      const bytes = message.subarray(1);
      return isBase64
        ? { channel: message[0] - zero, bytes: Buffer.from(bytes.toString('latin1'), 'base64') }
        : { channel: message[0], bytes };
    },
    // Before v4 there was no more than the text of a failure.
    status: (outcome) =>
      /^v[45]\./.test(protocol)
        ? JSON.stringify(outcome)
        : outcome.status === 'Success'
          ? undefined
          : (outcome.message ?? ''),
  };
}

/** The final message of the error channel. */
async function outcome(session: ExecSession): Promise<Status> {
  try {
    const code = await session.exitCode;
    if (code === 0) return { metadata: {}, status: 'Success' } as Status;
    return {
      metadata: {},
      status: 'Failure',
      message: `command terminated with non-zero exit code: exit status ${code}`,
      reason: 'NonZeroExitCode',
      details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
    } as Status;
  } catch (error) {
    return failure(error);
  }
}

const failure = (error: unknown): Status =>
  ({
    metadata: {},
    status: 'Failure',
    message: (error as Error).message,
    reason: 'InternalError',
    details: { causes: [{ message: (error as Error).message }] },
    code: 500,
  }) as Status;

/** Sets the size of the terminal: clients may send thousands at once, of which the latest of a turn counts. */
function resizer(session: ExecSession): (text: Buffer) => void {
  let latest: { readonly Width: number; readonly Height: number } | undefined;
  const resize = () => {
    if (latest) session.resize(latest.Width, latest.Height);
    latest = undefined;
  };
  return (text) => {
    const size = sizeIn(text);
    if (!size) return;
    if (!latest) void ownTurn().then(resize);
    latest = size;
  };
}

/** Undefined for a text that is no size: it is ignored. */
function sizeIn(text: Buffer) {
  if (text.length > longestSize) return undefined;
  try {
    const { Width, Height } = JSON.parse(text.toString());
    return isSize(Width) && isSize(Height) ? { Width, Height } : undefined;
  } catch {
    return undefined;
  }
}

const longestSize = 1_000;
/** As TerminalSize has it. */
const isSize = (value: unknown): value is number =>
  Number.isInteger(value) && Number(value) > 0 && Number(value) < 1 << 16;

async function serveWebSocket(
  webSocket: WebSocket,
  codec: Codec,
  options: RemoteCommandOptions,
  begin: () => Promise<ExecSession>,
): Promise<void> {
  const send = (channel: number, bytes: Buffer) =>
    new Promise<void>((resolve) => webSocket.send(codec.encode(channel, bytes), () => resolve()));
  const end = async (status: Status) => {
    const text = codec.status(status);
    if (text !== undefined) await send(channels.error, Buffer.from(text));
    webSocket.resume(); // to read the close frame of the client
    webSocket.close(1000);
  };
  webSocket.on('error', () => {}); // 'close' follows
  // Input that the client sends before the process exists must be buffered.
  webSocket.pause();
  // In older protocols an empty message shows that the connection is open.
  const first = options.stdout ? channels.stdout : options.stderr ? channels.stderr : channels.error;
  if (!codec.protocol.startsWith('v5.')) await send(first, Buffer.alloc(0));
  let session: ExecSession;
  try {
    session = await begin();
  } catch (error) {
    return end(failure(error));
  }
  const resize = resizer(session);
  webSocket.on('message', (data: RawData) => {
    const message = Buffer.isBuffer(data) ? data : Buffer.concat([data].flat() as Buffer[]);
    if (message.length === 0 || fromClient(session, codec.decode(message), options, resize)) return;
    webSocket.pause();
    session.stdin?.once('drain', () => webSocket.resume());
  });
  webSocket.on('close', () => session.close());
  // The client may have gone while the process started.
  if (webSocket.readyState === webSocket.CLOSED) session.close();
  webSocket.resume();
  const copy = async (channel: number, stream: Readable) => {
    for await (const chunk of stream) await send(channel, chunk);
  };
  await Promise.allSettled([
    options.stdout ? copy(channels.stdout, session.stdout) : drain(session.stdout),
    session.stderr && (options.stderr ? copy(channels.stderr, session.stderr) : drain(session.stderr)),
  ]);
  await end(await outcome(session));
}

/** False if the process is slower than its input. */
function fromClient(
  session: ExecSession,
  { channel, bytes }: { channel: number; bytes: Buffer },
  options: RemoteCommandOptions,
  resize: (text: Buffer) => void,
): boolean {
  const { stdin } = session;
  if (channel === channels.stdin && options.stdin && stdin && !stdin.writableEnded && !stdin.destroyed)
    return stdin.write(bytes);
  if (channel === channels.resize) resize(bytes);
  else if (channel === channels.close && bytes[0] === channels.stdin) stdin?.end();
  return true;
}

const drain = (stream: Readable) => finished(stream.resume());

async function serveSpdy(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  options: RemoteCommandOptions,
  clock: Clock,
  begin: () => Promise<ExecSession>,
): Promise<void> {
  if (!acceptSpdy(request, socket, spdyRemoteCommandProtocols)) return;
  if (head.length > 0) socket.unshift(head);
  const wanted = [
    'error',
    ...(['stdin', 'stdout', 'stderr'] as const).filter((name) => options[name] && !(name === 'stderr' && options.tty)),
    ...(options.tty ? ['resize'] : []),
  ];
  const streams = new Map<string, SpdyStream>();
  let complete = () => {};
  const all = new Promise<void>((resolve) => {
    complete = resolve;
  });
  const connection = new SpdySession(socket, (stream) => {
    const type = stream.headers.get('streamtype') ?? '';
    if (!wanted.includes(type) || streams.has(type)) return void stream.destroy();
    streams.set(type, stream);
    if (wanted.every((name) => streams.has(name))) complete();
  });
  const patience = new AbortController();
  const late = clock.sleep(streamCreationTimeoutMs, patience.signal).then(
    () => 'late',
    () => 'over',
  );
  const first = await Promise.race([all, late, connection.closed.then(() => 'closed')]);
  patience.abort();
  if (first === 'late' || first === 'closed') return connection.close();
  await runOverSpdy(streams, connection, begin);
}

async function runOverSpdy(
  streams: ReadonlyMap<string, SpdyStream>,
  connection: SpdySession,
  begin: () => Promise<ExecSession>,
): Promise<void> {
  const error = must(streams.get('error'), 'error stream');
  const end = async (status: Status) => {
    error.end(JSON.stringify(status));
    await finished(error, { readable: false }).catch(() => {});
    connection.close();
  };
  let session: ExecSession;
  try {
    session = await begin();
  } catch (problem) {
    return end(failure(problem));
  }
  void connection.closed.then(() => session.close());
  const stdin = streams.get('stdin');
  if (stdin && session.stdin) stdin.pipe(session.stdin);
  streams.get('resize')?.on('data', resizer(session));
  const copy = async (from: Readable | undefined, to: Writable | undefined) => {
    if (!from) return to?.end();
    if (!to) return drain(from);
    from.pipe(to);
    await finished(to, { readable: false });
  };
  await Promise.allSettled([copy(session.stdout, streams.get('stdout')), copy(session.stderr, streams.get('stderr'))]);
  await end(await outcome(session));
}
