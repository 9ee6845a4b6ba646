import { describe, expect, test } from 'vitest';
import { withoutPrograms } from './test-hidden-programs.ts';

const call = 'ensureNetworkPrograms(false)';
const install = '-o DPkg::Lock::Timeout=300 install -y --no-install-recommends';

describe.skipIf(process.getuid?.() !== 0)('programs of the network that are missing', () => {
  test('are installed by their names in this distribution', () => {
    const { said, calls } = withoutPrograms(
      ['nft', 'conntrack'],
      () => 'touch /usr/sbin/nft /usr/sbin/conntrack',
      'network-programs.ts',
      call,
    );
    expect(calls).toEqual([`${install} nftables conntrack`]);
    expect(said).toMatch(/^ {2}installed nftables and conntrack by apt-get +.* s/);
    expect(said).not.toContain('no nft');
  });

  test('and cannot be had: the reason, the limits, and the command', () => {
    const { said } = withoutPrograms(['nft'], () => "echo 'E: no network' >&2; exit 100", 'network-programs.ts', call);
    expect(said).toBe(
      [
        '  no nft: services go through user space, and network policies and IPv6 do not work (E: no network)',
        '  to install them: apt-get install -y --no-install-recommends nftables',
        '',
      ].join('\n'),
    );
  });
});
