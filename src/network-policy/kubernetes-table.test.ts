// The cases of Kubernetes' own tests of network policies (test/e2e/network/netpol), with their names. Each is judged by
// the rules of both nodes, in both address families.

import { describe, expect, test } from 'vitest';
import type { NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer } from '../api/api.ts';
import type { Protocol } from './permissions.ts';
import { policy, reachable, type World, world } from './test-world.ts';

/** Pods with their wildcards, in the order in which they apply; all other pairs connect. A pod reaches itself always. */
interface Step {
  readonly world: World;
  readonly protocol?: Protocol;
  readonly port?: number;
  readonly expect: readonly (readonly ['deny' | 'allow', from: string, to: string])[];
}

const a = { pod: 'a' };
const from = (...peers: NetworkPolicyPeer[]): NetworkPolicyIngressRule => ({ from: peers });
const to = (...peers: NetworkPolicyPeer[]): NetworkPolicyEgressRule => ({ to: peers });
const pod = (name: string) => ({ matchLabels: { pod: name } });
const space = (name: string) => ({ matchLabels: { ns: name } });
const notIn = (key: string, ...values: string[]) => ({
  matchExpressions: [{ key, operator: 'NotIn' as const, values }],
});
const isIn = (key: string, ...values: string[]) => ({ matchExpressions: [{ key, operator: 'In' as const, values }] });
const denyIngress = policy({}, { ingress: [] }, { name: 'deny-ingress' });
const denyAll = policy({}, { ingress: [], egress: [] }, { name: 'deny-all' });
const port = (number: number | string, protocol: 'TCP' | 'UDP' | 'SCTP' = 'TCP') => ({ port: number, protocol });
const fromY81 = (protocol: 'TCP' | 'UDP' | 'SCTP') =>
  policy(a, { ingress: [{ ...from({ namespaceSelector: space('y') }), ports: [port(81, protocol)] }] }, { name: '81' });
const others = [
  ['deny', 'x/*', 'x/a'],
  ['deny', 'z/*', 'x/a'],
] as const;
const toA = ['deny', '*', 'x/a'] as const;
const fromA = ['deny', 'x/a', '*'] as const;
const allow = (source: string, target: string) => ['allow', source, target] as const;
const deny = (source: string, target: string) => ['deny', source, target] as const;

const ofProtocol = (protocol: Protocol): [string, Step[]][] => {
  const upper = protocol.toUpperCase() as 'UDP';
  return [
    [
      `${upper}: should support a 'default-deny-ingress' policy`,
      [{ world: world('x/a x/b y/a y/b', [denyIngress]), protocol, expect: [deny('*', 'x/*')] }],
    ],
    [
      `${upper}: should enforce policy based on Ports`,
      [{ world: world('x/a x/b y/a z/a', [fromY81(upper)]), protocol, port: 81, expect: others }],
    ],
    [
      `${upper}: should enforce policy to allow traffic only from a pod in a different namespace based on PodSelector and NamespaceSelector`,
      [
        {
          world: world('x/a x/b y/a', [
            policy(a, { ingress: [from({ namespaceSelector: space('y'), podSelector: pod('a') })] }),
          ]),
          protocol,
          expect: [toA, allow('y/a', 'x/a')],
        },
      ],
    ],
  ];
};

const stacked = world('x/a x/b y/a y/b z/a', [fromY81('TCP')]);
const named81 = world('x/a x/b y/a', [policy({}, { ingress: [{ ports: [port('serve-81-tcp')] }] })]);
const named80FromY = world('x/a x/b y/a z/a', [
  policy(a, { ingress: [{ ...from({ namespaceSelector: space('y') }), ports: [port('serve-80-tcp')] }] }),
]);
const namedEgress = world('x/a y/a', [policy({}, { egress: [{ ports: [port('serve-80-tcp')] }] })]);
const byNamespaceLabel = [policy(a, { ingress: [from({ namespaceSelector: { matchLabels: { ns2: 'updated' } } })] })];
const byTwoLabels = [policy(a, { ingress: [from({ podSelector: { matchLabels: { pod: 'b', pod2: 'updated' } } })] })];
const byTarget = [policy({ target: 'isolated' }, { ingress: [] })];
const together = world('x/a x/b x/c y/a', [
  policy(a, { ingress: [from({ podSelector: pod('b') })], egress: [{ ports: [port(80)] }] }),
]);
const ingress80 = policy({}, { ingress: [{ ports: [port(80)] }] }, { name: '80' });
const egress80 = policy({}, { egress: [{ ports: [port(80)] }] }, { name: '80' });
const anyTcp = world('x/a y/a', [policy(a, { ingress: [{ ports: [{ protocol: 'TCP' }] }] })]);
const b = ['10.244.2.3', 'fd00:2::3'];
const around = { '10.244.2.3': '10.244.0.0/16', 'fd00:2::3': 'fd00::/16' } as Record<string, string>;
const blocks = b.map((ip) => ({ ipBlock: { cidr: `${ip}/${ip.includes(':') ? 128 : 32}` } }));
const exceptB = policy(
  a,
  { egress: [to(...blocks.map(({ ipBlock: { cidr } }, i) => ({ ipBlock: { cidr: around[b[i]], except: [cidr] } })))] },
  { name: 'cidr' },
);
const toB = policy(a, { egress: [to(...blocks)] }, { name: 'cidr' });

