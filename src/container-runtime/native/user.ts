// Who a container's processes run as: the pod's numbers first, then the image's user, looked up in the image's own files.

import type { ContainerSecurity } from '../container-runtime.ts';
import { RuntimeError } from '../runtime-error.ts';
import type { RootfsView } from './rootfs-view.ts';

export interface User {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly home: string;
}

export function resolveUser(view: RootfsView, imageUser: string, security: ContainerSecurity): User {
  const wanted = security.runAsUser === undefined ? imageUser : String(security.runAsUser);
  const [userName = '', groupName] = wanted.split(':');
  const accounts = lines(view.read('/etc/passwd'));
  const account = accounts.find(([name, , uid]) => name === userName || uid === (userName || '0'));
  if (!account && userName && !/^\d+$/.test(userName))
    throw new RuntimeError('create', `unable to find user ${userName}: no matching entries in passwd file`);
  const allGroups = lines(view.read('/etc/group'));
  const uid = Number(account?.[2] ?? (userName || 0));
  const gid = security.runAsGroup ?? groupOf(groupName, allGroups) ?? Number(account?.[3] ?? 0);
  const member = account ? allGroups.filter(([, , , members]) => members?.split(',').includes(account[0])) : [];
  const groups = new Set([gid, ...member.map((group) => Number(group[2])), ...(security.supplementalGroups ?? [])]);
  return { uid, gid, groups: [...groups], home: account?.[5] || '/' };
}

function groupOf(name: string | undefined, groups: readonly string[][]): number | undefined {
  if (!name) return undefined;
  if (/^\d+$/.test(name)) return Number(name);
  const group = groups.find(([candidate]) => candidate === name);
  if (!group) throw new RuntimeError('create', `unable to find group ${name}: no matching entries in group file`);
  return Number(group[2]);
}

const lines = (text = '') => text.split('\n').map((line) => line.split(':'));

/** What containerd gives a container that asks for nothing. */
const defaultCapabilities =
  'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE'.split(
    ' ',
  );

/**
 * The bounding set; undefined: all that this machine has. `mayMakeDevices` is false where nothing would stop a container
 * from opening a device that it made (cgroup v2 without an eBPF device filter): MKNOD is then not given by default.
 */
export function capabilitiesOf(security: ContainerSecurity, mayMakeDevices: boolean): readonly string[] | undefined {
  if (security.privileged) return undefined;
  const added = security.addCapabilities.map(bare);
  const dropped = new Set(security.dropCapabilities.map(bare));
  if (added.includes('ALL') && dropped.size === 0) return undefined;
  const base = added.includes('ALL') ? everyCapability : dropped.has('ALL') ? [] : defaultCapabilities;
  const granted = base.filter((name) => mayMakeDevices || name !== 'MKNOD').filter((name) => !dropped.has(name));
  return [...new Set([...granted, ...added.filter((name) => name !== 'ALL')])];
}

const bare = (name: string) => name.toUpperCase().replace(/^CAP_/, '');

/** By their numbers (capabilities(7)). */
export const everyCapability =
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE'.split(
    ' ',
  );
