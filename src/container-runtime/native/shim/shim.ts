// The log keeper of one node's containers: a separate process, so that containers can write while Coracle is stopped.
// It starts each container's shell (bundle.ts), copies the containers' output to their logs and to attached clients. It
// has no state: the pipes are files, also held open by each container's shell, so a new keeper continues after a crash
// without losing a byte.
//
// usage: node shim.ts logs ROOT SOCKET; one JSON line per request, one per reply with the request's `n`:
//   {"op":"start","id"}  starts a container; replies {"pid"} once its command runs, or {"problem"}
//   {"op":"adopt","id"}  starts to read a container's output      {"op":"reopen","id"}  continues in a new log file
//   {"op":"drain","id"}  reads to the end and closes the log      {"op":"stop"}         ends the process
//   {"op":"attach","id"} after the reply: frames of output (stream, length in 4 bytes, data) out, input in

import { chmodSync, constants, existsSync, openSync, readdirSync, readFileSync, readSync, unlinkSync } from 'node:fs';
import { connect, createServer, Socket } from 'node:net';
import { join } from 'node:path';
import { systemClock } from '../../../machinery/time/clock.ts';
import { closeInherited } from '../../processes/inherited.ts';
import { servePortForward } from '../port-forward/port-forward-helper.ts';
import type { ContainerRecord } from '../state.ts';
import { ContainerLog } from './container-log.ts';
import { startSupervised } from './shim-start.ts';

interface Stream {
  readonly file: number;
  readonly socket: Socket;
}

interface Kept {
  readonly log: ContainerLog;
  readonly out: Stream;
  readonly err: Stream;
  input?: Socket;
  readonly stdinOnce: boolean;
  readonly attached: Set<Socket>;
}

interface Request {
  readonly n?: number;
  readonly op: string;
  readonly id: string;
}

closeInherited();
const [mode, root, socketPath] = process.argv.slice(2);
const kept = new Map<string, Kept>();
const connections = new Set<Socket>();
/** Without containers and without Coracle, the process ends. */
const idleMs = 10_000;
const mostBehind = 16 * 2 ** 20;
const mostRequest = 65_536;

function now(): string {
  // The system's clock has milliseconds; the monotonic one adds the fraction.
  const fraction = Math.floor((systemClock.monotonic() % 1) * 1e6);
  return `${new Date(systemClock.now()).toISOString().slice(0, -1)}${String(fraction).padStart(6, '0')}Z`;
}

/** Opens a container's pipes; its output stays in them until `listen`. */
function open(id: string): Kept {
  const existing = kept.get(id);
  if (existing) return existing;
  const directory = join(root, 'containers', id);
  const record: ContainerRecord = JSON.parse(readFileSync(join(directory, 'state.json'), 'utf8'));
  const { stdin, stdinOnce } = record.config;
  const openPipe = (name: string) => openSync(join(directory, name), constants.O_RDWR | constants.O_NONBLOCK);
  const read = (name: string): Stream => {
    const file = openPipe(name);
    return { file, socket: new Socket({ fd: file, readable: true, writable: false }).on('error', () => {}) };
  };
  const container: Kept = {
    log: new ContainerLog(record.logPath, directory, now),
    out: read('out'),
    err: read('err'),
    ...(stdin && { input: new Socket({ fd: openPipe('in'), readable: false, writable: true }).on('error', () => {}) }),
    stdinOnce,
    attached: new Set(),
  };
  kept.set(id, container);
  return container;
}

function listen(id: string): void {
  const { out, err } = open(id);
  if (out.socket.listenerCount('data') > 0) return;
  out.socket.on('data', (chunk) => output(id, 'stdout', chunk));
  err.socket.on('data', (chunk) => output(id, 'stderr', chunk));
}

function output(id: string, stream: 'stdout' | 'stderr', chunk: Buffer): void {
  const container = kept.get(id);
  if (!container || chunk.length === 0) return;
  container.log.write(stream, chunk);
  if (container.attached.size === 0) return;
  const head = Buffer.alloc(5);
  head[0] = stream === 'stdout' ? 1 : 2;
  head.writeUInt32BE(chunk.length, 1);
  for (const peer of container.attached) {
    // A slow client is disconnected: it must not block the container, or fill this process' memory.
    if (peer.writableLength > mostBehind) peer.destroy();
    peer.write(head);
    peer.write(chunk);
  }
}

