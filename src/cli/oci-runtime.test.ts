import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { adviceOf, ensureOciRuntime } from './oci-runtime.ts';

test('without a runtime and a way to install one, the command to run and another way are named', () => {
  const apk = { program: 'apk', install: ['add'] };
  const text = adviceOf('', apk, 'no network');
  expect(text).toContain('it could not be installed: no network. Run "apk add runc" and then "./coracle up" again.');
  expect(text).toContain('With "--runtime simulated"');
  expect(adviceOf(' (/usr/bin/crun: too old)', undefined, 'none')).toContain('Install runc 1.1 or newer, or crun');
});

test('one that is chosen and cannot be used is refused with the reason', async () => {
  await expect(ensureOciRuntime('/bin/true', true)).rejects.toThrow('/bin/true: neither crun nor runc');
});

/** Hides the machine's runtimes in a mount namespace: overlays without the two programs. */
const hiding = (directory: string) => `for d in /usr/sbin /usr/bin; do
  n=$(basename $d); mkdir -p ${directory}/$n/upper ${directory}/$n/work
  mount -t overlay -o lowerdir=$d,upperdir=${directory}/$n/upper,workdir=${directory}/$n/work overlay $d || exit 1
  rm -f $d/runc $d/crun
done`;

test.skipIf(process.getuid?.() !== 0)('without one, the package manager installs it', () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'coracle-oci-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', directory]);
    const script = path.join(directory, 'apt-get');
    // The first call fails, as without package lists.
    writeFileSync(
      script,
      `#!/bin/sh
echo "$@" >>${directory}/calls
[ "$3" = update ] && exit 0
[ -e ${directory}/tried ] || { touch ${directory}/tried; echo 'E: Unable to locate package' >&2; exit 100; }
printf '#!/bin/sh\\necho "runc version 1.1.5"\\n' >/usr/sbin/runc; chmod 755 /usr/sbin/runc
`,
    );
    chmodSync(script, 0o755);
    const program = path.resolve(import.meta.dirname, 'oci-runtime.ts');
    const call = `${process.execPath} -e "import('${program}').then((m) => m.ensureOciRuntime(undefined, false))"`;
    const run = `${hiding(directory)}\nPATH=${directory}:/usr/sbin:/usr/bin ${call}; cat ${directory}/calls`;
    const said = execFileSync('unshare', ['--mount', 'sh', '-c', run], { encoding: 'utf8' });
    expect(said).toContain('installed runc by apt-get');
    const waiting = '-o DPkg::Lock::Timeout=300';
    const install = `${waiting} install -y --no-install-recommends runc`;
    expect(said.split('\n').slice(-4, -1)).toEqual([install, `${waiting} update`, install]);
  } finally {
    execFileSync('umount', ['-l', directory]);
    rmSync(directory, { recursive: true, force: true });
  }
});
