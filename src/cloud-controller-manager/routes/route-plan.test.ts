import { expect, test } from 'vitest';
import type { Node } from '../../api/api.ts';
import { parseCidr } from '../../machinery/ip.ts';
import { must } from '../../machinery/must.ts';
import type { Route } from '../provider.ts';
import { planRoutes } from './route-plan.ts';

const clusterCidrs = ['10.120.0.0/16', 'fd00:10::/48'].map((text) => must(parseCidr(text), text));

/** name range,range @address */
function node(text: string): Node {
  const [name, ranges = '', address = ''] = text.split(' ');
  return {
    metadata: { name },
    spec: { podCIDRs: ranges.split(',').filter((each) => each && each !== '-') },
    status: { addresses: address ? [{ type: 'InternalIP', address: address.slice(1) }] : [] },
  } as unknown as Node;
}

/** range>node !(blackhole) @address */
function route(text: string): Route {
  const [path, ...more] = text.split(' ');
  const [destinationCIDR, targetNode = ''] = path.split('>');
  const address = more.find((word) => word.startsWith('@'));
  return {
    name: text,
    targetNode,
    destinationCIDR,
    ...(more.includes('!') && { isBlackhole: true }),
    ...(address && { targetAddresses: [{ type: 'InternalIP', address: address.slice(1) }] }),
  };
}

test.each<[string, { nodes: string[]; routes: string[]; remove?: string[]; create?: string[]; judged?: string[] }]>([
  [
    'two nodes, one route',
    {
      nodes: ['a 10.120.0.0/24', 'b 10.120.1.0/24'],
      routes: ['10.120.0.0/24>a'],
      create: ['b 10.120.1.0/24'],
      judged: ['a', 'b'],
    },
  ],
  ['all is there', { nodes: ['a 10.120.0.0/24'], routes: ['10.120.0.0/24>a'], judged: ['a'] }],
  [
    'a range of another node',
    {
      nodes: ['a 10.120.0.0/24'],
      routes: ['10.120.1.0/24>a'],
      remove: ['10.120.1.0/24>a'],
      create: ['a 10.120.0.0/24'],
      judged: ['a'],
    },
  ],
  ['a route to a node that is gone', { nodes: [], routes: ['10.120.1.0/24>b'], remove: ['10.120.1.0/24>b'] }],
  ['a route outside of the cluster stays', { nodes: [], routes: ['10.1.2.3/32>a', '0.0.0.0/0>b', 'nonsense>c'] }],
  ['a route around the cluster stays', { nodes: [], routes: ['10.0.0.0/8>a'] }],
  ['a route to no node goes', { nodes: [], routes: ['10.120.1.0/24'], remove: ['10.120.1.0/24'] }],
  [
    'a blackhole goes',
    { nodes: ['a 10.120.0.0/24'], routes: ['10.120.0.0/24>a !'], remove: ['10.120.0.0/24>a !'], judged: ['a'] },
  ],
  ['a node without a range', { nodes: ['a'], routes: [] }],
  [
    'a node without a range that has a route',
    { nodes: ['a'], routes: ['10.120.0.0/24>a'], remove: ['10.120.0.0/24>a'], judged: ['a'] },
  ],
  [
    'both families',
    {
      nodes: ['a 10.120.0.0/24,fd00:10:0:1::/64'],
      routes: ['10.120.0.0/24>a'],
      create: ['a fd00:10:0:1::/64'],
      judged: ['a'],
    },
  ],
  ['another spelling of a range', { nodes: ['a fd00:10:0:1::/64'], routes: ['fd00:10:0:1:0::/64>a'], judged: ['a'] }],
  [
    'an address that has changed',
    {
      nodes: ['a 10.120.0.0/24 @1.1.1.2'],
      routes: ['10.120.0.0/24>a @1.1.1.1'],
      remove: ['10.120.0.0/24>a @1.1.1.1'],
      create: ['a 10.120.0.0/24'],
      judged: ['a'],
    },
  ],
  [
    'an address that is the same',
    { nodes: ['a 10.120.0.0/24 @1.1.1.1'], routes: ['10.120.0.0/24>a @1.1.1.1'], judged: ['a'] },
  ],
  [
    'an address that the cloud does not say',
    { nodes: ['a 10.120.0.0/24 @1.1.1.2'], routes: ['10.120.0.0/24>a'], judged: ['a'] },
  ],
])('%s', (_, { nodes, routes, remove = [], create = [], judged = [] }) => {
  const plan = planRoutes(nodes.map(node), routes.map(route), clusterCidrs);
  expect({
    remove: plan.remove.map(({ name }) => name),
    create: plan.create.map(({ node: { metadata }, cidr }) => `${metadata.name} ${cidr}`),
    judged: plan.judged.map(({ metadata }) => metadata.name),
  }).toEqual({ remove, create, judged });
});
