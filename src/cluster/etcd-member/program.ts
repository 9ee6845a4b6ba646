// The etcd program: found, and checked for its version.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { EtcdMemberError } from './interface.ts';

export interface EtcdProgram {
  readonly path: string;
  /** Such as 3.4.23. */
  readonly version: string;
}

const versionTimeoutMs = 10_000;
const alsoSearched = ['/usr/local/bin', '/usr/sbin', '/sbin'];
const install =
  'install it (apt-get install etcd-server; dnf install etcd; apk add etcd; pacman -S etcd), or name it with --etcd-program';

/** `program`: default: `etcd` on PATH. Throws EtcdMemberError. */
export async function findEtcd(program?: string): Promise<EtcdProgram> {
  const found = program ?? onPath('etcd');
  if (found === undefined) throw new EtcdMemberError(`the program etcd is not on PATH: ${install}`);
  const { stdout } = await promisify(execFile)(found, ['--version'], { timeout: versionTimeoutMs }).catch((error) => {
    const why = error.code === 'ENOENT' ? 'there is no such program' : error.message.trim();
    throw new EtcdMemberError(`${found} --version failed (${why}): ${install}`);
  });
  const version = /etcd version: v?(\d+\.\d+\.\d+)/i.exec(stdout)?.[1];
  if (version === undefined) throw new EtcdMemberError(`${found} is not etcd, by its --version: ${install}`);
  if (!isSupported(version))
    throw new EtcdMemberError(`${found} is etcd ${version}, and 3.4 or newer is needed: ${install}`);
  return { path: found, version };
}

const isSupported = (version: string): boolean => compareMinor(version, '3.4') >= 0;

/** Order of versions by major and minor. */
export function compareMinor(a: string, b: string): number {
  const [[aMajor, aMinor], [bMajor, bMinor]] = [a, b].map((version) => version.split('.').map(Number));
  return aMajor - bMajor || aMinor - bMinor;
}

function onPath(name: string): string | undefined {
  const directories = [...(process.env['PATH'] ?? '').split(path.delimiter).filter(Boolean), ...alsoSearched];
  return directories.map((directory) => path.join(directory, name)).find((file) => existsSync(file));
}
