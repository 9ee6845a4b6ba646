// Processes in a running container, through the OCI runtime: it joins the container's namespaces and cgroup and gives up
// all privileges before anything of the container's is run.

import { type ChildProcess, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { PassThrough, type Readable, type Writable } from 'node:stream';
import type { Clock } from '../../machinery/clock.ts';
import type { ExecSession } from '../container-runtime.ts';
import { RuntimeError } from '../runtime-error.ts';
import { lastError, runtimeWords } from './bundle.ts';
import type { OciRuntime } from './oci/oci-runtime.ts';
import { hostEnvironment, quote, run, signal } from './process.ts';
import type { ContainerRecord } from './state.ts';

export interface ExecOptions {
  readonly stdin: boolean;
  readonly tty: boolean;
}

export interface ExecParts {
  readonly runtime: OciRuntime;
  readonly runtimeRoot: string;
  /** The container's bundle. */
  readonly directory: string;
  /** Differs for each call. */
  readonly name: string;
}

/** In containerd's words. */
const execFailed = 'failed to exec in container: failed to start exec: OCI runtime exec failed';

/** More output than this of one execSync is cut off, as in the kubelet's probes. */
const mostOutput = 16 * 2 ** 20;

export function startExec(
  record: ContainerRecord,
  command: readonly string[],
  options: ExecOptions,
  parts: ExecParts,
): ExecSession {
  const files = { log: join(parts.directory, `${parts.name}.log`), pid: join(parts.directory, `${parts.name}.pid`) };
  const words = execWords(record, command, options.tty, parts, files);
  // The terminal's name goes out on descriptor 3: resizing needs it.
  const script = `exec script -q -e -f -c ${quote(`tty >&3; exec 3>&-; exec ${words.map(quote).join(' ')}`)} /dev/null`;
  const [program, ...rest] = options.tty ? ['/bin/sh', '-c', script] : words;
  const child = spawn(program, rest, {
    cwd: '/',
    detached: true,
    env: hostEnvironment,
    stdio: [options.stdin || options.tty ? 'pipe' : 'ignore', 'pipe', 'pipe', options.tty ? 'pipe' : 'ignore'],
  });
  const terminal = options.tty ? firstLineOf(child.stdio[3] as Readable) : Promise.resolve(undefined);
  child.stdin?.on('error', () => {}); // it may end before it has read all
  return {
    stdin: options.stdin ? (child.stdin as Writable) : undefined,
    stdout: child.stdout!,
    stderr: options.tty ? undefined : child.stderr!,
    resize: (columns, rows) => void terminal.then((name) => resizeTerminal(name, columns, rows)),
    exitCode: endOf(child, files),
    close: () => kill(child, files.pid),
  };
}

function execWords(
  { id, config }: ContainerRecord,
  command: readonly string[],
  tty: boolean,
  parts: ExecParts,
  files: { readonly log: string; readonly pid: string },
): readonly string[] {
  const term = config.env.some(({ key }) => key === 'TERM') ? [] : ['--env', 'TERM=xterm'];
  const terminal = tty ? ['--tty', ...term] : [];
  return [...runtimeWords(parts, files.log), 'exec', ...terminal, '--pid-file', files.pid, id, ...command];
}

/** Its own end or, when the runtime could not start it, why. */
function endOf(child: ChildProcess, files: { readonly log: string; readonly pid: string }): Promise<number> {
  const end = new Promise<number>((resolve, reject) => {
    child.on('error', (error) => reject(new RuntimeError('start', error.message, { cause: error })));
    child.on('close', (code, signal) => {
      const problem = code === 0 || fs.existsSync(files.pid) ? undefined : lastError(files.log);
      if (problem) reject(new RuntimeError('start', `${execFailed}: ${problem}: unknown`));
      else resolve(code ?? (signal ? 137 : 1));
    });
  });
  const clean = () => {
    for (const path of [files.log, files.pid]) fs.rmSync(path, { force: true });
  };
  end.then(clean, clean);
  return end;
}

/** The process and those of its session in the container first: the runtime that started it would leave them behind. */
function kill(child: ChildProcess, pidFile: string): void {
  if (child.exitCode !== null || child.signalCode !== null) return;
  // It is the runtime's child, so the number is its own for as long as the runtime has not ended.
  const pid = fs.existsSync(pidFile) ? Number(fs.readFileSync(pidFile, 'utf8')) : 0;
  if (pid > 1 && !signal(-pid, 'SIGKILL')) signal(pid, 'SIGKILL');
  if (child.pid) signal(-child.pid, 'SIGKILL');
}

export async function execToEnd(session: ExecSession, timeoutMs: number, clock: Clock) {
  const collect = (stream?: Readable) => {
    const chunks: Buffer[] = [];
    let size = 0;
    stream?.on('data', (chunk: Buffer) => {
      if ((size += chunk.length) <= mostOutput) chunks.push(chunk);
    });
    return chunks;
  };
  const stdout = collect(session.stdout);
  const stderr = collect(session.stderr);
  const { promise: timeout, reject } = Promise.withResolvers<never>();
  const timer =
    timeoutMs > 0
      ? clock.after(timeoutMs, () => {
          session.close();
          reject(new RuntimeError('timeout', `command timed out after ${timeoutMs / 1000}s`));
        })
      : undefined;
  // What the command left running may hold the pipes open for longer than anybody waits.
  const exitCode = await Promise.race([session.exitCode, timeout]).finally(() => {
    timer?.cancel();
    session.exitCode.catch(() => {});
  });
  return { stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr), exitCode };
}
/** Output of a container's first process, out of the log keeper's frames. */
export function attachSession(
  socket: Socket,
  record: ContainerRecord,
  options: ExecOptions,
  exitCode: Promise<number>,
): ExecSession {
  const stdout = new PassThrough();
  const stderr = record.config.tty ? undefined : new PassThrough();
  let data = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    data = data.length > 0 ? Buffer.concat([data, chunk]) : chunk;
    while (data.length >= 5) {
      const size = data.readUInt32BE(1);
      if (data.length < 5 + size) return;
      (data[0] === 2 && stderr ? stderr : stdout).write(data.subarray(5, 5 + size));
      data = data.subarray(5 + size);
    }
  });
  const end = () => {
    stdout.end();
    stderr?.end();
  };
  socket.on('end', end);
  socket.on('close', end);
  socket.resume();
  return {
    stdin: options.stdin && record.config.stdin ? socket : undefined,
    stdout,
    stderr,
    resize: (columns, rows) => void resizeTerminal(record.terminal, columns, rows),
    exitCode,
    close: () => socket.destroy(),
  };
}

function firstLineOf(stream: Readable): Promise<string | undefined> {
  return new Promise((resolve) => {
    let text = '';
    stream.on('data', (chunk) => {
      text += chunk;
      if (text.includes('\n')) resolve(text.slice(0, text.indexOf('\n')));
    });
    stream.on('close', () => resolve(undefined));
    stream.on('error', () => resolve(undefined));
  });
}

async function resizeTerminal(terminal: string | undefined, columns: number, rows: number): Promise<void> {
  if (!terminal?.startsWith('/dev/pts/')) return;
  await run('stty', ['-F', terminal, 'rows', String(rows), 'cols', String(columns)]).catch(() => {});
}
