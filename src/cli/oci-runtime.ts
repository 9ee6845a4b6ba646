// Real containers need an OCI runtime: `up` uses the one on PATH, or installs one with the machine's package manager.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { must } from '../machinery/must.ts';
import { CliError, dim, print } from './options.ts';

export interface PackageManager {
  readonly program: string;
  /** Arguments to install a package, and to update the package lists first. */
  readonly install: readonly string[];
  readonly update?: readonly string[];
  /** Before the arguments above: another run of it, such as that of automatic updates, is waited for. */
  readonly waiting?: readonly string[];
}

const packageManagers: readonly PackageManager[] = [
  {
    program: 'apt-get',
    install: ['install', '-y', '--no-install-recommends'],
    update: ['update'],
    waiting: ['-o', 'DPkg::Lock::Timeout=300'],
  },
  { program: 'dnf', install: ['install', '-y'] },
  { program: 'zypper', install: ['--non-interactive', 'install'] },
  { program: 'apk', install: ['add'], update: ['update'] },
  { program: 'pacman', install: ['-S', '--noconfirm', '--needed'], update: ['-Sy'] },
];

/** In every distribution, and accepted by every layout of cgroups. */
const packageName = 'runc';

/** Throws CliError with the remedy if there is none and none can be installed. */
export async function ensureOciRuntime(given: string | undefined, quiet: boolean): Promise<void> {
  // Usually it is there; looking closer is for the process that runs the containers.
  if (!given && isOnPath(packageName)) return;
  const { findOciRuntime } = await import('../container-runtime/container-runtime.ts');
  const { runtime, refused } = await findOciRuntime(given);
  if (runtime) return;
  const why = refused.length > 0 ? ` (${refused.join('; ')})` : '';
  if (given) throw new CliError(`--oci-runtime: this one cannot be used${why}`, 2);
  const manager = packageManagers.find(({ program }) => isOnPath(program));
  const beginMs = performance.now();
  const problem = manager ? await install(manager) : 'no supported package manager is on PATH';
  if (problem !== undefined || !(await findOciRuntime()).runtime)
    throw new CliError(adviceOf(why, manager, problem ?? 'the package was installed, but has no usable runtime'));
  const seconds = ((performance.now() - beginMs) / 1000).toFixed(1);
  if (!quiet)
    print(`  ${`installed ${packageName} by ${must(manager, 'manager').program}`.padEnd(26)} ${dim(`${seconds} s`)}`);
}

export function adviceOf(why: string, manager: PackageManager | undefined, problem: string): string {
  const command = manager
    ? `run "${commandOf(manager)}" and then "./coracle up" again`
    : 'install runc 1.1 or newer, or crun, and run "./coracle up" again';
  return `real containers need an OCI runtime, runc 1.1 or newer or crun${why}, and it could not be installed: ${problem}. ${command[0].toUpperCase()}${command.slice(1)}. With "--runtime simulated" everything but real containers works here.`;
}

const commandOf = ({ program, install: words }: PackageManager) => [program, ...words, packageName].join(' ');

/** Undefined when it is installed. Lists of packages may be old or missing, so they are brought when the first try fails. */
async function install(manager: PackageManager): Promise<string | undefined> {
  const { waiting = [] } = manager;
  const words = [...waiting, ...manager.install, packageName];
  let problem = await runQuietly(manager.program, words);
  if (problem !== undefined && manager.update) {
    await runQuietly(manager.program, [...waiting, ...manager.update]);
    problem = await runQuietly(manager.program, words);
  }
  return problem;
}

/** On failure, returns its last line of output. */
function runQuietly(program: string, words: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const child = spawn(program, words, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        said = (said + chunk).slice(-4096);
      });
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code) =>
      resolve(code === 0 ? undefined : (said.trim().split('\n').at(-1) ?? `exit code ${code}`)),
    );
  });
}

function isOnPath(program: string): boolean {
  const directories = [...(process.env['PATH'] ?? '').split(path.delimiter).filter(Boolean), '/usr/sbin', '/sbin'];
  return directories.some((directory) => existsSync(path.join(directory, program)));
}
