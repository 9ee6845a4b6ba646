// The names of https://github.com/kubernetes/dns/blob/master/docs/specification.md, in its order.

import { describe, expect, test } from 'vitest';
import type { EndpointSlice, Service } from '../api/api.ts';
import { type ClusterView, type DnsRecord, lookup, reverse, serviceOf } from './records.ts';

const service = (name: string, spec: object) => ({ metadata: { namespace: 'shop', name }, spec }) as unknown as Service;
const services = [
  service('web', {
    clusterIP: '10.96.0.5',
    clusterIPs: ['10.96.0.5', 'fd00::5'],
    ports: [
      { name: 'http', port: 80, protocol: 'TCP' },
      { name: 'dns', port: 53, protocol: 'UDP' },
    ],
  }),
  service('db', { clusterIP: 'None', ports: [{ name: 'sql', port: 5432 }] }),
  service('all', { clusterIP: 'None', publishNotReadyAddresses: true }),
  service('two', { clusterIP: 'None', ports: [{ name: 'sql', port: 5432 }] }),
  service('empty', { clusterIP: 'None' }),
  service('outside', { type: 'ExternalName', externalName: 'db.example.com' }),
];
const slice = (name: string, more: object = {}) =>
  ({
    metadata: { namespace: 'shop', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ name: 'sql', port: 5432, protocol: 'TCP' }],
    endpoints: [
      { addresses: ['10.244.0.5'], hostname: 'db-0', conditions: { ready: true } },
      { addresses: ['10.244.0.6'], conditions: { ready: true } },
      { addresses: ['10.244.0.7'], hostname: 'db-2', conditions: { ready: false } },
    ],
    ...more,
  }) as unknown as EndpointSlice;
const slices = [
  slice('db'),
  slice('all'),
  slice('two'),
  slice('two', {
    addressType: 'IPv6',
    endpoints: [
      { addresses: ['fd00:1::5'], hostname: 'db-0', conditions: { ready: true } },
      { addresses: ['fd00:1:0:0:2::'], conditions: { ready: true } },
    ],
  }),
];
const view: ClusterView = {
  hasNamespace: (name) => name === 'shop',
  service: (namespace, name) => services.find((s) => s.metadata.namespace === namespace && s.metadata.name === name),
  slices: (_, name) => slices.filter((s) => serviceOf(s) === name),
  byClusterIP: (ip) => services.find((s) => s.spec.clusterIPs?.includes(ip)),
  byEndpointIP: (ip) =>
    ip === '10.244.0.5'
      ? { slice: slices[0], hostname: 'db-0' }
      : ip === '10.244.0.6'
        ? { slice: slices[0], hostname: '' }
        : ip === 'fd00:1:0:0:2::'
          ? { slice: slices[3], hostname: '' }
          : undefined,
};
const short = ({ type, data }: DnsRecord) => (type === 'SRV' ? `SRV ${data.port} ${data.target}` : `${type} ${data}`);
const domain = 'cluster.local';

