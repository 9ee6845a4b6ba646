// Opens and makes paths below a directory that containers may change concurrently. Each component is opened separately,
// relative to the descriptor of its parent and without following links, so that no replacement leads out of the
// directory. (openat2's RESOLVE_BENEATH; Node has no openat, /proc/self/fd/N/NAME does the same.)

import { constants, type Stats } from 'node:fs';
import { chmod, type FileHandle, mkdir, open, realpath } from 'node:fs/promises';
import path from 'node:path';
import { must } from '../../machinery/must.ts';

/** O_PATH: a descriptor that only refers to a file. It opens no device and does not wait for a FIFO's other end. */
export const pathOnly = 0x20_0000;
const anyFile = pathOnly | constants.O_NOFOLLOW;
/** Flags of a directory to work in. */
export const directoryOnly = anyFile | constants.O_DIRECTORY;

/** A path leads out of its directory, or contains a forbidden link. */
export class UnsafePathError extends Error {
  override readonly name = 'UnsafePathError';
}

/** A path in this process that refers to the open file, even after a rename. */
export const pathOf = (handle: FileHandle): string => `/proc/self/fd/${handle.fd}`;

/** The components of a relative path. Throws for `..` and for absolute paths. */
function componentsOf(relative: string): string[] {
  if (path.isAbsolute(relative)) throw new UnsafePathError(`${relative} must not be an absolute path`);
  const components = relative.split('/').filter((name) => name !== '' && name !== '.');
  if (components.includes('..')) throw new UnsafePathError(`${relative} must not contain '..'`);
  return components;
}

/** Opens the path `relative` below `base`; `base` itself is trusted. The last component is opened with `flags`. */
export async function openBeneath(base: string, relative: string, flags = anyFile): Promise<FileHandle> {
  const components = componentsOf(relative);
  const last = components.pop();
  if (last === undefined) return open(base, flags & ~constants.O_NOFOLLOW);
  let parent = await open(base, directoryOnly & ~constants.O_NOFOLLOW);
  try {
    for (const name of components) parent = await replace(parent, open(`${pathOf(parent)}/${name}`, directoryOnly));
    const found = await open(`${pathOf(parent)}/${last}`, flags | constants.O_NOFOLLOW);
    return await refuseLink(found, path.join(base, relative));
  } finally {
    await parent.close();
  }
}

async function refuseLink(handle: FileHandle, name: string): Promise<FileHandle> {
  const found: Stats = await handle.stat();
  if (!found.isSymbolicLink()) return handle;
  await handle.close();
  throw new UnsafePathError(`unexpected symlink found ${name}`);
}

async function replace(parent: FileHandle, opening: Promise<FileHandle>): Promise<FileHandle> {
  const child = await opening;
  await parent.close();
  return child;
}

/**
 * Where `relative` leads, links followed, as a path relative to the real `base`. Links may go anywhere within `base`.
 * Only an answer: it may be outdated when it is used, so it is opened with `openBeneath`.
 */
export async function resolveBeneath(base: string, relative: string): Promise<string> {
  const target = await realpath(path.join(base, ...componentsOf(relative)));
  const within = path.relative(base, target);
  if (within === '..' || within.startsWith('../')) throw new UnsafePathError(`${target} is outside of ${base}`);
  return within;
}

/** Makes the directories of `relative` that are missing, each with exactly `mode`. */
export async function makeDirectoriesBeneath(base: string, relative: string, mode: number): Promise<void> {
  const missing: string[] = [];
  const existing = componentsOf(relative);
  let within = '';
  for (; existing.length > 0; missing.unshift(must(existing.pop(), 'path component'))) {
    const found = await resolveBeneath(base, existing.join('/')).catch(orMissing);
    if (found === undefined) continue;
    within = found;
    break;
  }
  let parent = await openBeneath(base, within, directoryOnly);
  try {
    for (const name of missing) {
      const child = `${pathOf(parent)}/${name}`;
      await mkdir(child, { mode });
      parent = await replace(parent, open(child, directoryOnly));
      await chmod(pathOf(parent), mode); // the umask must not narrow it
    }
  } finally {
    await parent.close();
  }
}

export function orMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}

/** Reads a regular file below `base`, at most `limit` bytes from its end. Undefined when it is no regular file. */
export async function readEndBeneath(base: string, relative: string, limit: number): Promise<Buffer | undefined> {
  const handle = await openRegularBeneath(base, relative);
  if (!handle) return undefined;
  try {
    const { size } = await handle.stat();
    const length = Math.min(size, limit);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** The kubelet may replace the files of a volume meanwhile. */
const readAttempts = 3;

/** The text of a regular file below `base`; links lead to it within `base` alone. Throws for a longer one than `limit`. */
export async function readBeneath(base: string, relative: string, limit: number): Promise<string> {
  const root = await realpath(base);
  for (let attempt = 1; attempt <= readAttempts; attempt++) {
    const handle = await openRegularBeneath(root, await resolveBeneath(root, relative));
    if (!handle) continue;
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(limit + 1), 0, limit + 1, 0);
      if (bytesRead > limit) throw new Error(`${relative} is longer than ${limit} bytes`);
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await handle.close();
    }
  }
  throw new UnsafePathError(`${relative} is not a regular file`);
}

/** Opens the path of a handle's directory again, for one regular file in it. */
export const openRegularIn = (directory: FileHandle, name: string): Promise<FileHandle | undefined> =>
  onlyRegular(open(`${pathOf(directory)}/${name}`, anyFile));

/** Undefined without a regular file of that name. Never waits for a FIFO, opens no device, follows no link. */
export async function openRegularBeneath(base: string, relative: string): Promise<FileHandle | undefined> {
  return onlyRegular(openBeneath(base, relative));
}

/**
 * Opens the file to read only when it is known to be regular: a device acts when it is opened, a watchdog restarts the
 * machine, and containers make nodes of any device in their volumes.
 */
async function onlyRegular(opening: Promise<FileHandle>): Promise<FileHandle | undefined> {
  const found = await opening.catch((error: NodeJS.ErrnoException) => {
    if (error instanceof UnsafePathError || unreadable.includes(error.code ?? '')) return undefined;
    throw error;
  });
  try {
    if (found && (await found.stat()).isFile()) return await open(pathOf(found), constants.O_RDONLY);
    return undefined;
  } finally {
    await found?.close();
  }
}

const unreadable = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'];
