// The content of a backup: everything that makes a cluster this cluster. Beside its objects, these are its certificate
// authorities and keys, the encryption of its data, its address ranges and its settings.

import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { formatTime, kubernetesVersion } from '../../api/api.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import {
  type BackupHeader,
  type BackupPart,
  type Entry,
  encodeBackup,
  prefixRange,
  type Revision,
  type Store,
  type StoredPart,
  textOf,
} from '../../store/store.ts';
import { type Setting, settings } from '../config.ts';
import type { DataDirectory } from '../data-directory.ts';
import { version } from '../version.ts';
import type { Flags, SavedSettings } from './saved-settings.ts';

export interface BackupSource {
  readonly directory: DataDirectory;
  readonly store: Store;
  readonly clock: Clock;
  readonly saved: SavedSettings;
}

export const everything = prefixRange('/registry/');
/** API servers register here for seconds: they are part of no state. */
const registrations = '/registry/masterleases/';
/** Lifetime of events, for leases whose own is not known. */
const unknownLeaseSeconds = 3600;
const encryptionFile = 'pki/encryption.yaml';

/** All content of a store at its present revision. */
export async function* storedContent(store: Store): AsyncIterable<StoredPart> {
  const parts = pagesOf();
  for await (const page of store.readAll(everything)) yield* parts(store, page);
}

/** Converts pages in their order: each lease comes once, before its entries. */
function pagesOf() {
  const granted = new Set<number>();
  return async function* (store: Store, page: { readonly entries: readonly Entry[] }): AsyncIterable<StoredPart> {
    const entries = page.entries.filter(({ key }) => !key.startsWith(registrations));
    for (const { lease } of entries)
      if (lease && !granted.has(lease)) {
        granted.add(lease);
        const seconds = (await store.leaseSeconds(lease)) ?? unknownLeaseSeconds;
        yield { type: 'lease', lease, seconds };
      }
    yield { type: 'entries', entries };
  };
}

/**
 * The bytes of a backup at one revision (default: now), before they are packed. Throws Compacted, FutureRevision, and an
 * error that names a file that cannot be read.
 */
export async function* backupBytes(source: BackupSource, at?: Revision): AsyncGenerator<Buffer, void> {
  const pages = source.store.readAll(everything, at)[Symbol.asyncIterator]();
  try {
    const first = await pages.next();
    if (first.done) throw new Error('the store has no content');
    const { flags, files } = ownFiles(source.saved.flags);
    const clusterUid = await readClusterUid(source.store);
    const header: BackupHeader = {
      cluster: source.saved.name,
      ...(clusterUid !== undefined && { clusterUid }),
      revision: first.value.revision,
      time: formatTime(source.clock.now()),
      coracle: version,
      kubernetes: kubernetesVersion.gitVersion,
      store: source.saved.store,
      ...(source.saved.isServer && { isServer: true }),
      ...(source.saved.server !== undefined && { server: source.saved.server }),
      settings: flags,
    };
    const storedPages = pagesOf();
    const parts = async function* (): AsyncIterable<BackupPart> {
      yield* fileParts(source.directory, files);
      yield* storedPages(source.store, first.value);
      for (let page = await pages.next(); !page.done; page = await pages.next())
        yield* storedPages(source.store, page.value);
    };

    yield* encodeBackup(header, parts());
  } finally {
    await pages.return?.();
  }
}

/** The UID of kube-system, which every cluster makes once; undefined if the namespace cannot be read. */
export async function readClusterUid(store: Store): Promise<string | undefined> {
  try {
    const entry = await store.get('/registry/namespaces/kube-system');
    return entry && JSON.parse(textOf(entry.value)).metadata.uid;
  } catch {
    return undefined;
  }
}

/**
 * Files that settings name get a place in the data directory of the restored cluster, and their flags name it there.
 * An encryption configuration becomes the cluster's own.
 */
function ownFiles(given: Flags): { flags: Flags; files: ReadonlyMap<string, string> } {
  const files = new Map<string, string>();
  const flags: Record<string, string> = {};
  for (const [flag, value] of Object.entries(given)) {
    const setting = (Object.values(settings) as Setting<unknown>[]).find((each) => each.flag === flag);
    if (flag === settings.encryptionConfig.flag && value !== 'auto') files.set(encryptionFile, value);
    else if (setting?.isFile) files.set((flags[flag] = `files/${flag}/${path.basename(value)}`), value);
    else flags[flag] = value;
  }
  return { flags, files };
}

async function* fileParts(directory: DataDirectory, files: ReadonlyMap<string, string>): AsyncIterable<BackupPart> {
  const own = (await readdir(directory.pki, { recursive: true, withFileTypes: true }).catch(() => []))
    .filter((file) => file.isFile() && !file.name.endsWith('.new'))
    .map((file) => path.relative(directory.root, path.join(file.parentPath, file.name)));
  for (const file of [...own.filter((each) => !files.has(each)).sort(), path.basename(directory.ranges)]) {
    const content = await readFile(path.join(directory.root, file)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (content) yield { type: 'file', path: file, content };
  }
  for (const [name, file] of files) yield { type: 'file', path: name, content: await readFile(file) };
}
