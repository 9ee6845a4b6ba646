// The files of a container's log: the current one, and those that it was rotated into.

import { type FileHandle, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { directoryOnly, openBeneath, pathOf, UnsafePathError } from '../files/safe-path.ts';

/** `file` is absolute and below `root`; links below it are not followed. */
export interface LogFile {
  readonly root: string;
  readonly file: string;
}

/** Older files of a rotated log, oldest first: 0.log.20260101-000000, all but the newest with .gz. */
export async function rotatedFiles(log: LogFile): Promise<string[]> {
  const names = await inDirectory(log, (directory) => rotatedNames(directory, log.file));
  return (names ?? []).map((name) => path.join(path.dirname(log.file), name));
}

export async function rotatedNames(directory: FileHandle, file: string): Promise<string[]> {
  const names = await readdir(pathOf(directory));
  const prefix = `${path.basename(file)}.`;
  return names
    .filter((name) => name.startsWith(prefix) && /^\d{8}-\d{6}(\.gz)?$/.test(name.slice(prefix.length)))
    .filter((name) => !name.endsWith('.gz') || !names.includes(name.slice(0, -3))) // being replaced right now
    .sort();
}

/**
 * Runs in the log's directory by descriptor, so that a pod that mounts the log directories cannot redirect it by
 * renaming. Undefined without a directory.
 */
export async function inDirectory<T>(
  { root, file }: LogFile,
  work: (directory: FileHandle) => Promise<T>,
): Promise<T | undefined> {
  const opening = openBeneath(root, path.relative(root, path.dirname(file)), directoryOnly);
  const directory = await opening.catch((error: NodeJS.ErrnoException) => {
    if (error instanceof UnsafePathError || ['ENOENT', 'ENOTDIR', 'ELOOP'].includes(error.code ?? '')) return undefined;
    throw error;
  });
  if (!directory) return undefined;
  try {
    return await work(directory);
  } finally {
    await directory.close();
  }
}

export async function removeLog(log: LogFile): Promise<void> {
  await inDirectory(log, async (directory) => {
    for (const name of [...(await rotatedNames(directory, log.file)), path.basename(log.file)])
      await rm(`${pathOf(directory)}/${name}`, { force: true });
  });
}
