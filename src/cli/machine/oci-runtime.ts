// Real containers need an OCI runtime: `up` uses the one on PATH, or installs one with the machine's package manager.

import { must } from '../../machinery/must.ts';
import { CliError, dim, print } from '../options/options.ts';
import { commandOf, installPackages, isOnPath, type PackageManager, packageManager } from './packages.ts';

/** In every distribution, and accepted by every layout of cgroups. */
const packageName = 'runc';

/** Throws CliError with the remedy if there is none and none can be installed. */
export async function ensureOciRuntime(given: string | undefined, quiet: boolean): Promise<void> {
  // Usually it is there; looking closer is for the process that runs the containers.
  if (!given && isOnPath(packageName)) return;
  const { findOciRuntime } = await import('../../container-runtime/container-runtime.ts');
  const { runtime, refused } = await findOciRuntime(given);
  if (runtime) return;
  const why = refused.length > 0 ? ` (${refused.join('; ')})` : '';
  if (given) throw new CliError(`--oci-runtime: this one cannot be used${why}`, 2);
  const manager = packageManager();
  const beginMs = performance.now();
  const problem = manager ? await installPackages(manager, [packageName]) : 'no supported package manager is on PATH';
  if (problem !== undefined || !(await findOciRuntime()).runtime)
    throw new CliError(adviceOf(why, manager, problem ?? 'the package was installed, but has no usable runtime'));
  const seconds = ((performance.now() - beginMs) / 1000).toFixed(1);
  if (!quiet)
    print(`  ${`installed ${packageName} by ${must(manager, 'manager').program}`.padEnd(26)} ${dim(`${seconds} s`)}`);
}

export function adviceOf(why: string, manager: PackageManager | undefined, problem: string): string {
  const command = manager
    ? `run "${commandOf(manager, [packageName])}" and then "./coracle up" again`
    : 'install runc 1.1 or newer, or crun, and run "./coracle up" again';
  return `real containers need an OCI runtime, runc 1.1 or newer or crun${why}, and it could not be installed: ${problem}. ${command[0].toUpperCase()}${command.slice(1)}. With "--runtime simulated" everything but real containers works here.`;
}
