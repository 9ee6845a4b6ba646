// Cases beyond the table of Kubernetes: defaults, pods without rules, addresses, ports, and traffic that always passes.

import { describe, expect, test } from 'vitest';
import type { NetworkPolicy, NetworkPolicyPort } from '../api/api.ts';
import { isolate } from './isolation.ts';
import type { Packet } from './test-packets.ts';
import { connects, policy, reachable, type World, world } from './test-world.ts';

const packet = (from: string, to: string, more: Partial<Packet> = {}): Packet => ({
  ...{ from, to, protocol: 'tcp', port: 80 },
  ...more,
});
const deny = policy({ pod: 'a' }, { ingress: [], egress: [] });
const outside = '203.0.113.9';
// x/a is on n1 with 10.244.1.2, x/b on n2 with 10.244.2.3, x/c on n1 with 10.244.1.4.
const [addressA, addressB, addressC] = ['10.244.1.2', '10.244.2.3', '10.244.1.4'];

describe('policy types', () => {
  const withoutTypes = (spec: object) =>
    ({ metadata: { name: 'p', namespace: 'x' }, spec: { podSelector: {}, ...spec } }) as NetworkPolicy;
  test.each<[string, object, string[]]>([
    ['neither given: ingress', {}, ['ingress']],
    ['rules of egress: both', { egress: [{}] }, ['ingress', 'egress']],
    ['no rules of egress: ingress', { egress: [] }, ['ingress']],
    ['egress alone', { policyTypes: ['Egress'] }, ['egress']],
    ['rules of a type that is not given do not count', { policyTypes: ['Ingress'], egress: [] }, ['ingress']],
  ])('%s', (_, spec, directions) => {
    const isolation = isolate({ ...world('x/a', [withoutTypes(spec)]), nodeNames: ['n1'] });
    const found = (['ingress', 'egress'] as const).filter((name) => isolation?.isolated[name].size);
    expect(found).toEqual(directions);
  });
});

describe('pods', () => {
  const pairs = (state: World) => [...reachable(state, 'tcp', 80)].filter((pair) => !/^(\S+) > \1$/.test(pair));

  test('on the network of the host are not isolated', () =>
    expect(pairs(world('x/a x/b', [deny], { pods: { 'x/a': { hostNetwork: true } } }))).toHaveLength(2));

  test('on the network of the host are no peers', () => {
    const fromAll = policy({ pod: 'a' }, { ingress: [{ from: [{ podSelector: {} }] }] });
    expect(pairs(world('x/a x/b', [fromAll], { pods: { 'x/b': { hostNetwork: true } } }))).toEqual(['x/a > x/b']);
  });

  test.each(['Succeeded', 'Failed'])('that have %s leave their address to others', (phase) => {
    const state = world('x/a x/b x/c', [deny], { pods: { 'x/a': { phase }, 'x/c': { podIPs: [addressA] } } });
    const isolation = isolate({ ...state, nodeNames: ['n1'] });
    expect(isolation).toBeUndefined();
  });

  test('of other nodes do not matter to this one', () =>
    expect(isolate({ ...world('x/a x/b', [deny]), nodeNames: ['n2'] })).toBeUndefined());

  test('are selected by labels with the names of inherited properties, too', () => {
    const state = world('x/a x/b', [policy({ constructor: 'x' }, { ingress: [] })]);
    expect(pairs(state)).toHaveLength(2);
  });

  test('in another namespace than the policy are not selected', () =>
    expect(pairs(world('x/a y/a', [policy({}, { ingress: [] }, { namespace: 'y' })]))).toEqual(['y/a > x/a']));
});

