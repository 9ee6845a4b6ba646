// Packages that `up` installs with the machine's package manager.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';

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

/** Undefined when none of them is there. */
export const packageManager = (): PackageManager | undefined =>
  packageManagers.find(({ program }) => isOnPath(program));

/** For the user to run. */
export const commandOf = ({ program, install }: PackageManager, packages: readonly string[]): string =>
  [program, ...install, ...packages].join(' ');

/**
 * Undefined when they are installed, else the reason. Lists of packages may be old or missing, so they are brought when
 * the first try fails.
 */
export async function installPackages(
  manager: PackageManager,
  packages: readonly string[],
): Promise<string | undefined> {
  const { waiting = [] } = manager;
  const words = [...waiting, ...manager.install, ...packages];
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

export function isOnPath(program: string): boolean {
  const directories = [...(process.env['PATH'] ?? '').split(path.delimiter).filter(Boolean), '/usr/sbin', '/sbin'];
  return directories.some((directory) => existsSync(path.join(directory, program)));
}
