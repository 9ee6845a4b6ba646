// A container's image holds none of our tools, and yet the last steps (dropping privileges, setting the environment)
// happen inside of it. So a few programs of this machine, with their libraries and the dynamic linker, are copied to one
// small directory that each container has read-only at /dev/.coracle; runc and docker-init do the like.

import * as fs from 'node:fs';
import { basename, join } from 'node:path';
import { mustRun } from './process.ts';

export const toolsPath = '/dev/.coracle';
/** Where the machine's own root is for the moment between pivot_root and its unmounting. */
export const oldRoot = `${toolsPath}/old`;

const programs = ['setpriv', 'env', 'umount', 'setsid'];
const searchPath = ['/usr/bin', '/bin', '/usr/sbin', '/sbin', '/usr/local/bin'];
const needed = [...programs, 'sh', 'unshare', 'nsenter', 'mount', 'pivot_root', 'cp', 'ip'];

/** What of this machine's programs is missing, with what would bring it; undefined when all are there. */
export function missingPrograms(): string | undefined {
  const missing = needed.filter((name) => !find(name));
  if (missing.length === 0) return undefined;
  return `${missing.join(', ')} not found: install util-linux, coreutils and iproute2`;
}

export interface Tools {
  /** Mounted at /dev/.coracle. */
  readonly directory: string;
  /** Copied to /dev. */
  readonly devices: string;
  /** Mounted at /sys/fs/cgroup with cgroup v1: empty directories, one for each controller shown. */
  readonly cgroupViews: string;
  /** The words that run one of the tools inside a container. */
  inside(program: 'setpriv' | 'env' | 'umount' | 'setsid'): readonly string[];
}

export async function prepareTools(root: string): Promise<Tools> {
  const directory = join(root, 'tools');
  const stamp = join(directory, 'linker');
  const paths = programs.map((name) => fs.realpathSync(find(name)!));
  if (!fs.existsSync(stamp)) await copyTools(directory, paths, stamp);
  const linker = fs.readFileSync(stamp, 'utf8');
  const devices = join(root, 'dev');
  if (!fs.existsSync(devices)) await makeDevices(devices);
  const cgroupViews = join(root, 'cgroup-views');
  for (const name of ['memory', 'cpu', 'cpuacct', 'pids']) fs.mkdirSync(join(cgroupViews, name), { recursive: true });
  const insideDirectory = toolsPath;
  return {
    directory,
    devices,
    cgroupViews,
    inside: (program) =>
      linker
        ? [`${insideDirectory}/${linker}`, '--library-path', insideDirectory, `${insideDirectory}/${program}`]
        : [`${insideDirectory}/${program}`],
  };
}

async function copyTools(directory: string, paths: readonly string[], stamp: string): Promise<void> {
  fs.rmSync(directory, { recursive: true, force: true });
  fs.mkdirSync(join(directory, 'old'), { recursive: true, mode: 0o755 });
  const libraries = new Set<string>();
  for (const path of paths) {
    // A statically linked program has none.
    const listed = await mustRun('ldd', [path]).catch(() => '');
    for (const [, library] of listed.matchAll(/(\/\S+) \(0x/g)) libraries.add(library);
  }
  for (const path of libraries) copy(path, join(directory, basename(path)));
  for (const [i, name] of programs.entries()) copy(paths[i], join(directory, name));
  const linker = [...libraries]
    .map((path) => basename(path))
    .find((name) => /^ld(-linux|-musl|64)?[-.\w]*$/.test(name));
  fs.writeFileSync(stamp, linker ?? '');
}

function copy(from: string, to: string): void {
  fs.copyFileSync(fs.realpathSync(from), to, fs.constants.COPYFILE_FICLONE);
  fs.chmodSync(to, 0o755);
}

async function makeDevices(directory: string): Promise<void> {
  const making = `${directory}.new`;
  fs.rmSync(making, { recursive: true, force: true });
  for (const name of ['pts', 'shm', 'mqueue', '.coracle']) fs.mkdirSync(join(making, name), { recursive: true });
  const nodes = { null: [1, 3], zero: [1, 5], full: [1, 7], random: [1, 8], urandom: [1, 9], tty: [5, 0] };
  for (const [name, [major, minor]] of Object.entries(nodes))
    await mustRun('mknod', ['-m', '666', join(making, name), 'c', String(major), String(minor)]);
  const links = {
    fd: '/proc/self/fd',
    stdin: '/proc/self/fd/0',
    stdout: '/proc/self/fd/1',
    stderr: '/proc/self/fd/2',
    ptmx: 'pts/ptmx',
    core: '/proc/kcore',
  };
  for (const [name, target] of Object.entries(links)) fs.symlinkSync(target, join(making, name));
  fs.chmodSync(making, 0o755);
  fs.renameSync(making, directory);
}

function find(name: string): string | undefined {
  return searchPath.map((directory) => join(directory, name)).find((path) => fs.existsSync(path));
}