const table: [string, Step[]][] = [
  [
    "should support a 'default-deny-ingress' policy",
    [{ world: world('x/a x/b y/a y/b', [denyIngress]), expect: [deny('*', 'x/*')] }],
  ],
  [
    "should support a 'default-deny-all' policy",
    [{ world: world('x/a x/b y/a', [denyAll]), expect: [deny('*', 'x/*'), deny('x/*', '*')] }],
  ],
  [
    'should enforce policy to allow traffic from pods within server namespace based on PodSelector',
    [
      {
        world: world('x/a x/b x/c y/a', [policy(a, { ingress: [from({ podSelector: pod('b') })] })]),
        expect: [toA, allow('x/b', 'x/a')],
      },
    ],
  ],
  [
    'should enforce policy to allow ingress traffic for a target',
    [
      {
        world: world('x/a x/b y/a', [
          denyIngress,
          policy(a, { ingress: [from({ podSelector: {}, namespaceSelector: {} })] }),
        ]),
        expect: [allow('*', 'x/a'), deny('*', 'x/b')],
      },
    ],
  ],
  [
    'should enforce policy to allow ingress traffic from pods in all namespaces',
    [
      {
        world: world('x/a x/b y/a z/a', [policy(a, { ingress: [from({ namespaceSelector: { matchLabels: {} } })] })]),
        expect: [],
      },
    ],
  ],
  [
    'should enforce policy to allow traffic only from a different namespace, based on NamespaceSelector',
    [
      {
        world: world('x/a x/b y/a z/a', [policy(a, { ingress: [from({ namespaceSelector: space('y') })] })]),
        expect: others,
      },
    ],
  ],
  [
    'should enforce policy based on PodSelector with MatchExpressions',
    [
      {
        world: world('x/a x/b y/a', [policy(a, { ingress: [from({ podSelector: isIn('pod', 'b') })] })]),
        expect: [toA, allow('x/b', 'x/a')],
      },
    ],
  ],
  [
    'should enforce policy based on NamespaceSelector with MatchExpressions',
    [
      {
        world: world('x/a x/b y/a z/a', [policy(a, { ingress: [from({ namespaceSelector: isIn('ns', 'y') })] })]),
        expect: others,
      },
    ],
  ],
  [
    'should enforce policy based on PodSelector or NamespaceSelector',
    [
      {
        world: world('x/a x/b x/c y/a', [
          policy(a, { ingress: [from({ namespaceSelector: notIn('ns', 'x') }, { podSelector: pod('b') })] }),
        ]),
        expect: [deny('x/a', 'x/a'), deny('x/c', 'x/a')],
      },
    ],
  ],
  [
    'should enforce policy based on PodSelector and NamespaceSelector',
    [
      {
        world: world('x/a x/b y/a y/b z/b', [
          policy(a, { ingress: [from({ namespaceSelector: notIn('ns', 'x'), podSelector: pod('b') })] }),
        ]),
        expect: [toA, allow('y/b', 'x/a'), allow('z/b', 'x/a')],
      },
    ],
  ],
  [
    'should enforce policy based on Multiple PodSelectors and NamespaceSelectors',
    [
      {
        world: world('x/a x/b y/a y/b y/c', [
          policy(a, { ingress: [from({ namespaceSelector: notIn('ns', 'x'), podSelector: isIn('pod', 'b', 'c') })] }),
        ]),
        expect: [deny('x/*', 'x/a'), deny('y/a', 'x/a')],
      },
    ],
  ],
  [
    'should enforce policy based on any PodSelectors',
    [
      {
        world: world('x/a x/b x/c', [
          policy(a, { ingress: [from({ podSelector: pod('b') }, { podSelector: pod('c') })] }),
        ]),
        expect: [toA, allow('x/b', 'x/a'), allow('x/c', 'x/a')],
      },
    ],
  ],
  [
    'should enforce policy to allow traffic only from a pod in a different namespace based on PodSelector and NamespaceSelector',
    [
      {
        world: world('x/a x/b y/a y/b z/a', [
          policy(a, { ingress: [from({ namespaceSelector: space('y'), podSelector: pod('a') })] }),
        ]),
        expect: [toA, allow('y/a', 'x/a')],
      },
    ],
  ],
  ['should enforce policy based on Ports', [{ world: stacked, port: 81, expect: others }]],
  [
    'should enforce multiple, stacked policies with overlapping podSelectors',
    [
      { world: stacked, port: 81, expect: others },
      { world: stacked, port: 80, expect: [toA] },
      {
        world: world('x/a x/b y/a y/b z/a', [
          fromY81('TCP'),
          policy(a, { ingress: [{ ...from({ namespaceSelector: space('y') }), ports: [port(80)] }] }, { name: '80' }),
        ]),
        port: 80,
        expect: others,
      },
    ],
  ],
  [
    'should support allow-all policy',
    [80, 81].map((number) => ({
      world: world('x/a x/b y/a', [policy({}, { ingress: [{}] })]),
      port: number,
      expect: [],
    })),
  ],
  [
    'should allow ingress access on one named port',
    [
      { world: named81, port: 81, expect: [] },
      { world: named81, port: 80, expect: [deny('*', 'x/*')] },
    ],
  ],
  [
    'should allow ingress access from namespace on one named port',
    [
      { world: named80FromY, port: 80, expect: others },
      { world: named80FromY, port: 81, expect: [toA] },
    ],
  ],
  [
    'should allow egress access on one named port',
    [
      { world: namedEgress, port: 80, expect: [] },
      { world: namedEgress, port: 81, expect: [deny('x/*', '*')] },
    ],
  ],
  [
    'should enforce updated policy',
    [
      { world: world('x/a y/a', [policy({}, { ingress: [{}] })]), port: 81, expect: [] },
      { world: world('x/a y/a', [policy({}, { ingress: [] })]), port: 81, expect: [deny('*', 'x/*')] },
    ],
  ],
  [
    'should allow ingress access from updated namespace',
    [
      { world: world('x/a y/a', byNamespaceLabel), expect: [toA] },
      {
        world: world('x/a y/a', byNamespaceLabel, { namespaces: { y: { ns2: 'updated' } } }),
        expect: [toA, allow('y/*', 'x/a')],
      },
    ],
  ],
  [
    'should allow ingress access from updated pod',
    [
      { world: world('x/a x/b', byTwoLabels), expect: [toA] },
      {
        world: world('x/a x/b', byTwoLabels, { pods: { 'x/b': { labels: { pod2: 'updated' } } } }),
        expect: [toA, allow('x/b', 'x/a')],
      },
    ],
  ],
  [
    'should deny ingress from pods on other namespaces',
    [
      {
        world: world('x/a x/b y/a z/a', [policy({}, { ingress: [from({ podSelector: { matchLabels: {} } })] })]),
        expect: [deny('y/*', 'x/*'), deny('z/*', 'x/*')],
      },
    ],
  ],
  [
    'should deny ingress access to updated pod',
    [
      { world: world('x/a y/a', byTarget), expect: [] },
      { world: world('x/a y/a', byTarget, { pods: { 'x/a': { labels: { target: 'isolated' } } } }), expect: [toA] },
    ],
  ],
  [
    'should deny egress from pods based on PodSelector',
    [{ world: world('x/a x/b y/a', [policy(a, { egress: [] })]), expect: [fromA] }],
  ],
  [
    'should deny egress from all pods in a namespace',
    [{ world: world('x/a x/b y/a', [policy({}, { egress: [] })]), expect: [deny('x/*', '*')] }],
  ],
  [
    'should work with Ingress, Egress specified together',
    [
      { world: together, port: 80, expect: [toA, allow('x/b', 'x/a')] },
      { world: together, port: 81, expect: [toA, fromA, allow('x/b', 'x/a')] },
    ],
  ],
  [
    'should support denying of egress traffic on the client side (even if the server explicitly allows this traffic)',
    [
      {
        world: world('x/a y/a y/b', [
          policy(a, { egress: [to({ namespaceSelector: space('y'), podSelector: pod('a') })] }),
          ...['a', 'b'].map((name) =>
            policy(
              { pod: name },
              { ingress: [from({ namespaceSelector: space('x'), podSelector: pod('a') })] },
              { namespace: 'y', name },
            ),
          ),
        ]),
        expect: [fromA, deny('*', 'y/a'), allow('x/a', 'y/a'), deny('*', 'y/b')],
      },
    ],
  ],
  [
    'should enforce egress policy allowing traffic to a server in a different namespace based on PodSelector and NamespaceSelector',
    [
      {
        world: world('x/a y/a y/b', [
          policy(a, { egress: [to({ namespaceSelector: space('y'), podSelector: pod('a') })] }),
        ]),
        expect: [fromA, allow('x/a', 'y/a')],
      },
    ],
  ],
  [
    'should enforce ingress policy allowing any port traffic to a server on a specific protocol',
    [
      { world: anyTcp, expect: [] },
      { world: anyTcp, protocol: 'udp', expect: [toA] },
    ],
  ],
  [
    'should enforce multiple ingress policies with ingress allow-all policy taking precedence',
    [
      { world: world('x/a y/a', [ingress80]), port: 81, expect: [deny('*', 'x/*')] },
      { world: world('x/a y/a', [ingress80, policy({}, { ingress: [{}] })]), port: 81, expect: [] },
    ],
  ],
  [
    'should enforce multiple egress policies with egress allow-all policy taking precedence',
    [
      { world: world('x/a y/a', [egress80]), port: 81, expect: [deny('x/*', '*')] },
      { world: world('x/a y/a', [egress80, policy({}, { egress: [{}] })]), port: 81, expect: [] },
    ],
  ],
  [
    'should stop enforcing policies after they are deleted',
    [
      { world: world('x/a y/a', [denyAll]), expect: [deny('x/*', '*'), deny('*', 'x/*')] },
      { world: world('x/a y/a', []), expect: [] },
    ],
  ],
  [
    'should allow egress access to server in CIDR block',
    [{ world: world('x/a y/b y/a', [toB]), expect: [fromA, allow('x/a', 'y/b')] }],
  ],
  [
    'should enforce except clause while egress access to server in CIDR block',
    [{ world: world('x/a x/b x/c', [exceptB]), expect: [deny('x/a', 'x/b')] }],
  ],
  [
    'should ensure an IP overlapping both IPBlock.CIDR and IPBlock.Except is allowed',
    [
      { world: world('x/a x/b x/c', [exceptB]), expect: [deny('x/a', 'x/b')] },
      { world: world('x/a x/b x/c', [toB]), expect: [fromA, allow('x/a', 'x/b')] },
    ],
  ],
  [
    'should enforce policies to check ingress and egress policies can be controlled independently based on PodSelector',
    [
      { world: world('x/a x/b y/a', [policy(a, { egress: [{}] })]), expect: [] },
      { world: world('x/a x/b y/a', [policy(a, { egress: [{}] }), policy(a, { ingress: [] })]), expect: [toA] },
    ],
  ],
  [
    "should not mistakenly treat 'protocol: SCTP' as 'protocol: TCP', even if the plugin doesn't support SCTP",
    [
      {
        world: world('x/a y/a', [denyIngress, policy(a, { ingress: [{ ports: [port(81, 'SCTP')] }] })]),
        port: 81,
        expect: [deny('*', 'x/*')],
      },
    ],
  ],
  [
    "should properly isolate pods that are selected by a policy allowing SCTP, even if the plugin doesn't support SCTP",
    [
      {
        world: world('x/a y/a', [policy(a, { ingress: [{ ports: [port(80, 'SCTP')] }] })]),
        port: 81,
        expect: [toA],
      },
    ],
  ],
  [
    'should not allow access by TCP when a policy specifies only UDP',
    [
      {
        world: world('x/a y/a', [policy(a, { ingress: [{ ports: [port(81, 'UDP')] }] })]),
        port: 81,
        expect: [toA],
      },
    ],
  ],
  [
    'should enforce policy to allow traffic based on NamespaceSelector with MatchLabels using default ns label',
    [
      {
        world: world('x/a x/b y/a z/a', [
          policy(a, {
            ingress: [from({ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'y' } } })],
          }),
        ]),
        expect: others,
      },
    ],
  ],
  [
    'should enforce policy based on NamespaceSelector with MatchExpressions using default ns label',
    [
      {
        world: world('x/a x/b y/a z/a', [
          policy(a, { egress: [to({ namespaceSelector: notIn('kubernetes.io/metadata.name', 'y') })] }),
        ]),
        expect: [deny('x/a', 'y/*')],
      },
    ],
  ],
  ...ofProtocol('udp'),
  ...ofProtocol('sctp'),
];

const isMatch = (pattern: string, key: string) =>
  pattern === '*' || pattern === key || (pattern.endsWith('/*') && key.startsWith(pattern.slice(0, -1)));

function expected({ world: { pods }, expect: rules }: Step): string[] {
  const keys = pods.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
  const pairs = keys.flatMap((source) => keys.map((target) => [source, target] as const));
  return pairs
    .filter(([source, target]) => {
      if (source === target) return true;
      const last = rules.findLast(([, one, other]) => isMatch(one, source) && isMatch(other, target));
      return last?.[0] !== 'deny';
    })
    .map(([source, target]) => `${source} > ${target}`);
}

describe('the table of Kubernetes', () => {
  test.each(table)('%s', (_, steps) => {
    for (const step of steps)
      expect([...reachable(step.world, step.protocol ?? 'tcp', step.port ?? 80)].sort()).toEqual(expected(step).sort());
  });
});
