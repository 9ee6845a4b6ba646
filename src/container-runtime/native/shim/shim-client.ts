import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../../../machinery/time/clock.ts';
import { childStdio } from '../../processes/inherited.ts';
import { hostEnvironment } from '../../processes/process.ts';
import { RuntimeError } from '../../runtime-error.ts';
import { firstLine } from '../first-line.ts';
import type { Started } from './shim-start.ts';

/** Keepers that may die over one request. */
const mostTries = 5;

interface Reply {
  readonly error?: string;
  /** The keeper ended before it replied. */
  readonly broken?: boolean;
}

/** Client of the node's log keeper (shim.ts); starts it if none runs. */
export class ShimClient {
  readonly #root: string;
  readonly #clock: Clock;
  readonly #socketPath: string;
  #control?: Promise<Socket>;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #serial = 0;
  /** Whether a keeper started by this process runs. */
  #starting = false;
  #closed = false;

  constructor(root: string, clock: Clock) {
    this.#root = root;
    this.#clock = clock;
    this.#socketPath = keeperSocket(root);
  }

  async request(op: 'adopt' | 'drain' | 'reopen' | 'stop', id = ''): Promise<void> {
    await this.#ask(op, id);
  }

  /** Resolves when the container's command runs, or with the reason why it does not. */
  async start(id: string): Promise<Started> {
    return (await this.#ask('start', id)) as Started;
  }

  /** Requests are idempotent, so the next keeper gets a request that the previous one did not finish. */
  async #ask(op: string, id: string): Promise<object> {
    for (let tries = 1; ; tries++) {
      const control = await (this.#control ??= this.#open()).catch((error) => {
        this.#control = undefined; // the next request tries again
        throw error;
      });
      const { error, broken, ...reply } = await this.#exchange(control, op, id);
      if (error) throw new RuntimeError('unavailable', error);
      if (!broken) return reply;
      if (this.#closed || tries === mostTries || op === 'stop')
        throw new RuntimeError('unavailable', 'the log keeper has ended');
    }
  }

  #exchange(control: Socket, op: string, id: string): Promise<Reply> {
    const n = ++this.#serial;
    control.ref();
    return new Promise((resolve) => {
      this.#waiting.set(n, (reply) => {
        this.#waiting.delete(n);
        if (this.#waiting.size === 0) control.unref();
        resolve(reply);
      });
      control.write(`${JSON.stringify({ n, op, id })}\n`);
    });
  }

  /** A separate connection: frames of output in, input out. */
  async attach(id: string): Promise<Socket> {
    const socket = await this.#connect();
    socket.write(`${JSON.stringify({ op: 'attach', id })}\n`);
    const { line, rest } = await firstLine(socket).catch(() => {
      throw new RuntimeError('unavailable', 'the log keeper closed the connection');
    });
    const { error } = JSON.parse(line);
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
        const { n, ...reply } = JSON.parse(text.slice(0, end));
        this.#waiting.get(n)?.(reply);
        text = text.slice(end + 1);
      }
    });
    // A keeper that was killed only ends its half.
    socket.on('end', () => socket.destroy());
    socket.on('close', () => {
      this.#control = undefined;
      // A new one adopts the running containers at once, so that their output is read.
      if (!this.#closed) this.#control = this.#open();
      this.#control?.catch(() => {});
      for (const wake of [...this.#waiting.values()]) wake({ broken: true });
    });
    // Coracle may end while the log keeper stays.
    socket.unref();
    return socket;
  }

  async #connect(): Promise<Socket> {
    for (let tries = 0; tries < 1000; tries++) {
      const socket = await this.#try();
      if (socket) return socket;
      // Two keepers would split each container's output, so only one is started.
      if (!this.#starting) this.#start();
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
    mkdirSync(dirname(this.#socketPath), { recursive: true, mode: 0o700 });
    const child = spawn(process.execPath, [...shimWords, 'logs', this.#root, this.#socketPath], {
      cwd: '/',
      detached: true,
      env: hostEnvironment,
      stdio: childStdio(['ignore', 'ignore', 'ignore']),
    });
    this.#starting = true;
    for (const event of ['error', 'exit']) child.on(event, () => (this.#starting = false));
    child.unref();
  }
}

/** Beside this file in the bundle; the source in a checkout. */
function shimProgram(): string {
  const candidates = ['./shim.ts', './container-shim.js', '../src/container-runtime/native/shim/shim.ts'];
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

/** In a directory that only root may enter. A socket's path has at most 107 bytes (unix(7)). */
export function keeperSocket(root: string): string {
  const path = join(root, 'run', 'keeper.sock');
  if (Buffer.byteLength(path) < 108) return path;
  return `/run/coracle-${createHash('sha256').update(root).digest('hex').slice(0, 16)}/keeper.sock`;
}

/** Ends the keeper that a former version of Coracle left at the path that it used. */
export async function stopFormerKeeper(root: string): Promise<void> {
  const path = join(root, 'shim.sock');
  const hashed = `/run/coracle-${createHash('sha256').update(root).digest('hex').slice(0, 16)}.sock`;
  for (const socketPath of [path, hashed]) {
    if (!existsSync(socketPath)) continue;
    await new Promise<void>((resolve) => {
      const socket = connect(socketPath);
      socket.on('connect', () => socket.write(`${JSON.stringify({ op: 'stop' })}\n`));
      socket.on('data', () => {}); // its reply; it ends right after
      socket.on('error', () => resolve());
      socket.on('close', () => resolve());
    });
    rmSync(socketPath, { force: true });
  }
}
