// The LMDB environment of the embedded store: its tables, and its failures in the store's words.

import { join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import { dictionary } from './dictionary.ts';
import { damaged, databaseFile, freeBytes } from './embedded-files.ts';
import { type Revision, StoreUnusable } from './store.ts';

const formatVersion = '2';
/** Nothing was compressed in format 1, and nothing is in a store that was made with it; its past is forgotten. */
const olderFormat = '1';
/** Smaller values are not worth the time. */
const compressedFromBytes = 200;
/** With less than this free, a failed write is put down to the disk being full. */
const fullBelowBytes = 16 << 20;
/**
 * Reserved for the map of the file, not taken: a file that outgrows its map is mapped once more, and until all is
 * closed both count. The store may grow beyond it.
 */
const addressSpaceBytes = 8 * 2 ** 30;

export interface Tables {
  readonly env: RootDatabase<Buffer, string>;
  readonly entries: Database<Buffer, string>;
  /** What each revision replaced. */
  readonly history: Database<Buffer, Revision>;
  readonly meta: Database<string, string>;
  /** Seconds to live by lease. */
  readonly leases: Database<string, number>;
}

export function openDatabase(directory: string): Tables {
  const env = open<Buffer, string>({
    path: join(directory, databaseFile),
    noSubdir: true,
    maxDbs: 8,
    encoding: 'binary',
    // Every write is in a batch of its own making; LMDB's would have a promise that nobody can catch.
    eventTurnBatching: false,
    mapSize: addressSpaceBytes,
  });
  const meta = env.openDB<string, string>('meta', { encoding: 'string' });
  const version = meta.get('format');
  const compressed = version !== olderFormat && meta.get('compression') !== 'none';
  const compression = compressed && { threshold: compressedFromBytes, dictionary: Buffer.from(dictionary) };
  const tables: Tables = {
    env,
    entries: env.openDB('entries', { encoding: 'binary', compression }),
    history: env.openDB('history', { encoding: 'binary', compression }),
    meta,
    leases: env.openDB('leases', { encoding: 'string' }),
  };
  if (version !== undefined && version !== formatVersion && version !== olderFormat) {
    void env.close();
    throw new StoreUnusable(
      'version',
      `the store in ${directory} has format ${version}, this program reads format ${formatVersion}: use the version of Coracle that made it, or restore a backup`,
    );
  }
  if (version === olderFormat) upgrade(tables);
  if (version === undefined) meta.putSync('format', formatVersion);
  return tables;
}

function upgrade({ env, history, meta }: Tables): void {
  env.transactionSync(() => {
    history.clearSync();
    meta.putSync('compacted', meta.get('revision') ?? '1');
    meta.putSync('compression', 'none');
    meta.putSync('format', formatVersion);
  });
}

/** The batch as a whole tells of the failure of each of its writes. */
export const told = () => {};

/** LMDB says why a commit failed in a promise of its own. */
export const causeOf = (error: unknown): Promise<unknown> =>
  Promise.resolve((error as { commitError?: Promise<never> })?.commitError).then(
    () => error,
    (cause) => cause,
  );

/** LMDB's and the system's errors in the store's words. */
export function unusable(error: unknown, directory: string): unknown {
  if (error instanceof StoreUnusable) return error;
  const text = String((error as Error)?.message ?? error);
  // A write that was cut short for want of space is an I/O error to LMDB.
  if (
    /MAP_FULL|ENOSPC|No space/i.test(text) ||
    (/Input\/output error/i.test(text) && freeBytes(directory) < fullBelowBytes)
  )
    return new StoreUnusable('disk-full', `the disk of ${directory} is full, nothing was written: ${text}`, {
      cause: error,
    });
  if (/CORRUPTED|INVALID|PAGE_NOTFOUND|not an LMDB|ENOEXEC/i.test(text)) return damaged(directory, text);
  if (/VERSION_MISMATCH/i.test(text)) return new StoreUnusable('version', text, { cause: error });
  return error;
}
