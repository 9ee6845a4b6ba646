// The mounts of a container: the OCI defaults, the pod's shared memory, and the pod's volumes.

import { posix } from 'node:path';
import type { Mount } from '../../interface.ts';
import { RuntimeError } from '../../runtime-error.ts';
import type { OciIdMapping, OciMount } from './oci-types.ts';

interface MountInput {
  readonly mounts: readonly Mount[];
  readonly privileged: boolean;
  /** The pod's /dev/shm on this machine. */
  readonly shm: string;
  /** Mappings of a pod's user namespace: volumes show the machine's ids. */
  readonly idMappings?: readonly OciIdMapping[];
}

interface MountPlan {
  readonly mounts: readonly OciMount[];
  /** Propagation of the container's root: at least that of its volumes. */
  readonly rootfsPropagation?: 'rslave' | 'rshared';
}

export function mountPlan({ mounts, privileged, shm, idMappings }: MountInput): MountPlan {
  const volumes = inMountOrder(mounts).map((mount) => volume(mount, idMappings));
  const covered = volumes.map(({ destination }) => destination);
  const defaults = defaultMounts(privileged, shm).filter(
    ({ destination }) =>
      !covered.includes(destination) && !(covered.includes('/dev') && destination.startsWith('/dev/')),
  );
  const propagations = mounts.map(({ propagation }) => propagation);
  return {
    mounts: [...defaults, ...volumes],
    ...(propagations.includes('bidirectional')
      ? { rootfsPropagation: 'rshared' }
      : propagations.includes('hostToContainer') && { rootfsPropagation: 'rslave' }),
  };
}

/** config-linux.md, default filesystems, with the options that containerd gives them. */
function defaultMounts(privileged: boolean, shm: string): readonly OciMount[] {
  const access = privileged ? 'rw' : 'ro';
  const mount = (destination: string, type: string, source: string, ...options: string[]): OciMount => ({
    destination,
    type,
    source,
    options,
  });
  return [
    mount('/proc', 'proc', 'proc', 'nosuid', 'noexec', 'nodev'),
    mount('/dev', 'tmpfs', 'tmpfs', 'nosuid', 'strictatime', 'mode=755', 'size=65536k'),
    mount('/dev/pts', 'devpts', 'devpts', 'nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'),
    mount('/dev/mqueue', 'mqueue', 'mqueue', 'nosuid', 'noexec', 'nodev'),
    mount('/sys', 'sysfs', 'sysfs', 'nosuid', 'noexec', 'nodev', access),
    mount('/sys/fs/cgroup', 'cgroup', 'cgroup', 'nosuid', 'noexec', 'nodev', 'relatime', access),
    mount('/dev/shm', 'bind', shm, 'rbind', 'rw'),
  ];
}

/** Outer directories first, otherwise in the given order: a later outer mount would hide an inner one. */
function inMountOrder(mounts: readonly Mount[]): Mount[] {
  const depth = ({ containerPath }: Mount) => posix.normalize(containerPath).split('/').filter(Boolean).length;
  return mounts.toSorted((a, b) => depth(a) - depth(b));
}

/** Files that external programs (lxcfs) replace for containers; the rest of /proc must be the kernel's. */
const replaceable = new Set(
  'cpuinfo diskstats loadavg meminfo net/dev slabinfo stat swaps uptime sys/kernel/ns_last_pid sys/crypto/fips_enabled'
    .split(' ')
    .map((name) => `/proc/${name}`),
);

/** As runc does, and crun does not: writes to the container's /proc must reach the kernel. */
function refuseInProc(path: string, hostPath: string): void {
  const bare = path.length > 1 ? path.replace(/\/$/, '') : path;
  if (bare === '/proc' ? hostPath === '/proc' : !bare.startsWith('/proc/') || replaceable.has(bare)) return;
  throw new RuntimeError('create', `cannot mount at "${bare}": it is inside /proc`);
}

const propagationOptions = { private: 'rprivate', hostToContainer: 'rslave', bidirectional: 'rshared' } as const;

function volume(mount: Mount, idMappings?: readonly OciIdMapping[]): OciMount {
  const path = posix.normalize(`/${mount.containerPath}`);
  refuseInProc(path, mount.hostPath);
  const access = mount.recursiveReadOnly ? 'rro' : mount.readOnly ? 'ro' : 'rw';
  return {
    destination: path.length > 1 ? path.replace(/\/$/, '') : path,
    type: 'bind',
    source: mount.hostPath,
    options: ['rbind', propagationOptions[mount.propagation ?? 'private'], access],
    ...(idMappings && { uidMappings: idMappings, gidMappings: idMappings }),
  };
}
