// Programs with which nodes set the rules of the network. Nodes work without them, with the limits that are printed.

import { dim, print } from '../options/options.ts';
import { commandOf, installPackages, isOnPath, packageManager } from './packages.ts';

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

/** Installs those that are not there, and prints each one that cannot be had. */
export async function ensureNetworkPrograms(quiet: boolean): Promise<void> {
  const missing = networkPrograms.filter(({ program }) => !isOnPath(program));
  if (missing.length === 0) return;
  const manager = packageManager();
  const beginMs = performance.now();
  const packages = missing.map(({ packageFor }) => packageFor(manager?.program ?? ''));
  const problem = manager ? await installPackages(manager, packages) : 'no supported package manager is on PATH';
  if (quiet) return;
  const seconds = ((performance.now() - beginMs) / 1000).toFixed(1);
  if (manager && problem === undefined)
    print(`  ${`installed ${packages.join(' and ')} by ${manager.program}`.padEnd(26)} ${dim(`${seconds} s`)}`);
  for (const { program, without } of missing.filter(({ program }) => !isOnPath(program)))
    print(`  no ${program}: ${without} (${problem ?? 'its package does not have it'})`);
  if (manager && problem !== undefined) print(`  to install them: ${commandOf(manager, packages)}`);
}
