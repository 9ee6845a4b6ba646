import { describe, expect, test } from 'vitest';
import {
  canonicalCidrText,
  canonicalIpText,
  cidrContains,
  cidrHasHost,
  cidrSize,
  cidrsOverlap,
  familyOf,
  formatCidr,
  formatIp,
  nthAddress,
  nthSubnet,
  parseCidr,
  parseIp,
  parseIpRange,
  rangeContains,
} from './ip.ts';
import { must } from './must.ts';
import fc from './test-property.ts';

describe('addresses', () => {
  test.each([
    { text: '10.0.0.1', canonical: '10.0.0.1' },
    { text: '::1', canonical: '::1' },
    { text: '2001:DB8:0:0:0:0:0:1', canonical: '2001:db8::1' },
    { text: '1:0:0:2:0:0:0:3', canonical: '1:0:0:2::3' },
    { text: '010.0.0.1', canonical: undefined },
    { text: '256.0.0.1', canonical: undefined },
    { text: '10.0.0', canonical: undefined },
    { text: '1::2::3', canonical: undefined },
    { text: 'fe80::1%eth0', canonical: undefined },
    { text: '', canonical: undefined },
  ])('$text is $canonical', ({ text, canonical }) => {
    const ip = parseIp(text);
    expect(ip && formatIp(ip)).toBe(canonical);
  });

  const ip = fc.oneof(
    fc.record({ family: fc.constant(4 as const), value: fc.bigInt(0n, 2n ** 32n - 1n) }),
    fc.record({ family: fc.constant(6 as const), value: fc.bigInt(0n, 2n ** 128n - 1n) }),
  );
  test('a text and its address', () =>
    fc.assert(
      fc.property(ip, (given) => {
        // ::ffff:a.b.c.d is the IPv4 address.
        fc.pre(given.family === 4 || given.value >> 32n !== 0xffffn);
        expect(parseIp(formatIp(given))).toEqual(given);
      }),
    ));
});

describe('ranges', () => {
  const cidr = fc
    .record({
      bytes: fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255)),
      prefix: fc.integer({ min: 8, max: 30 }),
    })
    .map(({ bytes, prefix }) => parseCidr(`${bytes.join('.')}/${prefix}`)!);

  test('hold their addresses and no other', () =>
    fc.assert(
      fc.property(cidr, fc.nat(1_000), (range, index) => {
        const address = parseIp(nthAddress(range, index))!;
        expect(cidrContains(range, address)).toBe(BigInt(index) < cidrSize(range));
      }),
    ));

  test('a text and its range', () =>
    fc.assert(
      fc.property(
        cidr,
        (range) => void expect(parseCidr(formatCidr(range))).toEqual({ ...range, address: range.base }),
      ),
    ));

  test('are split into ranges that do not overlap', () =>
    fc.assert(
      fc.property(cidr, fc.nat(3), fc.nat(3), (range, i, j) => {
        const [a, b] = [nthSubnet(range, range.prefix + 2, i)!, nthSubnet(range, range.prefix + 2, j)!];
        expect(cidrsOverlap(a, b)).toBe(i === j);
        expect(cidrsOverlap(range, a)).toBe(true);
      }),
    ));

  test('have no range beyond their end', () =>
    void expect(nthSubnet(parseCidr('10.0.0.0/24')!, 26, 4)).toBeUndefined());
});

test.each<[string, string | undefined, string | undefined]>([
  ['192.0.2.64/28', '192.0.2.64', '192.0.2.79'],
  ['192.0.2.200-192.0.2.220', '192.0.2.200', '192.0.2.220'],
  ['192.0.2.200 - 192.0.2.200', '192.0.2.200', '192.0.2.200'],
  ['fd00::1-fd00::f', 'fd00::1', 'fd00::f'],
  ['192.0.2.220-192.0.2.200', undefined, undefined],
  ['192.0.2.1-fd00::1', undefined, undefined],
  ['192.0.2.1', undefined, undefined],
  ['192.0.2.1-192.0.2.2-192.0.2.3', undefined, undefined],
])('the range %s', (text, first, last) => {
  const range = parseIpRange(text);
  expect(range && formatIp({ family: range.family, value: range.first })).toBe(first);
  expect(range && formatIp({ family: range.family, value: range.last })).toBe(last);
});

test.each([
  ['192.0.2.0/24', '192.0.2.255', true],
  ['192.0.2.0/24', '192.0.3.0', false],
  ['192.0.2.1-192.0.2.3', '192.0.2.3', true],
  ['::/0', '192.0.2.3', false],
])('%s has %s: %s', (range, address, wanted) =>
  expect(rangeContains(must(parseIpRange(range), range), must(parseIp(address), address))).toBe(wanted),
);

test.each([
  ['10.0.0.0/29', '10.0.0.0', false],
  ['10.0.0.0/29', '10.0.0.1', true],
  ['10.0.0.0/29', '10.0.0.7', false],
  ['10.0.0.0/29', '10.0.0.8', false],
  ['2001:db8::/120', '2001:db8::', false],
  ['2001:db8::/120', '2001:db8::ff', true],
  ['2001:db8::/120', '10.0.0.1', false],
])('a host of %s may have %s: %s', (cidr, address, wanted) =>
  expect(cidrHasHost(must(parseCidr(cidr), cidr), must(parseIp(address), address))).toBe(wanted),
);

test.each([
  [canonicalIpText, '2001:DB8::0:1', '2001:db8::1'],
  [canonicalIpText, '10.0.0.1', '10.0.0.1'],
  [canonicalIpText, '10.0.0.01', '10.0.0.01'],
  [canonicalCidrText, '10.0.0.7/24', '10.0.0.0/24'],
  [canonicalCidrText, 'x/24', 'x/24'],
])('%o of %s is %s', (canonical, text, expected) => expect(canonical(text)).toBe(expected));

test.each([
  ['10.0.0.1', 4],
  ['10.0.0.0/8', 4],
  ['::1', 6],
  ['fd00::/64', 6],
])('the family of %s is %i', (text, family) => expect(familyOf(text)).toBe(family));

describe('addresses and ranges', () => {
  test.each([
    ['10.0.0.1', '10.0.0.1'],
    ['::1', '::1'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['::ffff:1.2.3.4', '::ffff:1.2.3.4'],
    ['::', '::'],
  ])('%s is written %s', (text, canonical) => expect(formatIp(parseIp(text)!)).toBe(canonical));

  test.each(['', '1.2.3', '1.2.3.256', '01.2.3.4', '1::2::3', ':1', '12345::', 'x'])('%j is no address', (text) =>
    expect(parseIp(text)).toBeUndefined(),
  );

  test('ranges', () => {
    const range = parseCidr('10.96.0.0/12')!;
    expect(cidrContains(range, parseIp('10.97.1.1')!)).toBe(true);
    expect(cidrContains(range, parseIp('10.112.0.0')!)).toBe(false);
    expect(nthAddress(range, 10)).toBe('10.96.0.10');
    expect(nthSubnet(parseCidr('10.244.0.0/16')!, 24, 3)?.base).toBe(parseIp('10.244.3.0')!.value);
    expect(nthSubnet(parseCidr('10.244.0.0/16')!, 24, 256)).toBeUndefined();
    expect(parseCidr('10.0.0.0/33')).toBeUndefined();
  });
});
