import { expect, test } from 'vitest';
import type { Event, Node, Service } from '../api/api.ts';
import { traceBalancers } from './trace-balancers.ts';

const service = (ingress: object[], spec: object = {}, annotations: object = {}) =>
  ({
    metadata: { annotations },
    spec: { type: 'LoadBalancer', ...spec },
    status: { loadBalancer: { ingress } },
  }) as unknown as Service;
const nodes = [
  { metadata: { name: 'a' }, status: { addresses: [{ type: 'InternalIP', address: '10.0.0.1' }] } },
] as unknown as Node[];
const event = (reason: string, message: string, lastTimestamp: string) =>
  ({ metadata: {}, reason, message, lastTimestamp }) as unknown as Event;
const announced = { '192.0.2.1': 'node a announces 192.0.2.1 on eth0' };

test.each<[string, Service, string[]]>([
  ['an announced address', service([{ ip: '192.0.2.1' }]), ['192.0.2.1: node a announces 192.0.2.1 on eth0']],
  [
    'one of the range that no node has',
    service([{ ip: '192.0.2.2' }], {}, { 'coracle.local/announce-load-balancer': 'true' }),
    ['192.0.2.2: no node has announced it within the last hour'],
  ],
  ['that of a node', service([{ ip: '10.0.0.1' }]), ['10.0.0.1: address of node a']],
  [
    'an address of a cloud',
    service([{ ip: '203.0.113.1', ipMode: 'VIP' }]),
    ['203.0.113.1: of the cloud, leads to node ports; connections from inside skip it'],
  ],
  [
    'a proxy of a cloud',
    service([{ ip: '203.0.113.1', ipMode: 'Proxy' }]),
    ['203.0.113.1: of the cloud, leads to node ports; connections from inside go through it too'],
  ],
  [
    'a name, of a class, with an error of a port',
    service([{ hostname: 'lb.example.org', ports: [{ port: 80, protocol: 'TCP', error: 'Quota' }] }], {
      loadBalancerClass: 'example.org/lb',
    }),
    [
      'lb.example.org: of the class example.org/lb, leads to node ports; connections from inside go through it too; 80/TCP: Quota',
    ],
  ],
  [
    'none of a class',
    service([], { loadBalancerClass: 'example.org/lb' }),
    [': pending: the controller of the class example.org/lb gives the address'],
  ],
  ['another type of service', service([], { type: 'ClusterIP' }), []],
])('%s', (_, subject, wanted) =>
  expect(traceBalancers(subject, nodes, announced, []).map(({ address, origin }) => `${address}: ${origin}`)).toEqual(
    wanted,
  ),
);

test.each<[string, Event[], string]>([
  ['without events', [], 'pending: no cloud-controller-manager has begun with it'],
  [
    'with events, the newest one',
    [
      event('EnsuringLoadBalancer', 'Ensuring load balancer', '2026-01-01T00:00:01Z'),
      event('SyncLoadBalancerFailed', 'Error syncing load balancer: quota', '2026-01-01T00:00:02Z'),
      event('Other', 'x', '2026-01-01T00:00:03Z'),
    ],
    'pending: Error syncing load balancer: quota',
  ],
])('no address yet %s', (_, events, origin) =>
  expect(traceBalancers(service([]), nodes, {}, events)).toEqual([{ address: '', origin }]),
);
