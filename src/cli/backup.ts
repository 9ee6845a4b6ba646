import { existsSync } from 'node:fs';
import {
  type BackupSource,
  backupBytes,
  type Inspection,
  inspectBackup,
  openPlace,
  packBackup,
  readSettings,
  startCommand,
  withStoppedStore,
} from '../cluster/backup/backup.ts';
import { readControl } from '../cluster/control.ts';
import { type DataDirectory, runningProcess } from '../cluster/data-directory.ts';
import { systemClock } from '../machinery/time/clock.ts';
import {
  backupFailure,
  decryptionOf,
  encryptionOf,
  type PlaceFlags,
  placeOptions,
  type SecretFlags,
} from './options/backup-options.ts';
import { bold, CliError, type ClusterOptions, directoryOf, print } from './options/options.ts';

interface CreateOptions extends ClusterOptions, PlaceFlags {
  readonly recipient: readonly string[];
  readonly passphrase?: boolean;
  readonly passphraseFile?: string;
  readonly at?: string;
  readonly output: 'text' | 'json';
}

export async function create(place: string, options: CreateOptions): Promise<void> {
  const directory = directoryOf(options);
  if (!existsSync(directory.stamp)) throw new CliError(`there is no cluster in ${directory.root}`, 3);
  try {
    const encryption = await encryptionOf(options);
    const { folder, name } = openPlace(place, placeOptions(options));
    const write = (bytes: AsyncIterable<Uint8Array>) => folder.write(name, packBackup(bytes, encryption));
    const running = await runningProcess(directory);
    const size = running
      ? await write(await readRunning(directory, running.pid, options.at))
      : await createStopped(directory, options, write);
    if (options.output === 'json') print(JSON.stringify({ place, bytes: size }));
    else print(`The backup ${place} is complete: ${bytes(size)}.`);
    const isOpen = !encryption.passphrase && !encryption.recipients?.length;
    if (isOpen && options.output === 'text')
      print('It contains the keys of the cluster and is not encrypted: keep it private.');
  } catch (error) {
    throw backupFailure(error, place);
  }
}

const readRunning = (directory: DataDirectory, pid: number, at: string | undefined) =>
  readControl(directory.controlSocket, 'backup', { at }).catch((error: NodeJS.ErrnoException) => {
    const isAbsent = error.code === 'ENOENT' || error.code === 'ECONNREFUSED';
    throw new CliError(isAbsent ? `the cluster (process ${pid}) is still starting, or ends: try again` : error.message);
  });

/** The store is in no other process. */
async function createStopped(
  directory: DataDirectory,
  { name, at }: CreateOptions,
  write: (bytes: AsyncIterable<Uint8Array>) => Promise<number>,
): Promise<number> {
  const saved = (await readSettings(directory)) ?? { name, store: 'embedded', flags: {} };
  if (saved.store === 'memory') throw new CliError('a stopped cluster with --store memory has nothing to back up', 3);
  if (at !== undefined && !/^\d+$/.test(at))
    throw new CliError('a stopped cluster knows no times of its revisions: give --at a revision');
  return withStoppedStore(directory, saved, systemClock, (store) => {
    const source: BackupSource = { directory, store, clock: systemClock, saved };
    return write(backupBytes(source, at === undefined ? undefined : Number(at)));
  });
}

export async function inspect(
  place: string,
  options: PlaceFlags & SecretFlags & { readonly output: 'text' | 'json' },
): Promise<void> {
  try {
    const { folder, name } = openPlace(place, placeOptions(options));
    const found = await inspectBackup(folder.read(name), await decryptionOf(options));
    if (options.output === 'json') print(JSON.stringify(found, null, 2));
    else printInspection(place, found);
  } catch (error) {
    throw backupFailure(error, place);
  }
}

function printInspection(place: string, found: Inspection): void {
  print(`${bold(place)}  whole: all checksums match`);
  print(`  cluster     ${found.cluster}${found.server ? `  ${found.server}` : ''}`);
  print(`  made        ${found.time}`);
  print(`  revision    ${found.revision}`);
  print(`  versions    Coracle ${found.coracle}, Kubernetes ${found.kubernetes}`);
  print(`  store       ${found.store}${found.isServer ? ', shared by the servers' : ''}`);
  print(`  encryption  ${found.encryption}`);
  print(`  size        ${bytes(found.packedBytes)}; objects ${bytes(found.objectBytes)}`);
  print(`  start       ${startCommand({ name: found.cluster, flags: found.settings, isServer: found.isServer })}`);
  print(`\nObjects (${found.objects})`);
  for (const { resource, count, bytes: size } of found.resources)
    print(`  ${resource.padEnd(56)} ${String(count).padStart(7)}  ${bytes(size).padStart(10)}`);
  print(`\nFiles (${found.files.length})`);
  for (const { path, bytes: size } of found.files) print(`  ${path.padEnd(56)} ${bytes(size).padStart(19)}`);
}

function bytes(count: number): string {
  if (count < 1024) return `${count} B`;
  return count < 2 ** 20 ? `${(count / 1024).toFixed(1)} KiB` : `${(count / 2 ** 20).toFixed(1)} MiB`;
}
