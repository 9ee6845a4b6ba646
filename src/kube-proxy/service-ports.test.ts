import { describe, expect, test } from 'vitest';
import type { EndpointSlice, Service } from '../api/api.ts';
import { healthChecks, servicePorts } from './service-ports.ts';

const service = (spec: object, more: { labels?: object; status?: object } = {}) =>
  ({
    metadata: { namespace: 'ns', name: 'web', labels: more.labels },
    spec: {
      type: 'ClusterIP',
      clusterIP: '10.96.0.5',
      clusterIPs: ['10.96.0.5'],
      ports: [{ port: 80, protocol: 'TCP' }],
      ...spec,
    },
    status: more.status ?? {},
  }) as unknown as Service;
type Endpoint = [ip: string, conditions?: object, nodeName?: string];
const slice = (endpoints: Endpoint[], more: object = {}, name = 'web') =>
  ({
    metadata: { namespace: 'ns', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ name: '', port: 8080 }],
    endpoints: endpoints.map(([ip, conditions = { ready: true }, nodeName = 'here']) => ({
      addresses: [ip],
      conditions,
      nodeName,
    })),
    ...more,
  }) as unknown as EndpointSlice;
const ips = (list: readonly { ip: string; port: number }[]) => list.map((e) => `${e.ip}:${e.port}`);
const two = slice([['10.0.0.2', undefined, 'there'], ['10.0.0.1']]);

describe('which endpoints a port has', () => {
  test.each<[string, object, EndpointSlice[], string[], string[]]>([
    [
      'the ready ones, in a stable order',
      {},
      [two],
      ['10.0.0.1:8080', '10.0.0.2:8080'],
      ['10.0.0.1:8080', '10.0.0.2:8080'],
    ],
    [
      'of several slices, each once',
      {},
      [two, slice([['10.0.0.1'], ['10.0.0.3']])],
      ['10.0.0.1:8080', '10.0.0.2:8080', '10.0.0.3:8080'],
      ['10.0.0.1:8080', '10.0.0.2:8080', '10.0.0.3:8080'],
    ],
    ['none of another service', {}, [slice([['10.0.0.1']], {}, 'other')], [], []],
    [
      'none that are not ready',
      {},
      [slice([['10.0.0.1', { ready: false }], ['10.0.0.2']])],
      ['10.0.0.2:8080'],
      ['10.0.0.2:8080'],
    ],
    [
      'none of slices for another proxy, or none',
      {},
      [
        slice([['10.0.0.1']], {
          metadata: {
            namespace: 'ns',
            labels: { 'kubernetes.io/service-name': 'web', 'service.kubernetes.io/headless': '' },
          },
        }),
        slice([['10.0.0.2']]),
      ],
      ['10.0.0.2:8080'],
      ['10.0.0.2:8080'],
    ],
    ['unknown counts as ready', {}, [slice([['10.0.0.1', {}]])], ['10.0.0.1:8080'], ['10.0.0.1:8080']],
    [
      'ending ones that still serve, when there are no others',
      {},
      [
        slice([
          ['10.0.0.1', { ready: false, serving: true, terminating: true }],
          ['10.0.0.2', { ready: false, serving: false }],
        ]),
      ],
      ['10.0.0.1:8080'],
      ['10.0.0.1:8080'],
    ],
    [
      'those of this node from outside',
      { externalTrafficPolicy: 'Local' },
      [two],
      ['10.0.0.1:8080', '10.0.0.2:8080'],
      ['10.0.0.1:8080'],
    ],
    [
      'those of this node from inside',
      { internalTrafficPolicy: 'Local' },
      [two],
      ['10.0.0.1:8080'],
      ['10.0.0.1:8080', '10.0.0.2:8080'],
    ],
    [
      'the port of the same name',
      { ports: [{ name: 'admin', port: 9 }] },
      [
        slice([['10.0.0.1']], {
          ports: [
            { name: 'web', port: 1 },
            { name: 'admin', port: 2 },
          ],
        }),
      ],
      ['10.0.0.1:2'],
      ['10.0.0.1:2'],
    ],
    ['no IPv6', {}, [slice([['fd00::1']], { addressType: 'IPv6' })], [], []],
  ])('%s', (_, spec, slices, inside, outside) => {
    const [port] = servicePorts([service(spec)], slices, 'here');
    expect({ inside: ips(port.endpoints), outside: ips(port.externalEndpoints) }).toEqual({ inside, outside });
  });
});

