// The store's directory: used by one process at a time, and marked once it has a store.

import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StoreUnusable } from '../interface.ts';

export const databaseFile = 'store.mdb';
const lockFile = 'lock';
/** Directories that this process has open. */
const opened = new Set<string>();

/** Locks the directory for this process; returns the unlock function. Throws StoreUnusable (`in-use`). */
export function lockDirectory(directory: string): () => void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = realpathSync(directory);
  const file = join(path, lockFile);
  if (opened.has(path)) throw inUse(path, process.pid);
  const me = `${process.pid} ${startOf(process.pid)}`;
  for (let attempt = 0; ; attempt++)
    try {
      writeFileSync(file, me, { flag: 'wx', mode: 0o600 });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const [pid, start] = readFileSync(file, 'utf8').split(' ');
      // Another process may have the same number since, or this process after a restart of the machine.
      if (start !== undefined && Number(pid) !== process.pid && startOf(Number(pid)) === start)
        throw inUse(path, Number(pid));
      if (attempt > 5) throw inUse(path, Number(pid));
      rmSync(file, { force: true });
    }
  opened.add(path);
  return () => {
    opened.delete(path);
    rmSync(file, { force: true });
  };
}

const inUse = (path: string, pid: number) =>
  new StoreUnusable(
    'in-use',
    `the store in ${path} is in use by process ${pid}; stop that first, or choose another directory`,
  );

/** The start time of a process, which distinguishes two processes with one number; empty if it does not run. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? '' : fields[19];
  } catch {
    if (existsSync('/proc/self/stat')) return '';
  }
  try {
    process.kill(pid, 0);
    return 'running';
  } catch {
    return '';
  }
}

/** Bytes that may still be written where the directory is. */
export function freeBytes(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}

/** Marks a directory that has a store: without the marker, a lost database would look like a new cluster. */
const markerFile = 'made';

export const isMarked = (directory: string): boolean => existsSync(join(directory, markerFile));

export function markMade(directory: string): void {
  if (isMarked(directory)) return;
  const text = `A store was made here. Where ${databaseFile} is missing or empty, it was lost.\n`;
  writeFileSync(join(directory, markerFile), text, { mode: 0o600, flush: true });
}
