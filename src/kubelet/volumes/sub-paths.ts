// subPath and subPathExpr: a part of a volume, bound to a directory of the kubelet's before the runtime mounts it, so
// that a container which changes the volume meanwhile cannot lead the mount elsewhere (CVE-2017-1002101).
// https://kubernetes.io/docs/concepts/storage/volumes/#using-subpath

import type { Stats } from 'node:fs';
import { lstat, mkdir, realpath, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { makeDirectoriesBeneath, openBeneath, orMissing, resolveBeneath } from '../files/safe-path.ts';
import { bindDescriptor, isMountPoint, unmountBelow } from './mounts.ts';

export interface SubPath {
  readonly podDirectory: string;
  readonly volumeName: string;
  /** The volume's path on the host. */
  readonly volumePath: string;
  readonly containerName: string;
  /** Of the mount in the container's volumeMounts. */
  readonly index: number;
  /** Relative to the volume. */
  readonly subPath: string;
}

export const subPathDirectory = (podDirectory: string): string => path.join(podDirectory, 'volume-subpaths');

/** Creates the subPath as a directory with the volume's mode, if it is missing. */
export async function createSubPath({ volumePath, subPath }: SubPath): Promise<void> {
  const base = await realpath(volumePath);
  if (await stat(path.join(base, subPath)).catch(orMissing)) return;
  await makeDirectoriesBeneath(base, subPath, (await stat(base)).mode & 0o7777);
}

/** Binds the subPath and resolves with the path to mount. Rejects when it leads out of its volume. */
export async function bindSubPath(sub: SubPath): Promise<string> {
  const base = await realpath(sub.volumePath);
  const handle = await openBeneath(base, await resolveBeneath(base, sub.subPath));
  try {
    const found = await handle.stat();
    const directory = path.join(subPathDirectory(sub.podDirectory), sub.volumeName, sub.containerName);
    const target = path.join(directory, String(sub.index));
    if (await isBound(target, found)) return target;
    await mkdir(directory, { recursive: true, mode: 0o750 });
    if (found.isDirectory()) await mkdir(target, { recursive: true, mode: 0o750 });
    else await writeFile(target, '', { mode: 0o640 });
    await bindDescriptor(handle.fd, target);
    return target;
  } finally {
    await handle.close();
  }
}

/** Whether the file is bound there already; another one that is bound there is unmounted. */
async function isBound(target: string, file: Stats): Promise<boolean> {
  const bound = await lstat(target).catch(orMissing);
  if (!bound || !(await isMountPoint(target))) return false;
  if (bound.dev === file.dev && bound.ino === file.ino) return true;
  await unmountBelow(target);
  return false;
}
