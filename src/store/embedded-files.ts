// Before the database is opened: is the directory ours alone, and are its files whole? LMDB maps its file into memory,
// so reading a file that was cut off would end the process.

import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  realpathSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { StoreUnusable } from './store.ts';

export const databaseFile = 'store.mdb';
const lockFile = 'lock';
/** Directories that this process has open. */
const opened = new Set<string>();

// LMDB's meta page, of which there are two: the first pages of the file.
const metaMagic = 0xbeefc0de;
const magicOffset = 24;
const pageSizeOffset = magicOffset + 24;
const lastPageOffset = magicOffset + 120;
const transactionOffset = magicOffset + 128;
const metaBytes = transactionOffset + 8;

/** Takes the directory for this process; returns how to let go. Throws StoreUnusable (`in-use`). */
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
      // The number may have been given to another process since, or be our own after a restart of the machine.
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

/** When a process was started, in a form that differs between two of the same number; empty when it does not run. */
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

/** Throws StoreUnusable (`damaged`) when the file is no database or has lost its end. */
export function checkDatabase(directory: string): void {
  const file = join(directory, databaseFile);
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size === 0) return;
  const first = metaAt(file, 0);
  if (!first) throw damaged(file, 'it does not begin as a database does');
  const metas = [first, metaAt(file, first.pageSize)].filter((meta) => meta !== undefined);
  const newest = metas.sort((a, b) => Number(b.transaction - a.transaction))[0];
  const needs = (Number(newest.lastPage) + 1) * newest.pageSize;
  if (size < needs) throw damaged(file, `it has ${size} bytes of ${needs}`);
}

const damaged = (file: string, what: string) =>
  new StoreUnusable('damaged', `${file} is damaged: ${what}. Restore a backup, or move the file away to begin anew`);

export { damaged };

function metaAt(file: string, offset: number) {
  const bytes = Buffer.alloc(metaBytes);
  const descriptor = openSync(file, 'r');
  try {
    if (readSync(descriptor, bytes, 0, metaBytes, offset) < metaBytes) return undefined;
  } finally {
    closeSync(descriptor);
  }
  if (bytes.readUInt32LE(magicOffset) !== metaMagic) return undefined;
  return {
    pageSize: bytes.readUInt32LE(pageSizeOffset),
    lastPage: bytes.readBigUInt64LE(lastPageOffset),
    transaction: bytes.readBigUInt64LE(transactionOffset),
  };
}
