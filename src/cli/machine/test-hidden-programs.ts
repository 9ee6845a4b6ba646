// Programs of this machine hidden in a mount namespace, and a package manager of the test.

import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** Overlays of the directories of programs, without these. */
const hiding = (directory: string, programs: readonly string[]) => `for d in /usr/sbin /usr/bin; do
  n=$(basename $d); mkdir -p ${directory}/$n/upper ${directory}/$n/work
  mount -t overlay -o lowerdir=$d,upperdir=${directory}/$n/upper,workdir=${directory}/$n/work overlay $d || exit 1
  for p in ${programs.join(' ')}; do rm -f $d/$p; done
done`;

/**
 * Calls a function of a module in this directory where programs are missing and `apt-get` is a script. Returns its
 * output, and the arguments of each call of apt-get.
 */
export function withoutPrograms(
  programs: readonly string[],
  aptGet: (directory: string) => string,
  module: string,
  call: string,
): { said: string; calls: string[] } {
  const directory = mkdtempSync(path.join(tmpdir(), 'coracle-hidden-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', directory]);
    const script = path.join(directory, 'apt-get');
    writeFileSync(script, `#!/bin/sh\necho "$@" >>${directory}/calls\n${aptGet(directory)}\n`);
    chmodSync(script, 0o755);
    const file = path.resolve(import.meta.dirname, module);
    const node = `${process.execPath} -e "import('${file}').then((m) => m.${call})"`;
    const marker = 'calls of apt-get:';
    const run = `${hiding(directory, programs)}\nPATH=${directory}:/usr/sbin:/usr/bin ${node}; echo '${marker}'; cat ${directory}/calls 2>/dev/null || true`;
    const [said, calls] = execFileSync('unshare', ['--mount', 'sh', '-c', run], { encoding: 'utf8' }).split(
      `${marker}\n`,
    );
    return { said, calls: calls.trim().split('\n') };
  } finally {
    execFileSync('umount', ['-l', directory]);
    rmSync(directory, { recursive: true, force: true });
  }
}
