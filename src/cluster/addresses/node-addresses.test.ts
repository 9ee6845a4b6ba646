import type { NetworkInterfaceInfo } from 'node:os';
import { describe, expect, test } from 'vitest';
import { listenHost, machineAddresses, nodeAddresses, primaryAddress } from './node-addresses.ts';

const address = (cidr: string, internal = false): NetworkInterfaceInfo => {
  const [text] = cidr.split('/');
  const rest = { netmask: '', mac: '', internal, cidr, address: text };
  return text.includes(':') ? { ...rest, family: 'IPv6', scopeid: 0 } : { ...rest, family: 'IPv4' };
};
const loopback = { lo: [address('127.0.0.1/8', true), address('::1/128', true)] };
const of = (...cidrs: string[]) => machineAddresses({ ...loopback, eth0: cidrs.map((cidr) => address(cidr)) });

const dual = of('192.0.2.2/24', 'fe80::1/64', 'fd00::2/64');
const four = of('192.0.2.2/24', 'fe80::1/64');
const six = of('fe80::1/64', 'fd00::2/64');
const none = of();
const [v4, v6] = ['10.96.0.0/12', 'fd00:10:96::/112'];

describe('the addresses of a node', () => {
  test.each<[string, string | undefined, string, ReturnType<typeof of>, string]>([
    ['of IPv4', undefined, v4, dual, '192.0.2.2'],
    ['of IPv4 where there is none', undefined, v4, six, '127.0.0.1'],
    ['of both families', undefined, `${v4},${v6}`, dual, '192.0.2.2 fd00::2'],
    ['of both families, IPv6 first', undefined, `${v6},${v4}`, dual, 'fd00::2 192.0.2.2'],
    ['of both families on a machine without IPv6', undefined, `${v4},${v6}`, four, '192.0.2.2'],
    ['of both families on a machine without IPv4', undefined, `${v6},${v4}`, six, 'fd00::2'],
    ['of IPv6', undefined, v6, dual, 'fd00::2'],
    ['given', '192.0.2.9', v4, dual, '192.0.2.9'],
    ['given, of both families', 'fd00::9,192.0.2.9', `${v4},${v6}`, none, '192.0.2.9 fd00::9'],
    ['given, of one family alone', '192.0.2.9', `${v4},${v6}`, dual, '192.0.2.9'],
    ['not those of one machine', undefined, v6, of('fd00::200/128', 'fd00::2/64'), 'fd00::2'],
    ['that of one machine where there is no other', undefined, v6, of('fd00::200/128'), 'fd00::200'],
  ])('%s', (_, given, ranges, machine, wanted) =>
    expect(nodeAddresses(given?.split(','), ranges, machine).join(' ')).toBe(wanted),
  );

  test.each<[string, string | undefined, string, ReturnType<typeof of>, RegExp]>([
    [
      'of IPv6 on a machine without it',
      undefined,
      v6,
      four,
      /the cluster has IPv6, and this machine has no IPv6 address/,
    ],
    ['given, of a family that the cluster lacks', 'fd00::9', v4, dual, /--node-ip fd00::9: the cluster has IPv4 alone/],
    [
      'given, without the primary family',
      '192.0.2.9',
      `${v6},${v4}`,
      dual,
      /need an IPv6 address, the family of its first/,
    ],
  ])('not %s', (_, given, ranges, machine, says) =>
    expect(() => nodeAddresses(given?.split(','), ranges, machine)).toThrow(says),
  );
});

test('bridges and interfaces of pods have no addresses of the machine', () => {
  const bridges = ['docker0', 'cor-1', 'corvx12', 'cni0', 'veth1', 'virbr0', 'br-1'];
  const interfaces = Object.fromEntries(bridges.map((name) => [name, [address('10.1.1.1/24')]]));
  expect(machineAddresses({ ...loopback, ...interfaces, cor0: [address('10.1.1.2/24')] })).toMatchObject([
    { address: '10.1.1.2' },
  ]);
});

test.each([
  [dual, '192.0.2.2'],
  [six, 'fd00::2'],
  [none, '127.0.0.1'],
])('before the families are decided, IPv4 comes first', (machine, wanted) =>
  expect(primaryAddress(machine)).toBe(wanted),
);

test.each([
  [['192.0.2.2'], '0.0.0.0'],
  [['192.0.2.2', 'fd00::2'], '::'],
])('servers of a node with %j listen on %s', (nodeIPs, wanted) => expect(listenHost(nodeIPs)).toBe(wanted));
