// The machine's features for containers, read once at the runtime's start.

import * as fs from 'node:fs';
import { join } from 'node:path';
import { run } from '../../processes/process.ts';
import { throttlingPaths } from '../../protected-paths.ts';
import { capabilitiesOfMask } from './capabilities.ts';
import { numbersOf } from './device-numbers.ts';
import type { OciDevice } from './oci-types.ts';
import type { NodeFacts } from './runtime-spec.ts';

export async function nodeFacts(cgroupVersion: 1 | 2): Promise<NodeFacts> {
  const status = fs.readFileSync('/proc/self/status', 'utf8');
  const capabilities = capabilitiesOfMask(/^CapBnd:\s*(\w+)/m.exec(status)?.[1] ?? '0');
  const mayLower = capabilities.includes('SYS_RESOURCE');
  const limit = /^Max open files\s+\d+\s+(\d+)/m.exec(fs.readFileSync('/proc/self/limits', 'utf8'))?.[1];
  const appArmorProfile = await appArmor();
  return {
    cgroupVersion,
    countsSwap: countsSwap(cgroupVersion),
    architecture: process.arch,
    capabilities,
    openFiles: Math.min(Number(limit ?? mostOpenFiles), mostOpenFiles),
    lowestOomScore: mayLower ? -1000 : Number(fs.readFileSync('/proc/self/oom_score_adj', 'utf8')),
    ...(appArmorProfile !== undefined && { appArmorProfile }),
    devices: machineDevices(),
    throttlingPaths: throttlingPaths(),
  };
}

/** The kernel's limit (fs.nr_open). */
const mostOpenFiles = 1_048_576;

function countsSwap(cgroupVersion: 1 | 2): boolean {
  if (cgroupVersion === 1) return fs.existsSync('/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes');
  const own = /^0::(.*)$/m.exec(fs.readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '/';
  return fs.existsSync(join('/sys/fs/cgroup', own, 'memory.swap.max'));
}

/** Directories and names that every container has. */
const ownNames = new Set(
  'pts shm fd mqueue console null zero full random urandom tty ptmx stdin stdout stderr core .udev .lxc'.split(' '),
);

function machineDevices(directory = '/dev', depth = 0): OciDevice[] {
  if (depth > 4) return [];
  return fs.readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    if (depth === 0 && ownNames.has(entry.name)) return [];
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return machineDevices(path, depth + 1);
    if (!entry.isCharacterDevice() && !entry.isBlockDevice()) return [];
    const stat = fs.lstatSync(path, { throwIfNoEntry: false });
    if (!stat) return [];
    const { rdev, uid, gid, mode } = stat;
    const type = entry.isBlockDevice() ? 'b' : 'c';
    return [{ path, type, ...numbersOf(rdev), fileMode: mode & 0o7777, uid, gid }];
  });
}

const profileName = 'coracle-default';

/** Loads the default profile; '' where AppArmor is on and its parser is missing, undefined where there is no AppArmor. */
async function appArmor(): Promise<string | undefined> {
  const enabled = '/sys/module/apparmor/parameters/enabled';
  if (!fs.existsSync(enabled) || fs.readFileSync(enabled, 'utf8').trim() !== 'Y') return undefined;
  const loaded = await run('apparmor_parser', ['-Kr'], profile).catch(() => undefined);
  return loaded?.code === 0 ? profileName : '';
}

/** Denies only accesses that capabilities and masked paths leave open. */
const profile = `@{PROC}=/proc/
profile ${profileName} flags=(attach_disconnected,mediate_deleted) {
  network,
  capability,
  file,
  umount,
  signal (receive) peer=unconfined,
  signal (send,receive) peer=${profileName},
  deny @{PROC}/* w,
  deny @{PROC}/{[^1-9],[^1-9][^0-9],[^1-9s][^0-9y][^0-9s],[^1-9][^0-9][^0-9][^0-9/]*}/** w,
  deny @{PROC}/sys/[^k]** w,
  deny @{PROC}/sys/kernel/{?,??,[^s][^h][^m]**} w,
  deny @{PROC}/sysrq-trigger rwklx,
  deny @{PROC}/kcore rwklx,
  deny mount,
  deny /sys/[^f]*/** wklx,
  deny /sys/f[^s]*/** wklx,
  deny /sys/fs/[^c]*/** wklx,
  deny /sys/fs/c[^g]*/** wklx,
  deny /sys/fs/cg[^r]*/** wklx,
  deny /sys/firmware/** rwklx,
  deny /sys/devices/virtual/powercap/** rwklx,
  deny /sys/kernel/security/** rwklx,
  ptrace (trace,read,tracedby,readby) peer=${profileName},
}
`;