/** The container has ended, so all that it wrote is in the pipes. */
function drain(id: string): void {
  // It may have ended while no keeper was there.
  if (!kept.has(id) && existsSync(join(root, 'containers', id, 'ack'))) open(id);
  const container = kept.get(id);
  if (!container) return;
  const buffer = Buffer.alloc(65536);
  for (const [name, { file }] of [
    ['stdout', container.out],
    ['stderr', container.err],
  ] as const)
    try {
      for (let size = readSync(file, buffer); size > 0; size = readSync(file, buffer))
        output(id, name, Buffer.from(buffer.subarray(0, size)));
    } catch {} // EAGAIN: empty
  close(id);
}

function close(id: string): void {
  const container = kept.get(id);
  if (!container) return;
  container.log.close();
  container.out.socket.destroy();
  container.err.socket.destroy();
  container.input?.destroy();
  for (const peer of container.attached) peer.end();
  kept.delete(id);
}

/** The OCI runtime's error of a failed start is not the container's output, so it is not logged. */
async function start(id: string): Promise<object> {
  const started = await startSupervised(join(root, 'containers', id), join(root, 'exits', id), () => open(id));
  if ('pid' in started) listen(id);
  else close(id);
  return started;
}

function attach(id: string, peer: Socket): void {
  const container = kept.get(id);
  if (!container) throw new Error(`container ${id} is not running`);
  container.attached.add(peer);
  peer.on('close', () => container.attached.delete(peer));
  peer.on('data', (chunk) => {
    if (container.input && !container.input.write(chunk)) {
      peer.pause();
      container.input.once('drain', () => peer.resume());
    }
  });
  peer.on('end', () => {
    // The input stays open for other clients. This one is detached, as by containerd.
    if (!container.stdinOnce) {
      container.attached.delete(peer);
      return void peer.end();
    }
    container.input?.end(() => container.input?.destroy());
    container.input = undefined;
  });
}

function serve(peer: Socket): void {
  connections.add(peer);
  let text = Buffer.alloc(0);
  const read = (chunk: Buffer) => {
    text = Buffer.concat([text, chunk]);
    for (let end = text.indexOf(0x0a); end >= 0; end = text.indexOf(0x0a)) {
      const request: Request = JSON.parse(text.subarray(0, end).toString());
      text = text.subarray(end + 1);
      if (answer(request, peer)) continue;
      peer.off('data', read);
      if (text.length > 0) peer.emit('data', text);
      return;
    }
    if (text.length > mostRequest) peer.destroy();
  };
  peer.on('data', read);
  peer.on('error', () => {});
  peer.on('close', () => {
    connections.delete(peer);
    leaveWhenIdle();
  });
}

/** False when the connection is no longer one of requests. */
function answer({ n, op, id }: Request, peer: Socket): boolean {
  const reply = (result: object) => peer.write(`${JSON.stringify({ n, ...result })}\n`);
  const failed = (error: unknown) => reply({ error: (error as Error).message });
  try {
    if (op === 'start') {
      start(id).then(reply, failed);
      return true;
    }
    if (op === 'adopt') listen(id);
    else if (op === 'drain') drain(id);
    else if (op === 'reopen') kept.get(id)?.log.reopen();
    else if (op === 'attach') attach(id, peer);
    else if (op === 'stop') systemClock.after(10, () => process.exit(0));
    reply({});
    return op !== 'attach';
  } catch (error) {
    failed(error);
    return true;
  }
}

function leaveWhenIdle(): void {
  systemClock.after(
    idleMs,
    () => {
      if (kept.size === 0 && connections.size === 0) process.exit(0);
    },
    { background: true },
  );
}

function adoptAll(): void {
  for (const id of readdirSync(join(root, 'containers')))
    try {
      const state = readFileSync(join(root, 'containers', id, 'state.json'), 'utf8');
      if ((JSON.parse(state) as ContainerRecord).state === 'running') listen(id);
    } catch {} // incomplete: skip
}

function serveLogs(): void {
  const server = createServer({ allowHalfOpen: true }, serve);
  server.on('error', () => process.exit(1));
  // Only a socket without a server is stale.
  const other = connect(socketPath);
  other.on('connect', () => process.exit(0));
  other.on('error', () => {
    if (existsSync(socketPath)) unlinkSync(socketPath);
    server.listen(socketPath, () => {
      chmodSync(socketPath, 0o600); // its directory is root's alone as well
      adoptAll();
      leaveWhenIdle();
    });
  });
  process.on('SIGTERM', () => process.exit(0));
  process.on('uncaughtException', () => {}); // one container's trouble is not the others'
}

// The same program is the helper of port-forward.ts: `node shim.ts port-forward SOCKET`.
if (mode === 'port-forward') servePortForward(root);
else serveLogs();
