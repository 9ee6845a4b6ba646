// The LMDB environment of the embedded store: its tables, and its failures in the store's words.

import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import { type Revision, StoreUnusable } from '../interface.ts';
import { checkDatabase, damaged } from './check.ts';
import { dictionary } from './dictionary.ts';
import { databaseFile, freeBytes, isMarked, markMade } from './files.ts';
import { decodeEntry, decodeText, decodeUndo, encodeEntry, encodeText, readEntry } from './records.ts';

/** 3: every record has a checksum. 2: values are compressed. A store made with 1 has no compression. */
const formatVersion = '3';
const formerFormats: readonly (string | undefined)[] = ['1', '2'];
/** Smaller values are not worth the time. */
const compressedFromBytes = 200;
/** With less than this free, a failed write is put down to the disk being full. */
const fullBelowBytes = 16 << 20;
/**
 * Reserved for the map of the file, not taken: a file that outgrows its map is mapped once more, and until all is
 * closed both count. The store may grow beyond it.
 */
const addressSpaceBytes = 8 * 2 ** 30;
/** Larger than LMDB's reader table. */
const readersBytes = 16_384;

export interface Tables {
  readonly env: RootDatabase<Buffer, string>;
  readonly entries: Database<Buffer, string>;
  /** The entries that each revision replaced. */
  readonly history: Database<Buffer, Revision>;
  /** Texts with checksums: `format`, `revision`, `compacted`; and `compression`, which is plain. */
  readonly meta: Database<string, string>;
  /** Lease durations in seconds, with checksums. */
  readonly leases: Database<string, number>;
  /** Empty, but for a moment: see reserve.ts. */
  readonly reserve: Database<Buffer, string>;
}

/**
 * Opens the database of a directory, or creates the first one, and reads every record once. Throws StoreUnusable:
 * `damaged` also if the database of a marked directory is missing.
 */
export async function openDatabase(
  directory: string,
  { mustExist = false, unsafeNoFsync = false }: { mustExist?: boolean; unsafeNoFsync?: boolean } = {},
): Promise<Tables> {
  const file = join(directory, databaseFile);
  const isEmpty = (statSync(file, { throwIfNoEntry: false })?.size ?? 0) === 0;
  if (isEmpty && (mustExist || isMarked(directory)))
    throw damaged(file, existsSync(file) ? 'it is empty, and the directory belongs to a cluster' : 'it is missing');
  if (isEmpty && unsafeNoFsync) return makeUnsafely(directory);
  if (isEmpty) await createDatabase(directory, async () => {});
  // Its acknowledged writes survive the death of the process, but not a power loss.
  if (!unsafeNoFsync) checkDatabase(file);
  const tables = openTables(directory, databaseFile, unsafeNoFsync);
  try {
    upgrade(tables, directory);
    verify(tables);
  } catch (error) {
    void tables.env.close();
    if (error instanceof StoreUnusable && error.reason === 'damaged')
      throw new StoreUnusable('damaged', `${file}: ${error.message}`);
    throw error instanceof TypeError || error instanceof RangeError ? damaged(file, error.message) : error;
  }
  markMade(directory);
  return tables;
}

async function makeUnsafely(directory: string): Promise<Tables> {
  const tables = openTables(directory, databaseFile, true);
  await writeFormat(tables);
  markMade(directory);
  return tables;
}

const writeFormat = ({ env, meta }: Tables) =>
  env.batch(() => {
    void meta.put('format', encodeText('format', formatVersion));
  });

/** Creates the database under its final name in one step, complete and flushed. */
export async function createDatabase(directory: string, fill: (tables: Tables) => Promise<void>): Promise<void> {
  const temporary = `${databaseFile}.new`;
  const remove = () => {
    for (const name of [temporary, `${temporary}-lock`]) rmSync(join(directory, name), { force: true });
  };
  remove();
  const tables = openTables(directory, temporary);
  try {
    await writeFormat(tables);
    await fill(tables);
    await tables.env.flushed;
  } catch (error) {
    await tables.env.close();
    remove();
    throw error;
  }
  await tables.env.close();
  checkDatabase(join(directory, temporary));
  syncFile(join(directory, temporary));
  renameSync(join(directory, temporary), join(directory, databaseFile));
  syncFile(directory);
  remove();
}