describe('addresses', () => {
  const allowing = (...from: object[]) => world('x/a x/b', [policy({ pod: 'a' }, { ingress: [{ from }] })]);
  test.each<[string, World, string, boolean]>([
    ['a rule without peers permits the outside', world('x/a', [policy({}, { ingress: [{}] })]), outside, true],
    ['all pods of all namespaces are not the outside', allowing({ namespaceSelector: {} }), outside, false],
    ['a block', allowing({ ipBlock: { cidr: '203.0.113.0/24' } }), outside, true],
    ['an address beside the block', allowing({ ipBlock: { cidr: '203.0.112.0/24' } }), outside, false],
    ['an exception', allowing({ ipBlock: { cidr: '0.0.0.0/0', except: ['203.0.113.8/31'] } }), outside, false],
    ['a block of the other family', allowing({ ipBlock: { cidr: '::/0' } }), outside, false],
    [
      'two blocks, of which one has an exception',
      allowing({ ipBlock: { cidr: '0.0.0.0/0', except: ['203.0.113.8/31'] } }, { ipBlock: { cidr: '203.0.113.9/32' } }),
      outside,
      true,
    ],
    ['a block with pods', allowing({ ipBlock: { cidr: '10.244.0.0/16' } }), addressB, true],
  ])('%s', (_, state, from, isPermitted) => expect(connects(state, packet(from, addressA), 'n1')).toBe(isPermitted));
});

describe('ports', () => {
  test.each<[string, NetworkPolicyPort[], [string, number][]]>([
    [
      'no port: all of the protocol',
      [{ protocol: 'UDP' }],
      [
        ['udp', 80],
        ['udp', 81],
      ],
    ],
    ['TCP is the default', [{ port: 80 }], [['tcp', 80]]],
    [
      'a range',
      [{ port: 70, endPort: 81 }],
      [
        ['tcp', 80],
        ['tcp', 81],
      ],
    ],
    ['its end', [{ port: 70, endPort: 80 }], [['tcp', 80]]],
    [
      'ranges that overlap',
      [
        { port: 1, endPort: 80 },
        { port: 80, endPort: 81 },
      ],
      [
        ['tcp', 80],
        ['tcp', 81],
      ],
    ],
    [
      'one port in two protocols',
      [
        { port: 80, protocol: 'SCTP' },
        { port: 80, protocol: 'UDP' },
      ],
      [
        ['udp', 80],
        ['sctp', 80],
      ],
    ],
    ['a name', [{ port: 'serve-81-udp', protocol: 'UDP' }], [['udp', 81]]],
    ['a name with another protocol', [{ port: 'serve-81-udp' }], []],
    ['a name that no pod has', [{ port: 'absent' }], []],
    [
      'a name and a number',
      [{ port: 'serve-81-tcp' }, { port: 80 }],
      [
        ['tcp', 80],
        ['tcp', 81],
      ],
    ],
  ])('%s', (_, ports, expected) => {
    for (const spec of [{ ingress: [{ ports }] }, { egress: [{ ports }] }]) {
      const isIngress = 'ingress' in spec;
      const state = world('x/a x/b', [policy({ pod: isIngress ? 'b' : 'a' }, spec)]);
      const found = [80, 81].flatMap((port) =>
        (['tcp', 'udp', 'sctp'] as const).flatMap((protocol) =>
          reachable(state, protocol, port).has('x/a > x/b') ? [[protocol, port]] : [],
        ),
      );
      expect(new Set(found.map(String))).toEqual(new Set(expected.map(String)));
    }
  });

  test('a name means the port of each destination', () => {
    const state = world('x/a x/b x/c', [policy({ pod: 'a' }, { egress: [{ ports: [{ port: 'web' }] }] })]);
    const pods = state.pods.map((pod, i) => ({
      ...pod,
      spec: { ...pod.spec, containers: [{ name: 'c', ports: [{ name: 'web', containerPort: 8000 + i }] }] },
    })) as unknown as World['pods'];
    const passes = (to: string, port: number) => connects({ ...state, pods }, packet(addressA, to, { port }), 'n1');
    expect([passes(addressB, 8001), passes(addressB, 8002), passes(addressC, 8002), passes(addressC, 8001)]).toEqual([
      ...[true, false, true, false],
    ]);
  });

  test('a sidecar has names of ports; a plain init container has none', () => {
    const state = world('x/a', [policy({}, { ingress: [{ ports: [{ port: 'web' }, { port: 'setup' }] }] })]);
    const container = (name: string, port: number, more: object = {}) => ({
      ...{ name, ports: [{ name, containerPort: port }] },
      ...more,
    });
    const initContainers = [container('web', 90, { restartPolicy: 'Always' }), container('setup', 91)];
    const pods = state.pods.map((pod) => ({
      ...pod,
      spec: { ...pod.spec, initContainers },
    })) as unknown as World['pods'];
    const passes = (port: number) => connects({ ...state, pods }, packet(outside, addressA, { port }), 'n1');
    expect([passes(90), passes(91)]).toEqual([true, false]);
  });

  test('other protocols pass only a rule without ports', () => {
    const ping = packet(outside, addressA, { protocol: 'icmp', port: 0 });
    expect(connects(world('x/a', [policy({}, { ingress: [{}] })]), ping, 'n1')).toBe(true);
    expect(connects(world('x/a', [policy({}, { ingress: [{ ports: [{ protocol: 'TCP' }] }] })]), ping, 'n1')).toBe(
      false,
    );
  });
});

