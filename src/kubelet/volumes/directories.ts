// emptyDir and hostPath.
// https://kubernetes.io/docs/concepts/storage/volumes/#emptydir, #hostpath

import { constants, type Stats } from 'node:fs';
import { chmod, chown, lstat, mkdir, open, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type Pod, podLimits } from '../../api/api.ts';
import { must } from '../../machinery/must.ts';
import { bytes } from '../resources/resources.ts';
import { isHugePages, pageSizeOf } from './huge-page-volumes.ts';
import { isMountPoint, mountHugePages, mountMemory } from './mounts.ts';
import { removeTree } from './remove-tree.ts';
import { VolumeError, type VolumePlugin } from './volume.ts';

export const emptyDir: VolumePlugin = {
  source: 'emptyDir',
  async setUp(volume, { directory, pod, podDirectory, fields }) {
    const { medium, sizeLimit } = must(volume.emptyDir, 'emptyDir');
    const ready = path.join(podDirectory, 'plugins', 'kubernetes.io~empty-dir', volume.name, 'ready');
    const isHuge = isHugePages(medium);
    const inMemory = medium === 'Memory' || isHuge;
    // After creation, containers control its mode. Volumes in memory are lost when the machine restarts.
    if ((await exists(ready)) && (!inMemory || (await isMountPoint(directory)))) return directory;
    await mkdir(directory, { recursive: true, mode: 0o750 });
    if (inMemory && !(await isMountPoint(directory)))
      if (isHuge) await mountHuge(directory, pageSizeOf(medium, pod));
      else await mountMemory(directory, 0o1777, memorySize(pod, sizeLimit, fields.allocatable.memoryBytes));
    const group = pod.spec.securityContext?.fsGroup;
    if (group !== undefined) await chown(directory, -1, group);
    // Kubernetes leaves the sticky bit that a tmpfs has.
    await chmod(directory, 0o777 | (medium === 'Memory' ? 0o1000 : 0) | (group === undefined ? 0 : 0o2000));
    await mkdir(path.dirname(ready), { recursive: true, mode: 0o750 });
    await writeFile(ready, '', { mode: 0o640 });
    return directory;
  },
  // Containers may leave any number of files at any depth.
  tearDown: removeTree,
};

async function mountHuge(directory: string, pageBytes: number): Promise<void> {
  await mountHugePages(directory, pageBytes).catch((error: Error) => {
    throw new VolumeError(`the machine has no huge pages of ${pageBytes} bytes: ${error.message}`);
  });
}

/** The minimum of the node's, the pod's and the volume's limits. */
export function memorySize(pod: Pod, sizeLimit: string | undefined, nodeBytes: number): number {
  const isLimited =
    podLevelLimit(pod) > 0 || pod.spec.containers.every((c) => bytes(c.resources?.limits?.['memory']) > 0);
  const limits = [isLimited ? bytes(podLimits(pod)['memory']) : 0, bytes(sizeLimit)];
  return Math.min(nodeBytes, ...limits.filter((limit) => limit > 0));
}

const podLevelLimit = (pod: Pod): number => bytes(pod.spec.resources?.limits?.['memory']);

const exists = (file: string): Promise<boolean> =>
  lstat(file).then(
    () => true,
    () => false,
  );

type Check = readonly [name: string, matches: (found: Stats) => boolean];
const isDirectory: Check = ['directory', (found) => found.isDirectory()];
const isFile: Check = ['file', (found) => found.isFile()];

const checks: Readonly<Record<string, Check>> = {
  DirectoryOrCreate: isDirectory,
  Directory: isDirectory,
  FileOrCreate: isFile,
  File: isFile,
  Socket: ['socket file', (found) => found.isSocket()],
  CharDevice: ['character device', (found) => found.isCharacterDevice()],
  BlockDevice: ['block device', (found) => found.isBlockDevice()],
};

export const hostPath: VolumePlugin = {
  source: 'hostPath',
  async setUp(volume) {
    const { path: target, type } = must(volume.hostPath, 'hostPath');
    const found = await stat(target).catch(() => undefined);
    if (!type) {
      // Without a type there is no check. The runtime creates the missing path.
      if (!found) await mkdir(target, { recursive: true });
      return target;
    }
    const check = checks[type];
    if (!check) throw new VolumeError(`${type} is an invalid volume type`);
    if (!found && type === 'DirectoryOrCreate') await mkdir(target, { recursive: true, mode: 0o755 });
    else if (!found && type === 'FileOrCreate') await makeFile(target);
    else if (!found || !check[1](found))
      throw new VolumeError(`hostPath type check failed: ${target} is not a ${check[0]}`);
    return target;
  },
};

/** Its directory must exist. A file created concurrently stays. */
async function makeFile(target: string): Promise<void> {
  const handle = await open(target, constants.O_CREAT | constants.O_RDONLY | constants.O_NONBLOCK, 0o644).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') throw new VolumeError(`open ${target}: no such file or directory`);
      throw error;
    },
  );
  await handle.close();
}
