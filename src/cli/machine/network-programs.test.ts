import { mkdtempSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { withoutPrograms } from './test-hidden-programs.ts';

let directory: string;
const failureFile = () => path.join(directory, 'coracle', 'failure');
const call = () => `ensureNetworkPrograms(false, '${failureFile()}')`;
const install = '-o DPkg::Lock::Timeout=300 install -y --no-install-recommends';

describe.skipIf(process.getuid?.() !== 0)('programs of the network that are missing', () => {
  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), 'coracle-programs-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  test('are installed by their names in this distribution', () => {
    const { said, calls } = withoutPrograms(
      ['nft', 'conntrack'],
      () => 'touch /usr/sbin/nft /usr/sbin/conntrack',
      'network-programs.ts',
      call(),
    );
    expect(calls).toEqual([`${install} nftables conntrack`]);
    expect(said).toMatch(/^ {2}installed nftables and conntrack by apt-get +.* s/);
    expect(said).not.toContain('no nft');
  });

  test('and cannot be had: the reason, the limits, and the command', () => {
    const { said } = withoutPrograms(
      ['nft'],
      () => "echo 'E: no network' >&2; exit 100",
      'network-programs.ts',
      call(),
    );
    expect(said).toBe(
      [
        '  no nft: services go through user space, and network policies and IPv6 do not work (E: no network)',
        '  to install them: apt-get install -y --no-install-recommends nftables',
        '',
      ].join('\n'),
    );
  });

  test('are tried again a day after a failure', () => {
    const offline = () =>
      withoutPrograms(['nft'], () => "echo 'E: no network' >&2; exit 100", 'network-programs.ts', call());
    const first = offline();
    expect(first.calls.length).toBeGreaterThan(1);
    const second = offline();
    expect(second).toEqual({ said: first.said, calls: [''] });
    const before = Date.now() / 1000 - 25 * 3600;
    utimesSync(failureFile(), before, before);
    expect(offline().calls.length).toBeGreaterThan(1);
  });
});
