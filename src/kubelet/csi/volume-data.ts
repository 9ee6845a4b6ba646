// The facts that the kubelet needs to unmount a volume, in a file beside the mount: written before the driver is called, so
// that the next kubelet finds every volume that a driver may have mounted.

import { mkdir, open, readFile, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { isMountPoint } from '../volumes/mounts.ts';

/** Keys as in Kubernetes. */
export interface VolumeData {
  readonly specVolID?: string;
  readonly volumeHandle: string;
  readonly driverName: string;
  readonly nodeName?: string;
  readonly attachmentID?: string;
  readonly volumeLifecycleMode?: string;
}

const fileName = 'vol_data.json';
const largestFile = 64 * 1024;

export async function saveVolumeData(directory: string, data: VolumeData): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o750 });
  const text = `${JSON.stringify(data, Object.keys(data).sort())}\n`;
  const file = await open(path.join(directory, fileName), 'w', 0o644);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Undefined without a readable file: then the driver was never called, or the volume is gone. */
export async function loadVolumeData(directory: string): Promise<VolumeData | undefined> {
  const text = await readFile(path.join(directory, fileName), 'utf8').catch(() => '');
  if (text === '' || text.length > largestFile) return undefined;
  try {
    const data = JSON.parse(text) as Partial<VolumeData>;
    const { driverName, volumeHandle } = data;
    if (typeof driverName !== 'string' || typeof volumeHandle !== 'string') return undefined;
    return { ...data, driverName, volumeHandle };
  } catch {
    return undefined;
  }
}

/** The mount point, if it is not mounted, then the data file and its directory. */
export async function removeMountDirectory(target: string): Promise<void> {
  if (await isMountPoint(target)) return;
  await rmdir(target).catch(missing);
  const parent = path.dirname(target);
  await rm(path.join(parent, fileName), { force: true });
  await rmdir(parent).catch(missing);
}

export function missing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
