// The OCI runtime for containers: crun if it supports this machine's cgroups, for its start time; otherwise runc.

import * as fs from 'node:fs';
import { basename, join } from 'node:path';
import { run } from '../../processes/process.ts';
import { RuntimeError } from '../../runtime-error.ts';

export interface OciRuntime {
  readonly name: 'crun' | 'runc';
  readonly path: string;
  readonly version: string;
  /** `run --keep`: cgroup and state stay after the exit. */
  readonly keeps: boolean;
  readonly recursiveReadOnly: boolean;
  readonly idMappedMounts: boolean;
}

type CgroupLayout = 'v1' | 'hybrid' | 'v2';

interface FoundRuntimes {
  readonly runtime?: OciRuntime;
  /** Why those that are there cannot be used. */
  readonly refused: readonly string[];
}

const searchPath = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** `path`: the only candidate. */
export async function findOciRuntime(path?: string): Promise<FoundRuntimes> {
  const layout = cgroupLayout();
  const refused: string[] = [];
  const candidates = path ? [path] : ['crun', 'runc'].flatMap((name) => onPath(name) ?? []);
  for (const candidate of candidates) {
    // The version check runs a program, which costs time at each start.
    const layoutFault = path === undefined ? layoutProblem(basename(candidate), layout) : undefined;
    if (layoutFault !== undefined) {
      refused.push(`${candidate}: ${layoutFault}`);
      continue;
    }
    const described = await describe(candidate);
    const problem = typeof described === 'string' ? described : problemOf(described, layout, path !== undefined);
    if (typeof described !== 'string' && problem === undefined) return { runtime: described, refused };
    refused.push(`${candidate}: ${problem}`);
  }
  return { refused };
}

function onPath(name: string): string | undefined {
  const directories = [...(process.env['PATH'] ?? '').split(':').filter(Boolean), ...searchPath];
  return directories.map((directory) => join(directory, name)).find((path) => fs.existsSync(path));
}

/** Throws RuntimeError('unavailable') with the packages to install. */
export async function requireOciRuntime(path?: string): Promise<OciRuntime> {
  const { runtime, refused } = await findOciRuntime(path);
  if (runtime) return runtime;
  const why = refused.length > 0 ? refused.join('; ') : 'neither crun nor runc is installed';
  throw new RuntimeError('unavailable', `the native runtime needs an OCI runtime, runc 1.1 or newer or crun: ${why}`);
}

export function cgroupLayout(mounts = fs.readFileSync('/proc/self/mounts', 'utf8')): CgroupLayout {
  const types = mounts.split('\n').map((line) => line.split(' ')[2]);
  if (!types.includes('cgroup')) return 'v2';
  return types.includes('cgroup2') ? 'hybrid' : 'v1';
}

/** Undefined if it is usable. `chosen`: it was configured explicitly. */
export function problemOf({ name, version }: OciRuntime, layout: CgroupLayout, chosen = false): string | undefined {
  if (name === 'runc' && !atLeast(version, 1, 1)) return `version ${version} is older than 1.1`;
  if (name === 'crun' && !atLeast(version, 1, 0)) return `version ${version} is older than 1.0`;
  return chosen && layout !== 'hybrid' ? undefined : layoutProblem(name, layout);
}

function layoutProblem(name: string, layout: CgroupLayout): string | undefined {
  if (name !== 'crun' || layout === 'v2') return undefined;
  if (layout === 'hybrid') return 'crun does not support hybrid cgroups, as this machine has them';
  // It removes a container's cgroup before its out-of-memory kills can be read.
  return 'runc is needed with cgroup v1';
}

/** The problem as a text when it is neither of the two. */
async function describe(path: string): Promise<OciRuntime | string> {
  const output = await run(path, ['--version']).catch(() => undefined);
  if (output?.code !== 0) return 'cannot be run';
  const [, name, version] = /^(crun|runc) version (\d+\.\d+\S*)/m.exec(output.stdout) ?? [];
  if (name !== 'crun' && name !== 'runc') return 'neither crun nor runc';
  return { name, path, version, ...abilitiesOf(name, version) };
}

export function abilitiesOf(
  name: 'crun' | 'runc',
  version: string,
): Pick<OciRuntime, 'keeps' | 'recursiveReadOnly' | 'idMappedMounts'> {
  const runc = name === 'runc';
  return {
    keeps: runc,
    recursiveReadOnly: runc ? atLeast(version, 1, 1) : atLeast(version, 1, 4),
    idMappedMounts: runc ? atLeast(version, 1, 2) : atLeast(version, 1, 9),
  };
}

function atLeast(version: string, major: number, minor: number): boolean {
  const [a = 0, b = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  return a > major || (a === major && b >= minor);
}
