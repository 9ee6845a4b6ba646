// Processes in a running container: `nsenter` into its namespaces, then the same last steps as its first process.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Socket } from 'node:net';
import { PassThrough, type Readable, type Writable } from 'node:stream';
import type { Clock } from '../../machinery/clock.ts';
import type { ExecSession } from '../container-runtime.ts';
import { RuntimeError } from '../runtime-error.ts';
import { processWords } from './launch.ts';
import { hostEnvironment, quote, run } from './process.ts';
import type { ContainerRecord } from './state.ts';
import type { Tools } from './tools.ts';

export interface ExecOptions {
  readonly stdin: boolean;
  readonly tty: boolean;
}

/** More output than this of one execSync is cut off, as in the kubelet's probes. */
const mostOutput = 16 * 2 ** 20;

export function startExec(
  record: ContainerRecord,
  command: readonly string[],
  options: ExecOptions,
  tools: Tools,
  joinFiles: readonly string[],
): ExecSession {
  const words = execWords(record, command, tools, options.tty);
  const joining = joinFiles.map((file) => `echo 0 >${quote(file)}`).join('\n');
  // The terminal's name goes out on descriptor 3: resizing needs it.
  const script = options.tty
    ? `${joining}\nexec script -q -e -f -c ${quote(`tty >&3; exec 3>&-; exec ${words.map(quote).join(' ')}`)} /dev/null`
    : `${joining}\nexec 3>&-\nexec ${words.map(quote).join(' ')}`;
  const child = spawn('/bin/sh', ['-c', script], {
    cwd: '/',
    detached: true,
    env: hostEnvironment,
    stdio: [options.stdin ? 'pipe' : options.tty ? 'pipe' : 'ignore', 'pipe', 'pipe', 'pipe'],
  });
  const terminal = firstLineOf(child.stdio[3] as Readable);
  child.stdin?.on('error', () => {}); // it may end before it has read all
  return {
    stdin: options.stdin ? (child.stdin as Writable) : undefined,
    stdout: child.stdout!,
    stderr: options.tty ? undefined : child.stderr!,
    resize: (columns, rows) => void terminal.then((name) => resizeTerminal(name, columns, rows)),
    exitCode: endOf(child),
    close: () => killGroup(child),
  };
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
  let timedOut = false;
  const timer =
    timeoutMs > 0
      ? clock.after(timeoutMs, () => {
          timedOut = true;
          session.close();
        })
      : undefined;
  const exitCode = await session.exitCode.finally(() => timer?.cancel());
  if (timedOut) throw new RuntimeError('timeout', `command timed out after ${timeoutMs / 1000}s`);
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

function execWords(record: ContainerRecord, command: readonly string[], tools: Tools, tty: boolean): readonly string[] {
  const spec = record.process!;
  const env = tty && !spec.env.some((entry) => entry.startsWith('TERM=')) ? [...spec.env, 'TERM=xterm'] : spec.env;
  const cgroup = existsSync('/proc/self/ns/cgroup') ? ['--cgroup'] : [];
  const namespaces = ['--mount', '--uts', '--ipc', '--net', '--pid', ...cgroup];
  return [
    'nsenter',
    '--target',
    String(record.pid),
    ...namespaces,
    ...(tty ? [...tools.inside('setsid'), '-c'] : []),
    ...processWords(tools, { ...spec, env }),
    ...command,
  ];
}

function endOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.on('error', (error) => reject(new RuntimeError('start', error.message, { cause: error })));
    child.on('close', (code, signal) => resolve(code ?? (signal ? 137 : 1)));
  });
}

/** nsenter and what it started share the process group; what left it is the command's own affair. */
function killGroup(child: ChildProcess): void {
  try {
    process.kill(-child.pid!, 'SIGKILL');
  } catch {} // it has ended
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
