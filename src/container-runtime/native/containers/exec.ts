// Processes in a running container, through the OCI runtime: it joins the container's namespaces and cgroup, and drops
// all privileges before the container's program runs.

import { type ChildProcess, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { PassThrough, type Readable, type Writable } from 'node:stream';
import { must } from '../../../machinery/must.ts';
import type { Clock } from '../../../machinery/time/clock.ts';
import type { ExecSession } from '../../interface.ts';
import { childStdio } from '../../processes/inherited.ts';
import { hostEnvironment, quote, run, signal } from '../../processes/process.ts';
import { RuntimeError } from '../../runtime-error.ts';
import type { OciRuntime } from '../oci/oci-runtime.ts';
import type { OciProcess } from '../oci/oci-types.ts';
import type { ContainerRecord } from '../state.ts';
import { bundleFiles, lastError, runtimeWords } from './bundle.ts';

export interface ExecOptions {
  readonly stdin: boolean;
  readonly tty: boolean;
}

interface ExecParts {
  readonly runtime: OciRuntime;
  readonly runtimeRoot: string;
  /** The container's bundle. */
  readonly directory: string;
  /** Differs for each call. */
  readonly name: string;
  readonly clock: Clock;
}

/** In containerd's words. */
const execFailed = 'failed to exec in container: failed to start exec: OCI runtime exec failed';

/** Output of one execSync above this size is cut off: probes and hooks quote 10 KB. */
const mostOutput = 64 * 2 ** 10;

export function startExec(
  record: ContainerRecord,
  command: readonly string[],
  options: ExecOptions,
  parts: ExecParts,
): ExecSession {
  const file = (kind: string) => join(parts.directory, `${parts.name}.${kind}`);
  const files = { log: file('log'), pid: file('pid'), process: file('json') };
  fs.writeFileSync(files.process, JSON.stringify(processOf(command, options.tty, parts.directory)), { mode: 0o600 });
  const words = [
    ...runtimeWords(parts, files.log),
    'exec',
    '--process',
    files.process,
    '--pid-file',
    files.pid,
    record.id,
  ];
  const copied = ['script', '-q', '-e', '-f', '-c', `exec ${words.map(quote).join(' ')}`, '/dev/null'];
  const [program, ...rest] = options.tty ? copied : words;
  const child = spawn(program, rest, {
    cwd: '/',
    detached: true,
    env: hostEnvironment,
    stdio: childStdio([options.stdin || options.tty ? 'pipe' : 'ignore', 'pipe', 'pipe']),
  });
  child.stdin?.on('error', () => {}); // it may end before it has read all
  return {
    stdin: options.stdin ? (child.stdin as Writable) : undefined,
    stdout: must(child.stdout, 'stdout'),
    stderr: options.tty ? undefined : must(child.stderr, 'stderr'),
    resize: latestOnly((columns, rows) => resizeStarted(child, files.pid, parts.clock, columns, rows)),
    exitCode: endOf(child, files),
    close: () => void kill(child, files.pid, parts.clock),
  };
}

interface ExecFiles {
  readonly log: string;
  readonly pid: string;
  readonly process: string;
}

/** All properties of the container's first process, explicitly: crun inherits none. */
function processOf(args: readonly string[], terminal: boolean, directory: string): OciProcess {
  const first: OciProcess = JSON.parse(fs.readFileSync(join(directory, bundleFiles.process), 'utf8'));
  const hasTerm = first.env.some((entry) => entry.startsWith('TERM='));
  return { ...first, args, terminal, env: terminal && !hasTerm ? [...first.env, 'TERM=xterm'] : first.env };
}

/** Its exit code, or the error if the runtime could not start it. */
function endOf(child: ChildProcess, files: ExecFiles): Promise<number> {
  const end = new Promise<number>((resolve, reject) => {
    child.on('error', (error) => reject(new RuntimeError('start', error.message, { cause: error })));
    child.on('close', (code, signal) => {
      const problem = code === 0 || fs.existsSync(files.pid) ? undefined : lastError(files.log);
      if (problem) reject(new RuntimeError('start', `${execFailed}: ${problem}: unknown`));
      else resolve(code ?? (signal ? 137 : 1));
    });
  });
  const clean = () => {
    for (const path of [files.log, files.pid, files.process]) fs.rmSync(path, { force: true });
  };
  end.then(clean, clean);
  return end;
}

/** A start takes a tenth of a second; on a busy machine, some seconds. */
const longestStartMs = 10_000;
const pollMs = 10;

/**
 * First the process and its session in the container: they would outlive the runtime process that started them. While
 * that starts the process, its pid is not known yet.
 */
async function kill(child: ChildProcess, pidFile: string, clock: Clock): Promise<void> {
  const isOver = () => child.exitCode !== null || child.signalCode !== null;
  for (let waitedMs = 0; !isOver() && pidIn(pidFile) <= 1 && waitedMs < longestStartMs; waitedMs += pollMs)
    await clock.sleep(pollMs);
  if (isOver()) return;
  // It is the runtime's child, so its pid is not reused before the runtime ends.
  const pid = pidIn(pidFile);
  if (pid > 1 && !signal(-pid, 'SIGKILL')) signal(pid, 'SIGKILL');
  if (child.pid) signal(-child.pid, 'SIGKILL');
}

/** 0 before the runtime has written it. */
function pidIn(pidFile: string): number {
  try {
    return Number(fs.readFileSync(pidFile, 'utf8'));
  } catch {
    return 0;
  }
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
  // Background processes of the command may hold the pipes open beyond the timeout.
  const exitCode = await Promise.race([session.exitCode, timeout]).finally(() => {
    timer?.cancel();
    session.exitCode.catch(() => {});
  });
  return { stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr), exitCode };
}

