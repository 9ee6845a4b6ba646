import { expect, test } from 'vitest';
import { parseMessage } from './heartbeats.ts';
import { anyNeighbour, networkOf, ownNetworks } from './interfaces.ts';

test.each<[string, string, object | undefined]>([
  [
    'a heartbeat',
    '{"node":"a","networks":["192.0.2.0/24"],"holds":[]}',
    { node: 'a', networks: ['192.0.2.0/24'], holds: [], leaves: false },
  ],
  [
    'the last one',
    '{"node":"a","networks":[],"holds":[],"leaves":true}',
    { node: 'a', networks: [], holds: [], leaves: true },
  ],
  ['no JSON', 'hello', undefined],
  ['no object', '7', undefined],
  ['no name', '{"networks":[],"holds":[]}', undefined],
  ['other types', '{"node":"a","networks":[7],"holds":[]}', undefined],
  ['no list', '{"node":"a","networks":[],"holds":"192.0.2.1"}', undefined],
])('a message: %s', (_, text, wanted) => expect(parseMessage(text)).toEqual(wanted));

test('the networks of a machine are those in which it has neighbours', () => {
  const address = (cidr: string, internal = false) => {
    const [text] = cidr.split('/');
    const common = { netmask: '', mac: '', internal, cidr, address: text };
    return text.includes(':')
      ? { ...common, family: 'IPv6' as const, scopeid: 0 }
      : { ...common, family: 'IPv4' as const };
  };
  const eth0 = ['192.0.2.2/24', '192.0.2.200/32', 'fd00::2/64', 'fd00::c8/128', 'fe80::1/64'].map((each) =>
    address(each),
  );
  const found = ownNetworks({ lo: [address('127.0.0.1/8', true), address('::1/128', true)], eth0 });
  expect(found).toEqual([
    { device: 'eth0', cidr: '192.0.2.0/24', address: '192.0.2.2' },
    { device: 'eth0', cidr: 'fd00::/64', address: 'fd00::2' },
  ]);
});

const network = (cidr: string, address = '192.0.2.10') => ({ device: cidr, cidr, address });
test.each<[string, string, string[], string | undefined]>([
  ['the one with the address', '192.0.2.200', ['198.51.100.0/24', '192.0.2.0/24'], '192.0.2.0/24'],
  ['the smallest', '192.0.2.200', ['192.0.0.0/16', '192.0.2.0/24', '192.0.0.0/8'], '192.0.2.0/24'],
  ['none', '203.0.113.1', ['192.0.2.0/24'], undefined],
])('the network of an address: %s', (_, ip, cidrs, wanted) =>
  expect(
    networkOf(
      ip,
      cidrs.map((cidr) => network(cidr)),
    )?.cidr,
  ).toBe(wanted),
);

test.each<[string, string, string, string, string | undefined]>([
  ['the last host', '192.0.2.200', '192.0.2.0/24', '192.0.2.10', '192.0.2.254'],
  ['not the own address', '192.0.2.200', '192.0.2.0/24', '192.0.2.254', '192.0.2.253'],
  ['not the announced one', '192.0.2.254', '192.0.2.0/24', '192.0.2.253', '192.0.2.252'],
])('a neighbour to look up: %s', (_, ip, cidr, address, wanted) =>
  expect(anyNeighbour(ip, network(cidr, address))).toBe(wanted),
);
