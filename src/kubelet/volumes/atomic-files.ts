// Files of ConfigMaps, Secrets and the like: all change at once, by one rename of a symbolic link.
// A volume has ..data -> ..<timestamp>, and each file is a link through ..data.

import {
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import { VolumeError } from './volume.ts';

const dataPrefix = '..data_';

export interface File {
  readonly content: Buffer;
  /** Permission bits. */
  readonly mode: number;
  /** Its user when that is not root. */
  readonly owner?: number;
}

/** The group of fsGroup reads files and enters directories; new files of a directory inherit the group. */
const groupReads = 0o440;
const groupEnters = 0o2550;
const longestPath = 4096;
const longestName = 255;

/**
 * Makes `directory`, of mode `mode`, contain exactly `files` (relative paths). Writes only differences. `group` is the
 * pod's fsGroup.
 */
export async function writeAtomically(
  directory: string,
  given: ReadonlyMap<string, File>,
  { mode = 0o777, group }: { mode?: number; group?: number } = {},
): Promise<void> {
  const files = new Map(
    [...given].map(([name, file]) => [
      checkedPath(name),
      group === undefined ? file : { ...file, mode: file.mode | groupReads },
    ]),
  );
  const openDirectory = async (at: string, bits: number) => {
    if (group !== undefined) await chown(at, -1, group);
    await chmod(at, group === undefined ? bits : bits | groupEnters);
  };
  await mkdir(directory, { recursive: true, mode: 0o750 });
  await openDirectory(directory, mode);
  const link = path.join(directory, '..data');
  const current = await readlink(link).catch(() => undefined);
  if (current !== undefined && (await holds(path.join(directory, current), files))) return;

  const fresh = await mkdtemp(path.join(directory, dataPrefix));
  await openDirectory(fresh, 0o755);
  for (const [name, file] of files) {
    const target = path.join(fresh, name);
    for (const parent of parentsOf(name)) {
      await mkdir(path.join(fresh, parent), { recursive: true });
      await openDirectory(path.join(fresh, parent), 0o755);
    }
    await writeFile(target, file.content, { mode: 0o600 });
    if (file.owner !== undefined || group !== undefined) await chown(target, file.owner ?? -1, group ?? -1);
    await chmod(target, file.mode); // the umask must not narrow the mode
  }
  await rm(`${link}_tmp`, { force: true }); // of a crash between the next two lines
  await symlink(path.basename(fresh), `${link}_tmp`);
  await rename(`${link}_tmp`, link);
  await linkEntries(directory, files);
  for (const name of await readdir(directory))
    if (name.startsWith(dataPrefix) && name !== path.basename(fresh))
      await rm(path.join(directory, name), { recursive: true, force: true });
}

/** Kubernetes' rules for the path of a projected file, with its texts. */
function checkedPath(name: string): string {
  const refuse = (why: string): never => {
    throw new VolumeError(`invalid path: ${why}`);
  };
  if (name === '') return refuse('must not be empty: ""');
  if (path.isAbsolute(name)) return refuse(`must be relative path: ${name}`);
  if (name.length > longestPath) return refuse(`must be less than or equal to ${longestPath} characters`);
  const parts = name.split('/');
  if (parts.includes('..')) return refuse(`must not contain '..': ${name}`);
  if (parts.some((part) => part.length > longestName))
    return refuse(`filenames must be less than or equal to ${longestName} characters`);
  if (parts[0].startsWith('..')) return refuse(`must not start with '..': ${name}`);
  return path.normalize(name);
}

/** The directories above a relative path, the outermost first. */
function parentsOf(name: string): string[] {
  const parts = name.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

async function holds(directory: string, files: ReadonlyMap<string, File>): Promise<boolean> {
  const have = await listFiles(directory);
  if (have.length !== files.size) return false;
  for (const name of have) {
    const wanted = files.get(name);
    if (!wanted || !(await readFile(path.join(directory, name))).equals(wanted.content)) return false;
    const found = await lstat(path.join(directory, name));
    if ((found.mode & 0o777) !== (wanted.mode & 0o777)) return false;
    if (wanted.owner !== undefined && found.uid !== wanted.owner) return false;
  }
  return true;
}

async function listFiles(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((e) => e.isFile()).map((e) => path.relative(directory, path.join(e.parentPath, e.name)));
}

async function linkEntries(directory: string, files: ReadonlyMap<string, File>): Promise<void> {
  const wanted = new Set([...files.keys()].map((name) => name.split('/')[0]));
  for (const name of await readdir(directory)) {
    if (name.startsWith('..')) continue;
    // A link belongs to this writer. A directory is the mount point of a nested volume, which the runtime made.
    const found = await lstat(path.join(directory, name));
    if (!wanted.delete(name) && found.isSymbolicLink()) await rm(path.join(directory, name), { force: true });
  }
  for (const name of wanted) await symlink(path.join('..data', name), path.join(directory, name));
}
