// The layout and the lock of a cluster's data directory.

import { existsSync, realpathSync } from 'node:fs';
import { access, mkdir, open, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fieldsIn } from '../machinery/parsed.ts';
import { identityOf, isRunning, type ProcessIdentity, readIdentity } from './process/process-identity.ts';
import { writeWhole } from './write-whole.ts';

/** Raised when the meaning of its content changes. */
export const formatVersion = 1;

export interface DataDirectory {
  readonly root: string;
  readonly pki: string;
  readonly store: string;
  readonly kubeconfig: string;
  /** Marks the directory as a cluster's. */
  readonly stamp: string;
  /** The cluster's address ranges. */
  readonly ranges: string;
  /** The flags that it was last started with. */
  readonly settings: string;
  readonly log: string;
  readonly runFile: string;
  /** Names the process of the nodes. */
  readonly nodesRunFile: string;
  readonly controlSocket: string;
  /** The data directory of its sandbox. */
  readonly sandbox: string;
  /** One node's directory: kubelet, container runtime, container logs. */
  node(name: string): string;
}

/** The data directory that --data-dir and --name mean. */
export function defaultDataDirectory(name: string): string {
  const base = process.getuid?.() === 0 ? '/var/lib/coracle' : path.join(os.homedir(), '.coracle');
  return path.join(base, name);
}

/** `given` may be, or contain, a link: the kernel reports mounts and working directories by real paths only. */
export function dataDirectory(given: string): DataDirectory {
  const root = withoutLinks(path.resolve(given));
  return {
    root,
    pki: path.join(root, 'pki'),
    store: path.join(root, 'store'),
    kubeconfig: path.join(root, 'kubeconfig'),
    stamp: path.join(root, 'coracle.json'),
    ranges: path.join(root, 'network.json'),
    settings: path.join(root, 'settings.json'),
    log: path.join(root, 'coracle.log'),
    runFile: path.join(root, 'run.json'),
    nodesRunFile: path.join(root, 'nodes.json'),
    controlSocket: path.join(root, 'control.sock'),
    sandbox: path.join(root, 'sandbox'),
    node: (name) => path.join(root, 'nodes', name),
  };
}

/** A missing path has no links. */
function withoutLinks(absolute: string): string {
  try {
    return realpathSync(absolute);
  } catch (error) {
    const parent = path.dirname(absolute);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === absolute) return absolute;
    return path.join(withoutLinks(parent), path.basename(absolute));
  }
}

/** The directory is unusable. The message has cause, place and remedy. */
export class DataDirectoryError extends Error {
  override readonly name = 'DataDirectoryError';
}

/** Makes the directory, or checks that it is a cluster's and of a supported version. */
export async function openDataDirectory(directory: DataDirectory): Promise<void> {
  const { stamp } = directory;
  try {
    await mkdir(directory.root, { recursive: true, mode: 0o755 });
    const text = await readFile(stamp, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (text === undefined) await writeStamp(stamp, { format: formatVersion });
    else checkStamp(text, stamp, directory.root);
  } catch (error) {
    if (error instanceof DataDirectoryError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOSPC')
      throw new DataDirectoryError(
        `the disk that holds ${directory.root} is full: free some space, or choose another place with --data-dir`,
      );
    if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM')
      throw new DataDirectoryError(
        `cannot write to ${directory.root} (${code}): run as a user with that right, or choose another directory with --data-dir`,
      );
    throw new DataDirectoryError(`cannot use ${directory.root} as a data directory: ${message}`);
  }
}

interface Stamp {
  readonly format: number;
  /** The store that was made in this directory. */
  readonly store?: 'embedded';
  /** The revision that a restored store began with. */
  readonly restoredRevision?: number;
}

const writeStamp = (file: string, stamp: Stamp) => writeWhole(file, `${JSON.stringify(stamp)}\n`);

/** The stamp of a directory with a restored cluster. */
export const restoredStamp = (store: 'embedded' | 'etcd', restoredRevision: number): string =>
  `${JSON.stringify({ format: formatVersion, ...(store === 'embedded' && { store }), restoredRevision } satisfies Stamp)}\n`;

/** Clients may have seen at least this revision, also if the store cannot be read. */
export async function restoredRevision({ stamp }: DataDirectory): Promise<number> {
  const found: unknown = fieldsIn(JSON.parse(await readFile(stamp, 'utf8')))['restoredRevision'];
  return typeof found === 'number' && Number.isSafeInteger(found) ? found : 0;
}

/** Whether the directory belongs to a cluster with an embedded store. */
export async function hasStore(directory: DataDirectory): Promise<boolean> {
  const text = await readFile(directory.stamp, 'utf8').catch(() => '{}');
  if ((JSON.parse(text) as Stamp).store === 'embedded') return true;
  // Directories of earlier versions are not marked; their kubeconfig was written once the store was open.
  const found = await Promise.allSettled([access(directory.kubeconfig), access(directory.store)]);
  return found.every(({ status }) => status === 'fulfilled');
}

/** The embedded store after its content moved into etcd: it is the way back. */
export const formerStore = (directory: DataDirectory): string => `${directory.store}.former`;

export const hasMoved = (directory: DataDirectory): boolean => existsSync(formerStore(directory));

/** From now on a missing store is damage, and not the beginning of a cluster. */
export async function noteStore(directory: DataDirectory): Promise<void> {
  await writeStamp(directory.stamp, { format: formatVersion, store: 'embedded' });
}

function checkStamp(text: string, stamp: string, root: string): void {
  let format: unknown;
  try {
    format = JSON.parse(text).format;
  } catch {
    throw new DataDirectoryError(
      `${stamp} is damaged: restore ${root} from a backup, or start again with another --data-dir`,
    );
  }
  if (format !== formatVersion)
    throw new DataDirectoryError(
      `${root} was written by another version of Coracle (format ${String(format)}, this one reads ${formatVersion}): use that version, or another --data-dir`,
    );
}

/** The file by which other commands find a running cluster. */
export interface RunInfo extends ProcessIdentity {
  readonly name: string;
  /** Empty while the cluster starts. */
  readonly address: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly version: string;
}

export const readRunInfo = (directory: DataDirectory): Promise<RunInfo | undefined> =>
  readIdentity<RunInfo>(directory.runFile);

/** The cluster's process, undefined if it does not run. */
export async function runningProcess(directory: DataDirectory): Promise<RunInfo | undefined> {
  const info = await readRunInfo(directory);
  return info && (await isRunning(info)) ? info : undefined;
}

/** Claims the directory for this process. Throws when another one has it. */
export async function claim(directory: DataDirectory, info: Omit<RunInfo, keyof ProcessIdentity>): Promise<void> {
  const other = await runningProcess(directory);
  if (other && other.pid !== process.pid)
    throw new DataDirectoryError(
      `${directory.root} is in use by the process ${other.pid}: stop it with "coracle down --data-dir ${directory.root}", or choose another --data-dir`,
    );
  await rm(directory.runFile, { force: true });
  const file = await open(directory.runFile, 'wx', 0o644);
  await file.writeFile(`${JSON.stringify({ ...(await identityOf(process.pid)), ...info })}\n`);
  await file.close();
}
