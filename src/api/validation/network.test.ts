import { describe, expect, test } from 'vitest';
import { canonicalInterface, cidrWarnings, ipWarnings } from './network.ts';

const form = 'must be a valid address in CIDR form';
const canonical = (text: string) => `must be in canonical form ("${text}")`;

describe('the address of an interface', () => {
  test.each(['1.2.3.4/24', '1.1.1.1/32', '2001:4860:4860::1/48', '::1/128'])('%s is valid', (text) =>
    expect(canonicalInterface('f', text)).toEqual([]),
  );

  test.each([
    ['', form],
    ['aaaaaaa', form],
    ['1.2.3.4', form],
    ['192.168.0.1/healthz', form],
    ['192.168.0.1/0/99', form],
    ['192.168.0.0/-16', form],
    ['192.168.0.0/+16', form],
    ['2001:0:0:0::0BCD/64', canonical('2001::bcd/64')],
    ['1.1.01.002/24', canonical('1.1.1.2/24')],
    ['::ffff:1.1.1.1/24', canonical('1.1.1.1/24')],
    ['::ffff:1.1.1.1/120', canonical('1.1.1.1/24')],
    ['192.168.0.5/016', canonical('192.168.0.5/16')],
  ])('%j is invalid', (text, message) =>
    expect(canonicalInterface('f', text)).toEqual([
      expect.objectContaining({ field: 'f', message: expect.stringContaining(message) }),
    ]),
  );
});

describe('warnings', () => {
  test.each([
    ['1.2.3.4', []],
    ['2001:db8::1', []],
    ['not an address', []],
    ['1.2.03.4', ['f: non-standard IP address "1.2.03.4" is invalid: use "1.2.3.4"']],
    ['::ffff:1.2.3.4', ['f: non-standard IP address "::ffff:1.2.3.4" is invalid: use "1.2.3.4"']],
    [
      '2001:db8:0:0:0:0:0:2',
      ['f: IPv6 address "2001:db8:0:0:0:0:0:2" should be in RFC 5952 canonical format ("2001:db8::2")'],
    ],
  ])('of the address %s', (text, warnings) => expect(ipWarnings('f', text)).toEqual(warnings));

  test.each([
    ['1.2.3.0/24', []],
    ['2001:db8::/64', []],
    ['nonsense/24', []],
    ['192.012.2.0/24', ['f: non-standard CIDR value "192.012.2.0/24" is invalid: use "192.12.2.0/24"']],
    ['192.12.2.01/32', ['f: non-standard CIDR value "192.12.2.01/32" is invalid: use "192.12.2.1/32"']],
    ['192.12.2.0/024', ['f: non-standard CIDR value "192.12.2.0/024" is invalid: use "192.12.2.0/24"']],
    ['::ffff:192.12.2.0/120', ['f: non-standard CIDR value "::ffff:192.12.2.0/120" is invalid: use "192.12.2.0/24"']],
    [
      '192.12.2.8/24',
      ['f: CIDR value "192.12.2.8/24" is ambiguous in this context (should be "192.12.2.0/24" or "192.12.2.8/32"?)'],
    ],
    [
      '192.012.2.8/24',
      [
        'f: CIDR value "192.012.2.8/24" is ambiguous in this context (should be "192.12.2.0/24" or "192.12.2.8/32"?)',
        'f: non-standard CIDR value "192.012.2.8/24" is invalid: use "192.12.2.0/24"',
      ],
    ],
    [
      '2001:db8:0:0::/64',
      ['f: IPv6 CIDR value "2001:db8:0:0::/64" should be in RFC 5952 canonical format ("2001:db8::/64")'],
    ],
  ])('of the range %s', (text, warnings) => expect(cidrWarnings('f', text)).toEqual(warnings));
});
