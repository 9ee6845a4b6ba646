// Which process a process id means: ids are given out again, also after the machine was off.

import { readFile } from 'node:fs/promises';

export interface ProcessIdentity {
  readonly pid: number;
  /** Boot of the machine and start of the process, if the system provides them. */
  readonly started?: string;
}

export async function identityOf(pid: number): Promise<ProcessIdentity> {
  const started = await startOf(pid);
  return { pid, ...(started !== undefined && { started }) };
}

export async function isRunning({ pid, started }: ProcessIdentity): Promise<boolean> {
  if (started !== undefined) return (await startOf(pid)) === started;
  // Without a start time, any other process may have the id by now.
  if (process.platform === 'linux') return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** The process that a file names; undefined when there is no such file, or half of one after a power loss. */
export async function readIdentity<Identity extends ProcessIdentity>(file: string): Promise<Identity | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  try {
    return JSON.parse(text) as Identity;
  } catch {
    return undefined;
  }
}

/** Field 22 of proc(5)'s stat, behind the name in parentheses; zombies have ended. */
const startField = 19;
const stateField = 0;

async function startOf(pid: number): Promise<string | undefined> {
  try {
    const [stat, boot] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
    ]);
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[stateField] === 'Z' ? undefined : `${boot.trim()} ${fields[startField]}`;
  } catch {
    return undefined;
  }
}