describe('which services are proxied', () => {
  test.each<[string, object, object, number]>([
    ['with a cluster IP', {}, {}, 1],
    ['headless', { clusterIP: 'None', clusterIPs: ['None'] }, {}, 0],
    ['ExternalName', { type: 'ExternalName', clusterIP: undefined }, {}, 0],
    ["another proxy's", {}, { 'service.kubernetes.io/service-proxy-name': 'other' }, 0],
    ["another proxy's, without a name", {}, { 'service.kubernetes.io/service-proxy-name': '' }, 0],
    ['labelled as headless', {}, { 'service.kubernetes.io/headless': '' }, 0],
  ])('%s', (_, spec, labels, count) =>
    expect(servicePorts([service(spec, { labels })], [], 'here')).toHaveLength(count),
  );
});

test.each<[string, object, object, object]>([
  [
    'a plain port',
    {},
    {},
    {
      key: 'ns/web:',
      protocol: 'tcp',
      port: 80,
      clusterIPs: ['10.96.0.5'],
      externalIPs: [],
      nodePort: 0,
      affinitySeconds: 0,
      keepsClientAddress: false,
      hasAnyEndpoints: true,
    },
  ],
  [
    'a node port',
    { type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] },
    {},
    { nodePort: 30080, protocol: 'tcp' },
  ],
  ['UDP', { ports: [{ name: 'dns', port: 53, protocol: 'UDP' }] }, {}, { key: 'ns/web:dns', protocol: 'udp' }],
  ['affinity', { sessionAffinity: 'ClientIP' }, {}, { affinitySeconds: 10800 }],
  [
    'affinity for a while',
    { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 5 } } },
    {},
    { affinitySeconds: 5 },
  ],
  ['the client address is kept', { externalTrafficPolicy: 'Local' }, {}, { keepsClientAddress: true }],
  [
    'external addresses, each once',
    { externalIPs: ['203.0.113.1', 'fd00::1'] },
    {
      loadBalancer: { ingress: [{ ip: '203.0.113.1' }, { ip: '203.0.113.2' }, { ip: '203.0.113.3', ipMode: 'Proxy' }] },
    },
    { externalIPs: ['203.0.113.1', '203.0.113.2'], balancerIPs: ['203.0.113.1', '203.0.113.2'] },
  ],
  [
    'source ranges of IPv4',
    { loadBalancerSourceRanges: [' 10.0.0.0/8', 'fd00::/8'] },
    {},
    { sourceRanges: ['10.0.0.0/8'] },
  ],
  ['source ranges of IPv6 alone: no client', { loadBalancerSourceRanges: ['fd00::/8'] }, {}, { sourceRanges: [] }],
  ['dual stack: the IPv4 part', { clusterIPs: ['fd00::9', '10.96.0.5'] }, {}, { clusterIPs: ['10.96.0.5'] }],
])('%s', (_, spec, status, wanted) =>
  expect(servicePorts([service(spec, { status })], [two], 'here')[0]).toMatchObject(wanted),
);

const balanced = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: 30_100 };
test.each<[string, object, EndpointSlice[], number[]]>([
  ['the ready endpoints of this node', balanced, [two], [1]],
  ['none here', balanced, [slice([['10.0.0.1', undefined, 'there']])], [0]],
  ['no endpoint that is not ready', balanced, [slice([['10.0.0.1', { ready: false, serving: true }]])], [0]],
  ['an endpoint of two slices once', balanced, [two, slice([['10.0.0.1']])], [1]],
  ['no check without a port', { ...balanced, healthCheckNodePort: 0 }, [two], []],
  ['no check of policy Cluster', { ...balanced, externalTrafficPolicy: 'Cluster' }, [two], []],
])('a health check counts %s', (_, spec, slices, wanted) =>
  expect(healthChecks([service(spec)], slices, 'here').map(({ localEndpoints }) => localEndpoints)).toEqual(wanted),
);
