// emptyDir and hostPath.
// https://kubernetes.io/docs/concepts/storage/volumes/#emptydir, #hostpath

import { execFile } from 'node:child_process';
import { chmod, chown, mkdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { bytes } from '../resources.ts';
import { VolumeError, type VolumePlugin } from './volume.ts';

const run = promisify(execFile);

export const emptyDir: VolumePlugin = {
  source: 'emptyDir',
  async setUp(volume, { directory, pod }) {
    await mkdir(directory, { recursive: true });
    if (volume.emptyDir!.medium === 'Memory' && !(await isMountPoint(directory))) {
      const size = bytes(volume.emptyDir!.sizeLimit);
      await run('mount', ['-t', 'tmpfs', '-o', size > 0 ? `size=${size}` : 'mode=0777', 'tmpfs', directory]);
    }
    const group = pod.spec.securityContext?.fsGroup;
    await chmod(directory, group === undefined ? 0o777 : 0o2777);
    if (group !== undefined) await chown(directory, -1, group);
    return directory;
  },
  async tearDown(directory) {
    if (await isMountPoint(directory)) await run('umount', [directory]);
  },
};

async function isMountPoint(directory: string): Promise<boolean> {
  const [own, parent] = await Promise.all([stat(directory), stat(path.dirname(directory))]).catch(() => [
    undefined,
    undefined,
  ]);
  return own !== undefined && own.dev !== parent!.dev;
}

export const hostPath: VolumePlugin = {
  source: 'hostPath',
  async setUp(volume) {
    const { path: target, type = '' } = volume.hostPath!;
    const found = await stat(target).catch(() => undefined);
    const refuse = (what: string) => new VolumeError(`hostPath type check failed: ${target} is not a ${what}`);
    switch (type) {
      case '':
        if (!found) await mkdir(target, { recursive: true });
        break;
      case 'DirectoryOrCreate':
        if (!found) await mkdir(target, { recursive: true, mode: 0o755 });
        else if (!found.isDirectory()) throw refuse('directory');
        break;
      case 'FileOrCreate':
        if (!found) await writeFile(target, '', { mode: 0o644 });
        else if (!found.isFile()) throw refuse('file');
        break;
      case 'Directory':
        if (!found?.isDirectory()) throw refuse('directory');
        break;
      case 'File':
        if (!found?.isFile()) throw refuse('file');
        break;
      case 'Socket':
        if (!found?.isSocket()) throw refuse('socket file');
        break;
      case 'CharDevice':
        if (!found?.isCharacterDevice()) throw refuse('character device');
        break;
      case 'BlockDevice':
        if (!found?.isBlockDevice()) throw refuse('block device');
        break;
      default:
        throw new VolumeError(`unknown hostPath type "${type}"`);
    }
    return target;
  },
};
