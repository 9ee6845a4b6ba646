import type { Protocol } from './permissions.ts';
import {
  a,
  allow,
  type Case,
  deny,
  denyAll,
  denyIngress,
  from,
  fromA,
  fromY81,
  others,
  pod,
  port,
  space,
  testTable,
  to,
  toA,
} from './test-kubernetes-table.ts';
import { policy, world } from './test-world.ts';

const named81 = world('x/a x/b y/a', [policy({}, { ingress: [{ ports: [port('serve-81-tcp')] }] })]);
const named80FromY = world('x/a x/b y/a z/a', [
  policy(a, { ingress: [{ ...from({ namespaceSelector: space('y') }), ports: [port('serve-80-tcp')] }] }),
]);
const namedEgress = world('x/a y/a', [policy({}, { egress: [{ ports: [port('serve-80-tcp')] }] })]);
const together = world('x/a x/b x/c y/a', [
  policy(a, { ingress: [from({ podSelector: pod('b') })], egress: [{ ports: [port(80)] }] }),
]);
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

const ofProtocol = (protocol: Protocol): Case[] => {
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

testTable('ports and addresses', [
  [
    "should support a 'default-deny-ingress' policy",
    [{ world: world('x/a x/b y/a y/b', [denyIngress]), expect: [deny('*', 'x/*')] }],
  ],
  [
    "should support a 'default-deny-all' policy",
    [{ world: world('x/a x/b y/a', [denyAll]), expect: [deny('*', 'x/*'), deny('x/*', '*')] }],
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
    'should enforce ingress policy allowing any port traffic to a server on a specific protocol',
    [
      { world: anyTcp, expect: [] },
      { world: anyTcp, protocol: 'udp', expect: [toA] },
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
  ...ofProtocol('udp'),
  ...ofProtocol('sctp'),
]);
