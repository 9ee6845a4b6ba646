// Programs of this machine that the native runtime calls. None of them ever runs inside a container.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../processes/process.ts';
import type { OciRuntime } from './oci/oci-runtime.ts';

const searchPath = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
const needed = 'sh unshare nsenter mount umount mkfifo mv readlink sleep script tty stty ip'.split(' ');

/** The missing programs, with their packages; undefined if all exist. */
export function missingPrograms(): string | undefined {
  const missing = needed.filter((name) => !searchPath.some((directory) => existsSync(join(directory, name))));
  if (missing.length === 0) return undefined;
  return `${missing.join(', ')} not found: install util-linux, coreutils and iproute2`;
}

/** Why a pod cannot have a user namespace: its image and volumes must be mounted with other ids. Undefined when it can. */
export async function idMappedMountProblem({ name, version, idMappedMounts }: OciRuntime): Promise<string | undefined> {
  if (!idMappedMounts) return `${name} ${version} has no idmapped mounts (runc 1.2 or crun 1.9 has)`;
  const { stdout } = await run('mount', ['--version']);
  const [, major, minor] = /util-linux (\d+)\.(\d+)/.exec(stdout) ?? [];
  if (Number(major) > 2 || (Number(major) === 2 && Number(minor) >= 39)) return undefined;
  return 'mount of util-linux 2.39 or newer is needed for idmapped mounts';
}
