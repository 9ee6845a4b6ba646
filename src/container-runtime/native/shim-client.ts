import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../../machinery/clock.ts';
import { RuntimeError } from '../runtime-error.ts';
import { hostEnvironment } from './process.ts';

/** Talks to the node's log keeper (shim.ts), and starts it when there is none. */
export class ShimClient {
  readonly #root: string;
  readonly #clock: Clock;
  readonly #socketPath: string;
  #control?: Promise<Socket>;
  readonly #replies: { resolve: (line: string) => void; reject: (error: Error) => void }[] = [];
  #closed = false;

  constructor(root: string, clock: Clock) {
    this.#root = root;
    this.#clock = clock;
    this.#socketPath = socketPathOf(root);
  }

  async request(op: 'adopt' | 'drain' | 'reopen' | 'stop', id = ''): Promise<void> {
    const control = await (this.#control ??= this.#open());
    control.ref();
    const line = await new Promise<string>((resolve, reject) => {
      this.#replies.push({ resolve, reject });
      control.write(`${JSON.stringify({ op, id })}\n`);
    });
    if (this.#replies.length === 0) control.unref();
    const { error } = JSON.parse(line);
    if (error) throw new RuntimeError('unavailable', error);
  }

  /** A connection of its own: frames of output in, input out. */
  async attach(id: string): Promise<Socket> {
    const socket = await this.#connect();
    socket.write(`${JSON.stringify({ op: 'attach', id })}\n`);
    const { reply, rest } = await firstLine(socket);
    const { error } = JSON.parse(reply);
    if (error) {
      socket.destroy();
      throw new RuntimeError('not-found', error);
    }
    if (rest.length > 0) socket.unshift(rest);
    return socket;
  }

  /** Ends the log keeper, if there is one. */
  async stop(): Promise<void> {
    if (existsSync(this.#socketPath) && (await this.#try())) await this.request('stop').catch(() => {});
    this.close();
  }

  close(): void {
    this.#closed = true;
    void this.#control?.then((socket) => socket.destroy()).catch(() => {});
  }

  async #open(): Promise<Socket> {
    const socket = await this.#connect();
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => {
      text += chunk;
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        this.#replies.shift()?.resolve(text.slice(0, end));
        text = text.slice(end + 1);
      }
    });
    socket.on('close', () => {
      this.#control = undefined;
      for (const { reject } of this.#replies.splice(0))
        reject(new RuntimeError('unavailable', 'the log keeper has ended'));
      // A new one takes the running containers over at once, so that their output is read on.
      if (!this.#closed) this.#control = this.#open();
      this.#control?.catch(() => {});
    });
    // Coracle may end while the log keeper stays.
    socket.unref();
    return socket;
  }

  async #connect(): Promise<Socket> {
    for (let tries = 0; tries < 500; tries++) {
      const socket = await this.#try();
      if (socket) return socket;
      if (tries % 100 === 0) this.#start();
      await this.#clock.sleep(10);
    }
    throw new RuntimeError('unavailable', `the log keeper does not answer at ${this.#socketPath}`);
  }

  #try(): Promise<Socket | undefined> {
    return new Promise((resolve) => {
      const socket = connect({ path: this.#socketPath, allowHalfOpen: true });
      socket.once('connect', () => {
        socket.off('error', failed);
        socket.on('error', () => {});
        resolve(socket);
      });
      const failed = () => resolve(undefined);
      socket.once('error', failed);
    });
  }

  #start(): void {
    mkdirSync(this.#root, { recursive: true, mode: 0o700 });
    const child = spawn(process.execPath, [...shimWords, 'logs', this.#root, this.#socketPath], {
      cwd: '/',
      detached: true,
      env: hostEnvironment,
      stdio: 'ignore',
    });
    child.on('error', () => {});
    child.unref();
  }
}

/** In the bundle it lies beside it; in a checkout it is the source. */
function shimProgram(): string {
  const candidates = ['./shim.ts', './container-shim.js', '../src/container-runtime/native/shim.ts'];
  const paths = candidates.map((path) => fileURLToPath(new URL(path, import.meta.url)));
  return paths.find((path) => existsSync(path)) ?? paths[1];
}

/** For Node; with a small heap, for it holds no data and there is one on every node. */
export const shimWords: readonly string[] = [
  '--max-semi-space-size=1',
  '--max-old-space-size=64',
  '--no-warnings',
  shimProgram(),
];

/** A socket's path has at most 107 bytes (unix(7)). */
function socketPathOf(root: string): string {
  const path = join(root, 'shim.sock');
  if (Buffer.byteLength(path) < 108) return path;
  return `/run/coracle-${createHash('sha256').update(root).digest('hex').slice(0, 16)}.sock`;
}

function firstLine(socket: Socket): Promise<{ reply: string; rest: Buffer }> {
  return new Promise((resolve, reject) => {
    let text = Buffer.alloc(0);
    const read = (chunk: Buffer) => {
      text = Buffer.concat([text, chunk]);
      const end = text.indexOf(0x0a);
      if (end < 0) return;
      socket.off('data', read);
      socket.off('close', closed);
      socket.pause();
      resolve({ reply: text.subarray(0, end).toString(), rest: text.subarray(end + 1) });
    };
    const closed = () => reject(new RuntimeError('unavailable', 'the log keeper closed the connection'));
    socket.on('data', read);
    socket.once('close', closed);
  });
}
