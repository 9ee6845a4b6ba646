// Makes the restored cluster in a separate directory, from a backup that is read once.

import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../../machinery/time/clock.ts';
import {
  type BackupHeader,
  type BackupPart,
  BackupUnusable,
  type Entry,
  encodeBackup,
  openStore,
  pack,
  type Revision,
  restoreEmbedded,
  type StoredPart,
} from '../../store/store.ts';
import { openBackup } from './inspect.ts';
import { syncDirectory } from './place.ts';
import { entriesOf } from './present.ts';
import { entriesFile } from './settle.ts';

interface Build {
  readonly directory: string;
  readonly parts: AsyncIterable<BackupPart>;
}

/** With an embedded store at a revision. */
export async function buildWithStore({ directory, parts }: Build, revision: Revision): Promise<void> {
  const store = path.join(directory, 'store');
  await restoreEmbedded({ directory: store, revision }, storedParts(directory, parts));
}

/** With the entries in a file, for etcd. */
export async function buildWithEntries({ directory, parts }: Build, header: BackupHeader): Promise<void> {
  const file = createWriteStream(path.join(directory, entriesFile), { mode: 0o600, flush: true });
  await pipeline(pack(encodeBackup(header, storedParts(directory, parts)), {}), file);
}

/** Writes the files among the parts to the directory, and passes the others on. */
async function* storedParts(directory: string, parts: AsyncIterable<BackupPart>): AsyncIterable<StoredPart> {
  for await (const part of parts)
    if (part.type === 'file') await writeOwnFile(directory, checkedPath(part.path), part.content);
    else yield part;
}

/** Throws BackupUnusable for a path that leads out of the cluster's own files. */
function checkedPath(file: string): string {
  const isOwn = file === 'network.json' || file.startsWith('pki/') || file.startsWith('files/');
  if (isOwn && path.posix.normalize(file) === file && !file.includes('\0') && !file.endsWith('/')) return file;
  throw new BackupUnusable('foreign', `it contains the file ${JSON.stringify(file)}, which belongs to no cluster`);
}

export async function writeOwnFile(directory: string, name: string, content: Uint8Array | string): Promise<void> {
  const file = path.join(directory, name);
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  await writeFile(file, content, { mode: 0o600, flush: true });
}

/** The entries of the restored cluster, one by one. */
export async function* builtEntries(directory: string, clock: Clock): AsyncIterable<Entry> {
  const names = await readdir(directory);
  if (names.includes(entriesFile)) {
    const { parts } = await openBackup(createReadStream(path.join(directory, entriesFile)), {});
    for await (const part of parts) if (part.type === 'entries') yield* part.entries;
    return;
  }
  const store = await openStore({ kind: 'embedded', clock, directory: path.join(directory, 'store'), mustExist: true });
  try {
    yield* entriesOf(store);
  } finally {
    await store.close();
  }
}

/** The names in all directories reach the disk. */
export async function syncTree(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true }))
    if (entry.isDirectory()) await syncTree(path.join(directory, entry.name));
  await syncDirectory(directory);
}
