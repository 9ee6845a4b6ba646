import { expect, test } from 'vitest';
import { adviceOf, ensureOciRuntime } from './oci-runtime.ts';
import { withoutPrograms } from './test-hidden-programs.ts';

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

test.skipIf(process.getuid?.() !== 0)('without one, the package manager installs it', () => {
  // The first call fails, as without package lists.
  const { said, calls } = withoutPrograms(
    ['runc', 'crun'],
    (directory) => `[ "$3" = update ] && exit 0
[ -e ${directory}/tried ] || { touch ${directory}/tried; echo 'E: Unable to locate package' >&2; exit 100; }
printf '#!/bin/sh\\necho "runc version 1.1.5"\\n' >/usr/sbin/runc; chmod 755 /usr/sbin/runc`,
    'oci-runtime.ts',
    'ensureOciRuntime(undefined, false)',
  );
  expect(said).toContain('installed runc by apt-get');
  const waiting = '-o DPkg::Lock::Timeout=300';
  const install = `${waiting} install -y --no-install-recommends runc`;
  expect(calls).toEqual([install, `${waiting} update`, install]);
});
