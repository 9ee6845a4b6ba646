import { expect, test } from 'vitest';
import { planRoutes, type RemoteNode, tunnelMac, type Way } from './pod-routes.ts';

const near: Way = { device: 'eth0', isRouted: false };
const far: Way = { device: 'eth0', isRouted: true };
const node = (name: string, addresses: string, ...cidrs: string[]): RemoteNode => ({
  ...{ name, cidrs },
  addresses: addresses.split(' '),
});
const plan = (ways: Record<string, Way>, ...nodes: RemoteNode[]) =>
  planRoutes(nodes, new Map(Object.entries(ways)), 'tunnel');

test('a machine on the same network is the next hop', () =>
  expect(plan({ '192.0.2.1': near }, node('a', '192.0.2.1', '10.244.1.0/24'))).toEqual({
    routes: [{ cidr: '10.244.1.0/24', via: '192.0.2.1', device: 'eth0', isTunneled: false }],
    ends: [],
  }));

test('a machine behind a router is reached through the tunnel', () =>
  expect(plan({ '198.51.100.1': far }, node('a', '198.51.100.1', '10.244.1.0/24'))).toEqual({
    routes: [{ cidr: '10.244.1.0/24', via: '10.244.1.0', device: 'tunnel', isTunneled: true }],
    ends: [{ mac: tunnelMac('a'), address: '198.51.100.1', hops: ['10.244.1.0'] }],
  }));

test('a range of a family in which it has no address is too, on the same network', () =>
  expect(plan({ '192.0.2.1': near }, node('a', '192.0.2.1', '10.244.1.0/24', 'fd00:1::/64'))).toEqual({
    routes: [
      { cidr: '10.244.1.0/24', via: '192.0.2.1', device: 'eth0', isTunneled: false },
      { cidr: 'fd00:1::/64', via: 'fd00:1::', device: 'tunnel', isTunneled: true },
    ],
    ends: [{ mac: tunnelMac('a'), address: '192.0.2.1', hops: ['fd00:1::'] }],
  }));

test('each family has its own next hop', () =>
  expect(
    plan({ '192.0.2.1': near, 'fd00::1': near }, node('a', '192.0.2.1 fd00::1', '10.244.1.0/24', 'fd00:1::/64')),
  ).toEqual({
    routes: [
      { cidr: '10.244.1.0/24', via: '192.0.2.1', device: 'eth0', isTunneled: false },
      { cidr: 'fd00:1::/64', via: 'fd00::1', device: 'eth0', isTunneled: false },
    ],
    ends: [],
  }));

test('where one family is routed, its range alone goes through the tunnel, which begins at the first address', () =>
  expect(
    plan({ 'fd00::1': near, '198.51.100.1': far }, node('a', 'fd00::1 198.51.100.1', 'fd00:1::/64', '10.244.1.0/24')),
  ).toEqual({
    routes: [
      { cidr: 'fd00:1::/64', via: 'fd00::1', device: 'eth0', isTunneled: false },
      { cidr: '10.244.1.0/24', via: '10.244.1.0', device: 'tunnel', isTunneled: true },
    ],
    ends: [{ mac: tunnelMac('a'), address: 'fd00::1', hops: ['10.244.1.0'] }],
  }));

test('a machine without a way is left out', () =>
  expect(plan({}, node('a', '192.0.2.1', '10.244.1.0/24'))).toEqual({ routes: [], ends: [] }));

test('the address of a tunnel end follows from the name: locally administered, no group, different for each', () => {
  const macs = Array.from({ length: 500 }, (_, i) => tunnelMac(`node-${i}`));
  expect(new Set(macs).size).toBe(macs.length);
  for (const mac of macs) expect(mac).toMatch(/^02(:[0-9a-f]{2}){5}$/);
});
