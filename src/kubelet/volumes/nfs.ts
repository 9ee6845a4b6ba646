// Directories of NFS servers.
// https://kubernetes.io/docs/concepts/storage/volumes/#nfs

import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { promisify } from 'node:util';
import { must } from '../../machinery/must.ts';
import { isMountPoint } from './mounts.ts';
import { VolumeError, type VolumePlugin } from './volume.ts';

const run = promisify(execFile);

/** A server that does not answer fails this attempt; the next one comes soon. */
const mountTimeoutMs = 60_000;

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
