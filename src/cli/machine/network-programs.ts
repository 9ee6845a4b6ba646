// Programs with which nodes set the rules of the network. Nodes work without them, with the limits that are printed.

import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { dim, print } from '../options/options.ts';
import { commandOf, installPackages, isOnPath, type PackageManager, packageManager } from './packages.ts';

interface NetworkProgram {
  readonly program: string;
  /** Name of the package, where it is not the same everywhere. */
  packageFor(manager: string): string;
  /** Consequence of its absence. */
  readonly without: string;
}

const networkPrograms: readonly NetworkProgram[] = [
  {
    program: 'nft',
    packageFor: () => 'nftables',
    without: 'services go through user space, and network policies and IPv6 do not work',
  },
  {
    program: 'conntrack',
    packageFor: (manager) => (manager === 'apt-get' ? 'conntrack' : 'conntrack-tools'),
    without: 'UDP clients of a service may be sent to an endpoint that is gone',
  },
];

/** Gone after a start of the machine. */
const ownFailureFile = '/run/coracle/network-programs-failure';
/** A machine without a network would wait for its package manager at each start. */
const retryMs = 24 * 3_600_000;

/**
 * Installs the missing ones, and prints each one that cannot be installed. `failureFile` keeps the time of a failure: for
 * a day they are not tried again.
 */
export async function ensureNetworkPrograms(quiet: boolean, failureFile = ownFailureFile): Promise<void> {
  const missing = networkPrograms.filter(({ program }) => !isOnPath(program));
  if (missing.length === 0) return;
  const manager = packageManager();
  const beginMs = performance.now();
  const packages = missing.map(({ packageFor }) => packageFor(manager?.program ?? ''));
  const problem = await install(manager, packages, failureFile);
  if (quiet) return;
  const seconds = ((performance.now() - beginMs) / 1000).toFixed(1);
  if (manager && problem === undefined)
    print(`  ${`installed ${packages.join(' and ')} by ${manager.program}`.padEnd(26)} ${dim(`${seconds} s`)}`);
  for (const { program, without } of missing.filter(({ program }) => !isOnPath(program)))
    print(`  no ${program}: ${without} (${problem ?? 'its package does not have it'})`);
  if (manager && problem !== undefined) print(`  to install them: ${commandOf(manager, packages)}`);
}

/** Undefined when they are installed, else the reason. */
async function install(
  manager: PackageManager | undefined,
  packages: readonly string[],
  failureFile: string,
): Promise<string | undefined> {
  if (!manager) return 'no supported package manager is on PATH';
  const failed = await stat(failureFile).catch(() => undefined);
  if (failed && Date.now() - failed.mtimeMs < retryMs) return (await readFile(failureFile, 'utf8')).trim();
  const problem = await installPackages(manager, packages);
  if (problem === undefined) await rm(failureFile, { force: true });
  else await writeFailure(failureFile, problem);
  return problem;
}

async function writeFailure(file: string, problem: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  await writeFile(file, `${problem}\n`);
}
