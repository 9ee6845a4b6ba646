// Mounts that the kubelet makes, and which there are.

import { execFile } from 'node:child_process';
import { open, readFile, realpath } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { pathOnly } from '../files/safe-path.ts';

const run = promisify(execFile);

/** Mount points at `directory` and below, the innermost first. */
export async function mountsBelow(directory: string): Promise<string[]> {
  const real = await withoutLinks(directory);
  return (await mountPoints()).filter((at) => at === real || at.startsWith(`${real}/`)).reverse();
}

/** By the ids of two mounts: a pod may have thousands, so that reading the table for each would take minutes. */
export async function isMountPoint(directory: string): Promise<boolean> {
  const real = await withoutLinks(directory);
  const own = await mountIdOf(real);
  return own !== undefined && (real === '/' || own !== (await mountIdOf(path.dirname(real))));
}

/** Undefined without such a file. Opens nothing but the path (O_PATH). */
async function mountIdOf(file: string): Promise<string | undefined> {
  const handle = await open(file, pathOnly).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (!handle) return undefined;
  try {
    return /^mnt_id:\s*(\d+)$/m.exec(await readFile(`/proc/self/fdinfo/${handle.fd}`, 'utf8'))?.[1];
  } finally {
    await handle.close();
  }
}

/** The kernel's name of a mount: missing one would delete the files behind it. */
const withoutLinks = (directory: string): Promise<string> =>
  realpath(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return directory;
    throw error;
  });

interface MountEntry {
  /** Major and minor number. */
  readonly device: string;
  /** The part of the file system. */
  readonly root: string;
  readonly at: string;
}

/** In the order in which they were mounted. */
async function mountTable(): Promise<MountEntry[]> {
  const table = await readFile('/proc/self/mountinfo', 'utf8');
  return table.split('\n').map((line) => {
    const [, , device = '', root = '', at = ''] = line.split(' ');
    return { device, root: unescapeOctal(root), at: unescapeOctal(at) };
  });
}

const mountPoints = async (): Promise<string[]> => (await mountTable()).map(({ at }) => at);

/** Of one command: the kernel bounds the length of all its arguments. */
const pathsOfCommand = 200;

/**
 * Makes mounts below `directory` visible in containers that mount it with propagation, and mounts of such containers
 * visible here. The directory becomes a mount if the one that it is in is not shared.
 */
export async function shareMounts(directory: string): Promise<void> {
  const real = await withoutLinks(directory);
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').map((line) => line.split(' '));
  const around = lines.filter(([, , , , at = '']) => {
    const point = unescapeOctal(at);
    return point !== '' && (point === real || point === '/' || real.startsWith(`${point}/`));
  });
  const innermost = around.reduce((best, line) => (line[4].length >= best[4].length ? line : best), around[0]);
  if (innermost.slice(6, innermost.indexOf('-')).some((option) => option.startsWith('shared:'))) return;
  if (unescapeOctal(innermost[4]) !== real) await run('mount', ['-n', '--bind', real, real]);
  await run('mount', ['-n', '--make-rshared', real]);
}

const unescapeOctal = (text: string) =>
  text.replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));

/** Mounts the open file or directory at `target`; its path is not resolved again. */
export async function bindDescriptor(descriptor: number, target: string): Promise<void> {
  await run('mount', ['--no-canonicalize', '-n', '--bind', `/proc/${process.pid}/fd/${descriptor}`, target]);
}

/** `sizeBytes` 0: half of the machine's memory. Its pages are not swapped if the kernel supports that. */
export async function mountMemory(target: string, mode: number, sizeBytes = 0): Promise<void> {
  const options = [`mode=${mode.toString(8)}`, ...(sizeBytes > 0 ? [`size=${sizeBytes}`] : [])];
  const mount = (more: readonly string[]) =>
    run('mount', ['-n', '-t', 'tmpfs', '-o', [...options, ...more].join(), 'tmpfs', target]);
  await mount(['noswap']).catch(() => mount([])); // noswap requires Linux 6.3
}

/** Rejects if the machine has no huge pages of this size. */
export async function mountHugePages(target: string, pageBytes: number): Promise<void> {
  await run('mount', ['-n', '-t', 'hugetlbfs', '-o', `pagesize=${pageBytes}`, 'nodev', target]);
}

/** Mounts the directory at `target` as well. */
export async function bindDirectory(source: string, target: string, options: readonly string[]): Promise<void> {
  await run('mount', ['-n', '-o', ['bind', ...options].join(), '--', source, target]);
}

/** All places where the directory that is mounted at `directory` is mounted. */
export async function sameMounts(directory: string): Promise<string[]> {
  const real = await withoutLinks(directory);
  const mounts = await mountTable();
  const wanted = mounts.findLast(({ at }) => at === real);
  return mounts.filter(({ device, root }) => device === wanted?.device && root === wanted.root).map(({ at }) => at);
}

/** Unmounts all mounts below `directory`; mounts in use are detached. */
export async function unmountBelow(directory: string): Promise<void> {
  const mounts = await mountsBelow(directory);
  for (let i = 0; i < mounts.length; i += pathsOfCommand)
    await run('umount', ['-n', '-c', '-l', ...mounts.slice(i, i + pathsOfCommand)]);
}
