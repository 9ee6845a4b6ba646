// Volumes of claims: local directories and NFS. hostPath is the plugin of inline volumes.
// https://kubernetes.io/docs/concepts/storage/volumes/#local, #nfs

import { execFile } from 'node:child_process';
import { mkdir, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { PersistentVolume, Volume } from '../../api/api.ts';
import { must } from '../../machinery/must.ts';
import { isMountPoint } from './mounts.ts';
import { giveToGroup } from './ownership.ts';
import { VolumeError, type VolumePlugin, type VolumeSource } from './volume.ts';

const run = promisify(execFile);

/** A server that does not answer fails this attempt; the next one comes soon. */
const mountTimeoutMs = 60_000;

export const local: VolumePlugin = {
  source: 'local',
  async setUp(volume, { pod, readOnly, mountOptions, isBlock }) {
    const { path } = must(volume.local, 'local');
    if (mountOptions.length > 0)
      throw new VolumeError(`mount options are not supported for local volumes: ${mountOptions.join(', ')}`);
    const found = await stat(path).catch(() => undefined);
    if (!found) throw new VolumeError(`path "${path}" does not exist`);
    if (isBlock) {
      if (!found.isBlockDevice()) throw new VolumeError(`${path} is not a block device`);
      return path;
    }
    if (found.isBlockDevice())
      throw new VolumeError(`${path} is a block device: local volumes with a file system are supported as directories`);
    if (!found.isDirectory()) throw new VolumeError('only directory and block device are supported');
    const { fsGroup, fsGroupChangePolicy } = pod.spec.securityContext ?? {};
    if (fsGroup !== undefined && !readOnly) await giveToGroup(path, fsGroup, fsGroupChangePolicy);
    return path;
  },
};

export const nfs: VolumePlugin = {
  source: 'nfs',
  async setUp(volume, { directory, readOnly, mountOptions }) {
    const source = must(volume.nfs, 'nfs');
    if (await isMountPoint(directory).catch(() => false)) return directory;
    await mkdir(directory, { recursive: true, mode: 0o750 });
    const options = [...(readOnly || source.readOnly ? ['ro'] : []), ...mountOptions];
    const remote = `${source.server}:${source.path}`;
    const command = ['-t', 'nfs', ...(options.length > 0 ? ['-o', options.join()] : []), '--', remote, directory];
    await run('mount', command, { timeout: mountTimeoutMs, killSignal: 'SIGKILL' }).catch((error) => {
      throw new VolumeError(mountFault(error, remote));
    });
    return directory;
  },
};

function mountFault({ stderr = '', killed }: { stderr?: string; killed?: boolean }, remote: string): string {
  if (killed) return `mount of ${remote} failed: the server does not answer`;
  if (/unknown filesystem type|helper program|bad option/.test(stderr))
    return `mount of ${remote} failed: this node has no mount.nfs (install nfs-common or nfs-utils): ${stderr.trim()}`;
  return `mount of ${remote} failed: ${stderr.trim()}`;
}

/** The source of a persistent volume, as if a pod had it inline under `name`. */
export function inline({ metadata, spec = {} }: PersistentVolume, name: string): VolumeSource {
  if (spec.volumeMode === 'Block' && !spec.local)
    throw new VolumeError(
      `volume ${metadata.name} has volumeMode Block, which this node supports for CSI and local volumes only`,
    );
  const { hostPath, local: directory, nfs: share } = spec;
  if (hostPath && spec.mountOptions?.length)
    throw new VolumeError(
      `Mount options are not supported for volume type kubernetes.io/host-path: ${spec.mountOptions.join(', ')}`,
    );
  if (hostPath) return { name, hostPath };
  if (directory) return { name, local: directory } as Volume;
  if (share) return { name, nfs: share };
  const source = Object.keys(spec).find((key) => !common.has(key)) ?? 'none';
  throw new VolumeError(`no volume plugin matched: this node does not support ${source} volumes`);
}

/** Fields of a persistent volume that are not its source. */
const common = new Set([
  'accessModes',
  'capacity',
  'claimRef',
  'mountOptions',
  'nodeAffinity',
  'persistentVolumeReclaimPolicy',
  'storageClassName',
  'volumeAttributesClassName',
  'volumeMode',
]);