describe('forward', () => {
  test.each<[string, string, string[] | 'NXDOMAIN']>([
    ['the schema version', 'dns-version', ['TXT 1.1.0']],
    [
      'a service',
      'web.shop.svc',
      ['A 10.96.0.5', 'AAAA fd00::5', 'SRV 80 web.shop.svc.cluster.local', 'SRV 53 web.shop.svc.cluster.local'],
    ],
    ['its named port', '_http._tcp.web.shop.svc', ['SRV 80 web.shop.svc.cluster.local']],
    ['the port of another protocol', '_http._udp.web.shop.svc', 'NXDOMAIN'],
    ['a port that it has not', '_ftp._tcp.web.shop.svc', 'NXDOMAIN'],
    ['below a service', 'x.web.shop.svc', 'NXDOMAIN'],
    ['a headless service: its ready endpoints', 'db.shop.svc', ['A 10.244.0.5', 'A 10.244.0.6']],
    ['also those that are not ready', 'all.shop.svc', ['A 10.244.0.5', 'A 10.244.0.6', 'A 10.244.0.7']],
    ['one without endpoints', 'empty.shop.svc', 'NXDOMAIN'],
    ['an endpoint by its hostname', 'db-0.db.shop.svc', ['A 10.244.0.5']],
    ['an endpoint by its address', '10-244-0-6.db.shop.svc', ['A 10.244.0.6']],
    ['an endpoint that is not ready', 'db-2.db.shop.svc', 'NXDOMAIN'],
    [
      'the port of a headless service',
      '_sql._tcp.db.shop.svc',
      ['SRV 5432 db-0.db.shop.svc.cluster.local', 'SRV 5432 10-244-0-6.db.shop.svc.cluster.local'],
    ],
    [
      'a headless service of both families',
      'two.shop.svc',
      ['A 10.244.0.5', 'A 10.244.0.6', 'AAAA fd00:1::5', 'AAAA fd00:1:0:0:2::'],
    ],
    ['an endpoint of both families by its hostname', 'db-0.two.shop.svc', ['A 10.244.0.5', 'AAAA fd00:1::5']],
    ['an endpoint by its IPv6 address', 'fd00-1-0-0-2--0.two.shop.svc', ['AAAA fd00:1:0:0:2::']],
    [
      'the port of both families: each name once',
      '_sql._tcp.two.shop.svc',
      [
        'SRV 5432 db-0.two.shop.svc.cluster.local',
        'SRV 5432 10-244-0-6.two.shop.svc.cluster.local',
        'SRV 5432 fd00-1-0-0-2--0.two.shop.svc.cluster.local',
      ],
    ],
    ['ExternalName', 'outside.shop.svc', ['CNAME db.example.com']],
    ['a pod by its address', '10-244-0-9.shop.pod', ['A 10.244.0.9']],
    ['a pod by its IPv6 address', 'fd00--9.shop.pod', ['AAAA fd00::9']],
    ['a pod that cannot be', '10-244-0-999.shop.pod', 'NXDOMAIN'],
    ['a service that does not exist', 'none.shop.svc', 'NXDOMAIN'],
    ['a namespace that does not exist', 'web.none.svc', 'NXDOMAIN'],
    ['something else', 'web.shop.nodes', 'NXDOMAIN'],
    ['the zone: there, without records', '', []],
    ['its svc part', 'svc', []],
    ['a namespace', 'shop.svc', []],
  ])('%s (%s)', (_, name, wanted) => {
    const { exists, answers } = lookup(name === '' ? domain : `${name}.${domain}`, domain, view);
    expect(exists ? answers.map(short) : 'NXDOMAIN').toEqual(wanted);
  });

  test('an SRV answer brings the addresses along', () => {
    expect(
      lookup(`_sql._tcp.db.shop.svc.${domain}`, domain, view).additional.map((r) => `${r.name} ${short(r)}`),
    ).toEqual(['db-0.db.shop.svc.cluster.local A 10.244.0.5', '10-244-0-6.db.shop.svc.cluster.local A 10.244.0.6']);
  });
});

describe('reverse', () => {
  test.each([
    ['a cluster IP', '5.0.96.10.in-addr.arpa', 'web.shop.svc.cluster.local'],
    ['an endpoint with a hostname', '5.0.244.10.in-addr.arpa', 'db-0.db.shop.svc.cluster.local'],
    ['an endpoint without', '6.0.244.10.in-addr.arpa', '10-244-0-6.db.shop.svc.cluster.local'],
    ['an IPv6 cluster IP', `5.${'0.'.repeat(27)}0.0.d.f.ip6.arpa`, 'web.shop.svc.cluster.local'],
    [
      'an IPv6 endpoint',
      `${'0.'.repeat(12)}2.0.0.0.${'0.'.repeat(8)}1.0.0.0.0.0.d.f.ip6.arpa`,
      'fd00-1-0-0-2--0.two.shop.svc.cluster.local',
    ],
    ['too few digits', `5.${'0.'.repeat(26)}0.0.d.f.ip6.arpa`, undefined],
    ['an address outside of the cluster', '1.1.1.1.in-addr.arpa', undefined],
    ['no address', 'web.shop', undefined],
  ])('%s', (_, name, target) => expect(reverse(name, domain, view)?.data).toBe(target));
});