/**
 * Output of a container's first process, out of the log keeper's frames. Ends with the container, or with the client's
 * input where the container's stays open without it.
 */
export function attachSession(
  socket: Socket,
  record: ContainerRecord,
  options: ExecOptions,
  exitCode: Promise<number>,
): ExecSession {
  const stdout = new PassThrough();
  const stderr = record.config.tty ? undefined : new PassThrough();
  // Without a reader, output waits in the keeper, which ends the connection when that is too much.
  const deliver = (stream: PassThrough, bytes: Buffer) => {
    if (stream.write(bytes)) return;
    socket.pause();
    stream.once('drain', () => socket.resume());
  };
  let data = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    data = data.length > 0 ? Buffer.concat([data, chunk]) : chunk;
    while (data.length >= 5) {
      const size = data.readUInt32BE(1);
      if (data.length < 5 + size) return;
      deliver(data[0] === 2 && stderr ? stderr : stdout, data.subarray(5, 5 + size));
      data = data.subarray(5 + size);
    }
  });
  const end = () => {
    stdout.end();
    stderr?.end();
  };
  let isInputOver = false;
  socket.once('finish', () => {
    isInputOver = true;
  });
  const detached = new Promise<number>((resolve) => {
    socket.once('end', () => {
      if (isInputOver && !record.config.stdinOnce) resolve(0);
    });
  });
  socket.on('end', end);
  socket.on('close', end);
  socket.resume();
  return {
    stdin: options.stdin && record.config.stdin ? socket : undefined,
    stdout,
    stderr,
    resize: latestOnly((columns, rows) => resizeTerminal(record.pid, columns, rows)),
    exitCode: Promise.race([exitCode, detached]),
    close: () => socket.destroy(),
  };
}

/** One process at a time sets the size; meanwhile the latest size waits. */
function latestOnly(resize: (columns: number, rows: number) => Promise<void>): ExecSession['resize'] {
  let latest: readonly [number, number] | undefined;
  let isBusy = false;
  return async (columns, rows) => {
    latest = [columns, rows];
    if (isBusy) return;
    isBusy = true;
    while (latest) {
      const size: readonly [number, number] = latest;
      latest = undefined;
      await resize(...size);
    }
    isBusy = false;
  };
}

/** The client sends the size at once, possibly before the process exists. */
async function resizeStarted(child: ChildProcess, pidFile: string, clock: Clock, columns: number, rows: number) {
  for (let tries = 0; tries < 500 && child.exitCode === null; tries++) {
    const pid = pidIn(pidFile);
    if (pid > 0) return resizeTerminal(pid, columns, rows);
    await clock.sleep(10);
  }
}

/** By a descriptor of the process that is a terminal: no path of the container is followed. */
async function resizeTerminal(pid: number | undefined, columns: number, rows: number): Promise<void> {
  const files = [0, 1, 2].map((file) => `/proc/${pid}/fd/${file}`);
  const terminal = files.find((path) => isTerminal(path));
  if (!terminal) return;
  await run('stty', ['-F', terminal, 'rows', String(rows), 'cols', String(columns)]).catch(() => {});
}

function isTerminal(path: string): boolean {
  try {
    return /^\/dev\/(pts\/\d+|console)$/.test(fs.readlinkSync(path));
  } catch {
    return false;
  }
}
