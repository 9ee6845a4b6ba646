import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { must } from '../../machinery/must.ts';
import { childStdio } from './inherited.ts';

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The environment for tools of this machine: no values from containers. */
export const hostEnvironment = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };

/** Runs a program of this machine to its end. Rejects only if it is missing. */
export function run(command: string, args: readonly string[], input?: string): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      env: hostEnvironment,
      stdio: childStdio([input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe']),
    });
    let stdout = '';
    let stderr = '';
    must(child.stdout, 'stdout').on('data', (chunk) => (stdout += chunk));
    must(child.stderr, 'stderr').on('data', (chunk) => (stderr += chunk));
    child.stdin?.on('error', () => {}); // it ended before reading all input: the exit code shows the error
    child.stdin?.end(input);
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 128, stdout, stderr }));
  });
}

/** Like `run`, for a program that leaves processes behind: its output is discarded, because they would hold it open. */
export function runDetached(command: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const stdio = childStdio(['ignore', 'ignore', 'ignore']);
    const child = spawn(command, args, { env: hostEnvironment, stdio });
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 128));
  });
}

/** Runs a program and throws its stderr if it fails. */
export async function mustRun(command: string, args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, input);
  if (code !== 0) throw new Error(`${command}: ${stderr.trim() || `exit code ${code}`}`);
  return stdout;
}

/** For a shell: `value` as one word. */
export function quote(value: string): string {
  return `'${value.replaceAll("'", "'\\''")}'`;
}

/** When a process started, in clock ticks since boot: with it, a pid is unique. Undefined if the process is gone. */
export function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // the name may hold spaces and parentheses
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** Sends a signal; false when there is no such process. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
