// Directories and disks of this node that an administrator offers as persistent volumes.
// https://kubernetes.io/docs/concepts/storage/volumes/#local

import type { Stats } from 'node:fs';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { must } from '../../machinery/must.ts';
import { growFileSystem, mountDevice } from './block-devices.ts';
import { bindDirectory, isMountPoint, sameMounts, unmountBelow } from './mounts.ts';
import { giveToGroup } from './ownership.ts';
import { type VolumeContext, VolumeError, type VolumePlugin } from './volume.ts';

const defaultFsType = 'ext4';

export const local: VolumePlugin = {
  source: 'local',
  async setUp(volume, context) {
    const source = must(volume.local, 'local');
    const found = await stat(source.path).catch(() => undefined);
    if (!found) throw new VolumeError(`path "${source.path}" does not exist`);
    const { directory, isBlock, readOnly, mountOptions } = context;
    if (isBlock) {
      if (!found.isBlockDevice()) throw new VolumeError(`${source.path} is not a block device`);
      return source.path;
    }
    refuseOtherTypes(found);
    const ready = readyFile(context);
    if (await isMountPoint(directory).catch(() => false)) {
      if (await exists(ready)) return directory;
      await unmountBelow(directory); // by a kubelet that did not come to the end
    }
    await mkdir(directory, { recursive: true, mode: 0o750 });
    const options = [...(readOnly ? ['ro'] : []), ...mountOptions];
    if (found.isDirectory()) await bindDirectory(source.path, directory, options);
    else await mountDevice(source.path, directory, source.fsType ?? defaultFsType, options);
    await giveToPod(volume.name, context);
    await mkdir(path.dirname(ready), { recursive: true, mode: 0o750 });
    await writeFile(ready, '', { mode: 0o640 });
    return directory;
  },
  /** A directory has no size, and containers see the new size of a device. */
  async grow(volume, { directory, isBlock }) {
    const source = must(volume.local, 'local');
    const found = await stat(source.path);
    if (isBlock) return;
    refuseOtherTypes(found);
    if (found.isBlockDevice()) await growFileSystem(source.path, directory);
  },
};

function refuseOtherTypes(found: Stats): void {
  if (!found.isDirectory() && !found.isBlockDevice())
    throw new VolumeError('only directory and block device are supported');
}

const readyFile = ({ podDirectory, volumeName }: VolumeContext) =>
  path.join(podDirectory, 'plugins', 'kubernetes.io~local-volume', volumeName, 'ready');

const exists = (file: string) =>
  stat(file).then(
    () => true,
    () => false,
  );

/** The first pod decides the group of the files: a change would take them away from pods that run. */
async function giveToPod(name: string, { pod, podDirectory, directory, readOnly, warn }: VolumeContext): Promise<void> {
  const { fsGroup, fsGroupChangePolicy } = pod.spec.securityContext ?? {};
  if (fsGroup === undefined) return;
  const pods = path.dirname(podDirectory);
  const others = (await sameMounts(directory)).filter((at) => at !== directory && at.startsWith(`${pods}/`));
  if (others.length === 0) {
    if (!readOnly) await giveToGroup(directory, fsGroup, fsGroupChangePolicy);
    return;
  }
  const { gid } = await stat(directory);
  if (gid !== fsGroup)
    warn(
      'AlreadyMountedVolume',
      `The requested fsGroup is ${fsGroup}, but the volume ${name} has GID ${gid}. The volume may not be shareable.`,
    );
}
