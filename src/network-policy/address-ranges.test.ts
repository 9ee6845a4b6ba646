import { expect, test } from 'vitest';
import { finish } from '../machinery/time/steps.ts';
import { blockRanges } from './address-ranges.ts';

const text = (cidr: string, ...except: string[]) =>
  finish(blockRanges([{ cidr, except }]))
    .map(({ first, last }) => `${first}-${last}`)
    .join(' ');

test.each<[string, string, string[], string]>([
  ['a block', '10.1.0.0/16', [], '10.1.0.0-10.1.255.255'],
  ['one address', '10.1.2.3/32', [], '10.1.2.3-10.1.2.3'],
  ['host bits are ignored', '10.1.2.3/24', [], '10.1.2.0-10.1.2.255'],
  ['an exception inside', '10.1.0.0/24', ['10.1.0.64/26'], '10.1.0.0-10.1.0.63 10.1.0.128-10.1.0.255'],
  ['at the start', '10.1.0.0/24', ['10.1.0.0/25'], '10.1.0.128-10.1.0.255'],
  ['at the end', '10.1.0.0/24', ['10.1.0.128/25'], '10.1.0.0-10.1.0.127'],
  ['exceptions that overlap', '10.0.0.0/24', ['10.0.0.0/26', '10.0.0.0/25'], '10.0.0.128-10.0.0.255'],
  ['in any order', '10.0.0.0/30', ['10.0.0.3/32', '10.0.0.1/32'], '10.0.0.0-10.0.0.0 10.0.0.2-10.0.0.2'],
  ['an exception of the whole block', '10.0.0.0/24', ['10.0.0.0/24'], ''],
  ['an exception outside', '10.0.0.0/30', ['10.0.1.0/30'], '10.0.0.0-10.0.0.3'],
  ['all addresses', '0.0.0.0/0', ['10.0.0.0/8'], '0.0.0.0-9.255.255.255 11.0.0.0-255.255.255.255'],
  ['IPv6', 'fd00::/64', ['fd00::/65'], 'fd00::8000:0:0:0-fd00::ffff:ffff:ffff:ffff'],
  ['all of IPv6', '::/0', [], '::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['an exception of the other family', '10.0.0.0/30', ['fd00::/8'], '10.0.0.0-10.0.0.3'],
  ['no CIDR permits nothing', '10.0.0.0', [], ''],
  ['an exception that is none, too', '10.0.0.0/8', ['10.0.0.256/32'], ''],
])('%s', (_, cidr, except, ranges) => expect(text(cidr, ...except)).toBe(ranges));

test('blocks that overlap or touch are one range, and families stay apart', () => {
  const cidrs = ['10.0.1.0/24', 'fd00::/64', '10.0.0.0/24', '10.0.0.128/25', '10.2.0.0/16', '0.0.0.0/32', '::/128'];
  const ranges = finish(blockRanges(cidrs.map((cidr) => ({ cidr }))));
  expect(ranges.map(({ first, last }) => `${first}-${last}`)).toEqual([
    ...['0.0.0.0-0.0.0.0', '10.0.0.0-10.0.1.255', '10.2.0.0-10.2.255.255'],
    ...['::-::', 'fd00::-fd00::ffff:ffff:ffff:ffff'],
  ]);
});
