// Which capabilities a container has. https://man7.org/linux/man-pages/man7/capabilities.7.html

import type { ContainerSecurity } from '../../interface.ts';
import { RuntimeError } from '../../runtime-error.ts';

/** By their numbers. */
const everyCapability =
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE'.split(
    ' ',
  );

/** The default capabilities, as in containerd. */
const defaultCapabilities =
  'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE'.split(
    ' ',
  );

type Wanted = Pick<ContainerSecurity, 'privileged' | 'addCapabilities' | 'dropCapabilities'>;

/**
 * Names without CAP_. `available` are those of this machine (a virtual machine or an outer container may lack some).
 * Throws RuntimeError('create') for a capability that is named explicitly and not available.
 */
export function capabilitiesOf(wanted: Wanted, available: readonly string[]): readonly string[] {
  if (wanted.privileged) return available;
  const added = wanted.addCapabilities.map(bareName);
  const dropped = new Set(wanted.dropCapabilities.map(bareName));
  for (const name of added) {
    if (name === 'ALL') continue;
    if (!everyCapability.includes(name)) throw new RuntimeError('create', `unknown capability "CAP_${name}"`);
    if (!available.includes(name))
      throw new RuntimeError('create', `capability "CAP_${name}" cannot be added: this node does not have it`);
  }
  const base = added.includes('ALL') ? available : dropped.has('ALL') ? [] : defaultCapabilities;
  const kept = base.filter((name) => !dropped.has(name) && available.includes(name));
  return [...new Set([...kept, ...added.filter((name) => name !== 'ALL')])];
}

/** The names of the bits set in a hexadecimal mask, as in /proc/PID/status. */
export function capabilitiesOfMask(mask: string): readonly string[] {
  const bits = BigInt(`0x${mask.trim()}`);
  return everyCapability.filter((_, number) => (bits >> BigInt(number)) & 1n);
}

const bareName = (name: string) => name.toUpperCase().replace(/^CAP_/, '');
