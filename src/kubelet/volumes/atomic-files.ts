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

const dataPrefix = '..data_';

export interface File {
  readonly content: Buffer;
  /** Permission bits. */
  readonly mode: number;
}

/** Makes `directory` hold exactly `files` (relative paths). Nothing is written when it does already. */
export async function writeAtomically(
  directory: string,
  files: ReadonlyMap<string, File>,
  group?: number,
): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const link = path.join(directory, '..data');
  const current = await readlink(link).catch(() => undefined);
  if (current !== undefined && (await holds(path.join(directory, current), files))) return;

  const fresh = await mkdtemp(path.join(directory, dataPrefix));
  await chmod(fresh, 0o755);
  for (const [name, file] of files) {
    const target = path.join(fresh, name);
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, file.content, { mode: file.mode });
    await chmod(target, file.mode); // the umask must not narrow what was asked for
    if (group !== undefined) await chown(target, -1, group);
  }
  await rm(`${link}_tmp`, { force: true }); // of a crash between the next two lines
  await symlink(path.basename(fresh), `${link}_tmp`);
  await rename(`${link}_tmp`, link);
  await linkEntries(directory, files);
  for (const name of await readdir(directory))
    if (name.startsWith(dataPrefix) && name !== path.basename(fresh))
      await rm(path.join(directory, name), { recursive: true, force: true });
}

async function holds(directory: string, files: ReadonlyMap<string, File>): Promise<boolean> {
  const have = await listFiles(directory);
  if (have.length !== files.size) return false;
  for (const name of have) {
    const wanted = files.get(name);
    if (!wanted || !(await readFile(path.join(directory, name))).equals(wanted.content)) return false;
    if (((await lstat(path.join(directory, name))).mode & 0o777) !== (wanted.mode & 0o777)) return false;
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
    if (!wanted.delete(name)) await rm(path.join(directory, name), { force: true });
  }
  for (const name of wanted) await symlink(path.join('..data', name), path.join(directory, name));
}