describe('traffic that policies do not judge', () => {
  test.each<[string, Packet, boolean]>([
    ['a pod to itself', packet(addressA, addressA), true],
    [
      'cluster DNS beside the nodes',
      packet(addressA, '192.0.2.10', { protocol: 'udp', port: 4711, original: { address: '10.96.0.10', port: 53 } }),
      true,
    ],
    ['the same endpoint without the service', packet(addressA, '192.0.2.10', { protocol: 'udp', port: 4711 }), false],
    [
      'cluster DNS in a pod',
      packet(addressA, addressB, { protocol: 'udp', port: 53, original: { address: '10.96.0.10', port: 53 } }),
      false,
    ],
    [
      'another port of its service',
      packet(addressA, '192.0.2.10', { port: 9153, original: { address: '10.96.0.10', port: 9153 } }),
      false,
    ],
    [
      'another service is judged by its endpoint',
      packet(addressA, addressB, { original: { address: '10.96.0.77', port: 53 } }),
      false,
    ],
    ['pods without policies', packet(addressC, addressB), true],
  ])('%s', (_, sent, isPermitted) => expect(connects(world('x/a x/b x/c', [deny]), sent, 'n1')).toBe(isPermitted));

  test('a service is judged by the port of its endpoint', () => {
    const state = world('x/a x/b', [policy({ pod: 'a' }, { egress: [{ ports: [{ port: 8080 }] }] })]);
    const original = { address: '10.96.0.77', port: 80 };
    expect(connects(state, packet(addressA, addressB, { port: 8080, original }), 'n1', 'n2')).toBe(true);
    expect(connects(state, packet(addressA, addressB, { port: 80, original }), 'n1', 'n2')).toBe(false);
  });
});

describe('addresses that are not the own ones of a pod', () => {
  test.each(['224.0.0.251', '255.255.255.255'])('%s does not lead to an isolated pod', (to) =>
    expect(connects(world('x/a x/b x/c', [deny]), packet(addressC, to), 'n1')).toBe(false),
  );
  test('nor does a link-local one', () =>
    expect(connects(world('x/a x/b x/c', [deny]), packet('fe80::1', 'fe80::2'), 'n1')).toBe(false));
});

describe('pods that start', () => {
  const starting = { pods: { 'x/a': { podIPs: [] } } };
  const unknown = '10.244.1.99';
  test.each<[string, World, Packet, boolean]>([
    [
      'are isolated before their address is known',
      world('x/a x/b x/c', [deny], starting),
      packet(addressB, unknown),
      false,
    ],
    ['also as clients', world('x/a x/b x/c', [deny], starting), packet(unknown, addressB), false],
    ['which does not affect the other pods', world('x/a x/b x/c', [deny], starting), packet(addressB, addressC), true],
    ['nor the outside', world('x/a x/b x/c', [deny], starting), packet(addressC, outside), true],
    [
      'are not isolated if no policy selects them',
      world('x/a x/b x/c', [deny], { pods: { 'x/c': { podIPs: [] } } }),
      packet(addressB, unknown),
      true,
    ],
  ])('%s', (_, state, sent, isPermitted) => expect(connects(state, sent, 'n1')).toBe(isPermitted));
});