function syncFile(path: string): void {
  const descriptor = openSync(path, 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
}

function openTables(directory: string, name: string, unsafeNoFsync = false): Tables {
  // LMDB maps its reader table into memory; without disk space, a page fault would end the process.
  writeFileSync(join(directory, `${name}-lock`), Buffer.alloc(readersBytes), { mode: 0o600 });
  const env = open<Buffer, string>({
    path: join(directory, name),
    noSubdir: true,
    maxDbs: 8,
    encoding: 'binary',
    // Every write is in an explicit batch; LMDB's automatic batches reject a promise that no code can catch.
    eventTurnBatching: false,
    mapSize: addressSpaceBytes,
    // After a crash, starts from the flushed data: unflushed data was never acknowledged, and may be incomplete.
    safeRestore: !unsafeNoFsync,
  } as Parameters<typeof open>[0]);
  const meta = env.openDB<string, string>('meta', { encoding: 'string' });
  const compressed = meta.get('format') !== '1' && meta.get('compression') !== 'none';
  const compression = compressed && { threshold: compressedFromBytes, dictionary: Buffer.from(dictionary) };
  return {
    env: env as RootDatabase<Buffer, string>,
    entries: env.openDB('entries', { encoding: 'binary', compression }),
    history: env.openDB('history', { encoding: 'binary', compression }),
    meta,
    leases: env.openDB('leases', { encoding: 'string' }),
    reserve: env.openDB('reserve', { encoding: 'binary' }),
  };
}

/** Former formats get their checksums, all or none; their past is not taken over. */
function upgrade({ env, entries, history, meta, leases }: Tables, directory: string): void {
  const format = meta.get('format');
  if (!formerFormats.includes(format)) {
    const version = format === undefined || format.length < 9 ? format : decodeText('format', format);
    if (version === formatVersion) return;
    throw new StoreUnusable(
      'version',
      `the store in ${directory} has format ${version}, this program reads format ${formatVersion}: use the version of Coracle that made it, or restore a backup`,
    );
  }
  env.transactionSync(() => {
    for (const { key, value } of entries.getRange({})) entries.putSync(key, encodeEntry(readEntry(key, value)));
    for (const { key, value } of leases.getRange({})) leases.putSync(key, encodeText(`lease ${key}`, value));
    history.clearSync();
    const revision = meta.get('revision') ?? '1';
    meta.putSync('revision', encodeText('revision', revision));
    meta.putSync('compacted', encodeText('compacted', revision));
    if (format === '1') meta.putSync('compression', 'none');
    meta.putSync('format', encodeText('format', formatVersion));
  });
}

/** Reads every record, so that damage is found at start and not during a request. */
function verify({ entries, history, meta, leases }: Tables): void {
  for (const { key, value } of entries.getRange({})) decodeEntry(key, value);
  for (const { key, value } of history.getRange({})) decodeUndo(key, value);
  for (const { key, value } of leases.getRange({})) decodeText(`lease ${key}`, value);
  for (const name of ['revision', 'compacted']) decodeText(name, meta.get(name));
}

/** Ignores the failure of a single write: the batch reports it. */
export const told = () => {};

/** LMDB reports the cause of a failed commit in a separate promise. */
export const causeOf = (error: unknown): Promise<unknown> =>
  Promise.resolve((error as { commitError?: Promise<never> })?.commitError).then(
    () => error,
    (cause) => cause,
  );

/** In etcd's words. */
export const full = (directory: string, detail: string, cause?: unknown) =>
  new StoreUnusable('disk-full', `mvcc: database space exceeded: the disk of ${directory} is full, ${detail}`, {
    cause,
  });

/** LMDB's and the system's errors in the store's words. */
export function unusable(error: unknown, directory: string): unknown {
  if (error instanceof StoreUnusable) return error;
  const text = String((error as Error)?.message ?? error);
  // LMDB reports a write that ran out of space as an I/O error.
  if (
    /MAP_FULL|ENOSPC|No space/i.test(text) ||
    (/Input\/output error/i.test(text) && freeBytes(directory) < fullBelowBytes)
  )
    return full(directory, `nothing was written (${text})`, error);
  if (/CORRUPTED|INVALID|PAGE_NOTFOUND|not an LMDB|ENOEXEC|decompress/i.test(text)) return damaged(directory, text);
  if (/VERSION_MISMATCH/i.test(text)) return new StoreUnusable('version', text, { cause: error });
  return error;
}
