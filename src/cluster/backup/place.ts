// Where backups are: a file, or an object of an S3 server. Both appear as a whole or not at all.

import { createReadStream } from 'node:fs';
import { link, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { BackupError, type BackupFolder, partialSuffix } from './folder.ts';
import { type S3Options, s3Folder } from './s3.ts';

export interface PlaceOptions extends S3Options {
  /** Directory for a backup that cannot be sent before it is complete. */
  readonly scratch: string;
}

const isS3 = (place: string): boolean => place.startsWith('s3://');

/** `place` is a directory, or s3://BUCKET/PREFIX. */
export const openFolder = (place: string, options: PlaceOptions): BackupFolder =>
  isS3(place) ? s3Folder(place, options, writeFile) : directoryFolder(place);

/** Whether `place` is a directory, or a prefix of a bucket (it ends with a slash). */
export async function isFolder(place: string): Promise<boolean> {
  if (isS3(place)) return place.endsWith('/');
  return (await stat(place).catch(() => undefined))?.isDirectory() ?? false;
}

/** `place` is a file, or s3://BUCKET/KEY. */
export function openPlace(place: string, options: PlaceOptions): { folder: BackupFolder; name: string } {
  const slash = place.lastIndexOf('/');
  if (isS3(place)) {
    if (!/^s3:\/\/[^/]+\/.*[^/]$/.test(place)) throw new BackupError(`${place} names no object: give s3://BUCKET/KEY`);
    return { folder: openFolder(place.slice(0, slash), options), name: place.slice(slash + 1) };
  }
  const file = path.resolve(place);
  return { folder: directoryFolder(path.dirname(file)), name: path.basename(file) };
}

function directoryFolder(directory: string): BackupFolder {
  return {
    write: (name, bytes) => writeFile(path.join(directory, name), bytes),
    read: (name) => createReadStream(path.join(directory, name)),
    async list() {
      const found = await readdir(directory, { withFileTypes: true });
      return found.filter((entry) => entry.isFile()).map(({ name }) => name);
    },
    remove: (name) => rm(path.join(directory, name), { force: true }),
  };
}

/** The file is there when all of it is on the disk, for its owner alone. A kill leaves at most a hidden partial file. */
async function writeFile(file: string, bytes: AsyncIterable<Uint8Array>): Promise<number> {
  const directory = path.dirname(file);
  const taken = () => new BackupError(`${file} exists: choose another name, or remove it first`);
  if (await stat(file).catch(() => undefined)) throw taken();
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await removePartials(directory);
  const partial = path.join(directory, `.${path.basename(file)}.${process.pid}${partialSuffix}`);
  try {
    let size = 0;
    const handle = await open(partial, 'wx', 0o600);
    try {
      for await (const chunk of bytes) {
        await handle.writeFile(chunk);
        size += chunk.length;
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    await publish(partial, file, taken);
    await syncDirectory(directory);
    return size;
  } finally {
    await rm(partial, { force: true });
  }
}

/** A link never replaces a file that appeared meanwhile. */
async function publish(partial: string, file: string, taken: () => Error): Promise<void> {
  try {
    await link(partial, file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw taken();
    await rename(partial, file); // this file system has no links
  }
}

export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  await handle.sync().finally(() => handle.close());
}

/** Removes partial files of processes that no longer run. */
async function removePartials(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const [, pid] = /^\..+\.(\d+)\.coracle-partial$/.exec(name) ?? [];
    // Another user's remain.
    if (pid !== undefined && !isRunning(Number(pid)))
      await rm(path.join(directory, name), { force: true }).catch(() => {});
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
