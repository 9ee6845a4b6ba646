// Transcripts of the transactions between states of services, reviewed as a diff (vitest run -u rewrites them).

import { expect, test } from 'vitest';
import { ruleset, transaction } from './nftables.ts';
import type { Endpoint, ServicePort } from './service-ports.ts';

const endpoint = (ip: string): Endpoint => ({ ip, port: 8080, isLocal: true });
const web = (endpoints: string[], more: Partial<ServicePort> = {}): ServicePort => ({
  key: 'ns/web:http',
  family: 4,
  protocol: 'tcp',
  port: 80,
  clusterIPs: ['10.96.0.5'],
  externalIPs: [],
  balancerIPs: [],
  sourceRanges: undefined,
  isAnnounced: false,
  nodePort: 0,
  affinitySeconds: 0,
  endpoints: endpoints.map(endpoint),
  externalEndpoints: endpoints.map(endpoint),
  allEndpoints: endpoints.map(endpoint),
  servingEndpoints: endpoints.map(endpoint),
  keepsClientAddress: false,
  hasAnyEndpoints: endpoints.length > 0,
  ...more,
});
const dns = {
  ...web(['10.244.0.9']),
  key: 'kube-system/kube-dns:dns',
  protocol: 'udp',
  port: 53,
  clusterIPs: ['10.96.0.10'],
} as const;

const steps: [string, ServicePort[]][] = [
  ['a service without endpoints is refused', [web([])]],
  ['its first endpoint', [web(['10.244.0.2'])]],
  ['a second one, and another service: existing chains stay', [web(['10.244.0.2', '10.244.0.3']), dns]],
  ['nothing changed: nothing to do', [web(['10.244.0.2', '10.244.0.3']), dns]],
  ['a node port', [web(['10.244.0.2', '10.244.0.3'], { nodePort: 30080 }), dns]],
  ['affinity', [web(['10.244.0.2', '10.244.0.3'], { nodePort: 30080, affinitySeconds: 60 }), dns]],
  [
    'the client address is kept: endpoints of this node alone, and none of them here',
    [web(['10.244.0.3'], { nodePort: 30080, keepsClientAddress: true, externalEndpoints: [] }), dns],
  ],
  [
    'internal traffic of this node alone, and no endpoints here',
    [web(['10.244.0.3'], { endpoints: [], nodePort: 30080 }), dns],
  ],
  ['an external address', [web(['10.244.0.3'], { externalIPs: ['203.0.113.7'] }), dns]],
  [
    'a load balancer address that nodes announce, with source ranges',
    [
      web(['10.244.0.3'], {
        externalIPs: ['203.0.113.7'],
        balancerIPs: ['203.0.113.7'],
        sourceRanges: ['10.0.0.0/8', '198.51.100.7/32'],
        isAnnounced: true,
      }),
      dns,
    ],
  ],
  ['all gone', []],
];

function transcriptOf(table: string, all: readonly (readonly [string, readonly ServicePort[], string?])[]): string {
  let before = ruleset([]);
  const transcript: string[] = [];
  for (const [intent, ports, range] of all) {
    const after = ruleset(ports, [], range ? [range] : []);
    transcript.push(`# ${intent}\n${transaction(table, before, after)}`);
    before = after;
  }
  return transcript.join('\n');
}

test('transactions', () => expect(transcriptOf('ip t', steps)).toMatchFileSnapshot('nftables.transcript.txt'));

const six = (endpoints: string[], more: Partial<ServicePort> = {}) =>
  web(endpoints, { family: 6, clusterIPs: ['fd00:96::5'], ...more });

test('transactions of IPv6', () =>
  expect(
    transcriptOf('ip6 t', [
      [
        'a service without endpoints is refused, and addresses without a service are dropped',
        [six([])],
        'fd00:96::/112',
      ],
      ['its first endpoint', [six(['fd00:244::2'])], 'fd00:96::/112'],
      ['a node port and affinity', [six(['fd00:244::2'], { nodePort: 30080, affinitySeconds: 60 })]],
      [
        'a load balancer address that nodes announce, with source ranges, and the client address is kept',
        [
          six(['fd00:244::2', 'fd00:244::3'], {
            externalIPs: ['2001:db8::c8'],
            balancerIPs: ['2001:db8::c8'],
            sourceRanges: ['2001:db8::/32'],
            isAnnounced: true,
            keepsClientAddress: true,
          }),
        ],
      ],
      ['all gone', []],
    ]),
  ).toMatchFileSnapshot('nftables-ipv6.transcript.txt'));

test('a thousand services: one more adds only its lines', () => {
  const many = Array.from({ length: 1000 }, (_, i) => ({
    ...web([`10.244.1.${i % 250}`]),
    key: `ns/s${i}:`,
    clusterIPs: [`10.97.${i >> 8}.${i & 255}`],
  }));
  expect(transaction('ip t', ruleset(many), ruleset([...many, web(['10.244.0.2'])])).split('\n').length).toBeLessThan(
    10,
  );
});
