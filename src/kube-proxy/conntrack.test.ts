import { expect, test } from 'vitest';
import { changedTargets, isStale, parseFlow, udpTargets } from './conntrack.ts';
import type { ServicePort } from './service-ports.ts';

const dns = (endpoints: readonly string[], more: Partial<ServicePort> = {}): ServicePort => {
  const list = endpoints.map((ip) => ({ ip, port: 8053, isLocal: true }));
  return {
    ...{ key: 'ns/dns:', family: 4, protocol: 'udp', port: 53, clusterIPs: ['10.96.0.10'], externalIPs: [] },
    ...{ balancerIPs: [], sourceRanges: undefined, isAnnounced: false, nodePort: 30053, affinitySeconds: 0 },
    ...{ endpoints: list, externalEndpoints: list, allEndpoints: list, servingEndpoints: list },
    ...{ keepsClientAddress: false, hasAnyEndpoints: list.length > 0 },
    ...more,
  };
};
const targets = (...ports: ServicePort[]) => udpTargets(ports, ['192.0.2.2']);

test('a flow is read from a line, and no other protocol is', () => {
  const tail = 'sport=8053 dport=39374 mark=0 use=1';
  expect(
    parseFlow(
      `udp      17 19 src=10.244.0.7 dst=10.96.0.10 sport=39374 dport=53 src=10.244.0.9 dst=10.244.0.7 ${tail}`,
    ),
  ).toEqual({ address: '10.96.0.10', port: 53, endpoint: '10.244.0.9', endpointPort: 8053 });
  expect(
    parseFlow(`udp 17 9 src=fd00::7 dst=fd00::a sport=39374 dport=53 [UNREPLIED] src=fd00::9 dst=fd00::7 ${tail}`),
  ).toEqual({ address: 'fd00::a', port: 53, endpoint: 'fd00::9', endpointPort: 8053 });
  expect(
    parseFlow('tcp 6 9 ESTABLISHED src=1.1.1.1 dst=1.1.1.2 sport=1 dport=2 src=1.1.1.2 dst=1.1.1.1 sport=2 dport=1'),
  ).toBe(undefined);
});

test.each<[string, ServicePort[], ServicePort[], string[]]>([
  ['an endpoint is gone', [dns(['a', 'b'])], [dns(['a'])], ['10.96.0.10 53', '192.0.2.2 30053']],
  ['an endpoint is added', [dns(['a'])], [dns(['a', 'b'])], []],
  ['the first endpoint', [dns([])], [dns(['a'])], ['10.96.0.10 53', '192.0.2.2 30053']],
  ['the service is gone', [dns(['a'])], [], ['10.96.0.10 53', '192.0.2.2 30053']],
  ['nothing changes', [dns(['a'])], [dns(['a'])], []],
  [
    'an endpoint ends while another is ready',
    [dns(['a', 'b'])],
    [dns(['a'], { servingEndpoints: dns(['a', 'b']).endpoints })],
    [],
  ],
  ['TCP', [dns(['a'], { protocol: 'tcp' })], [], []],
])('%s', (_, before, after, changed) =>
  expect([...changedTargets(targets(...before), targets(...after)).keys()]).toEqual(changed),
);

test('a flow is stale when its destination has another endpoint, another port of it, or none', () => {
  const flow = { address: '192.0.2.2', port: 30053, endpoint: 'a', endpointPort: 8053 };
  const goesOn = (ports: ServicePort[]) => !isStale(flow, changedTargets(targets(dns(['a', 'z'])), targets(...ports)));
  expect(goesOn([dns(['a'])])).toBe(true);
  expect(goesOn([dns(['b'])])).toBe(false);
  expect(goesOn([dns(['a'], { servingEndpoints: [{ ip: 'a', port: 9, isLocal: true }] })])).toBe(false);
  expect(goesOn([])).toBe(false);
});
