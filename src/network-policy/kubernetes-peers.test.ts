import {
  a,
  allow,
  deny,
  denyIngress,
  from,
  fromA,
  isIn,
  notIn,
  others,
  pod,
  space,
  testTable,
  to,
  toA,
} from './test-kubernetes-table.ts';
import { policy, world } from './test-world.ts';

const _b = ['10.244.2.3', 'fd00:2::3'];

testTable('peers', [
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
    'should deny egress from pods based on PodSelector',
    [{ world: world('x/a x/b y/a', [policy(a, { egress: [] })]), expect: [fromA] }],
  ],
  [
    'should deny egress from all pods in a namespace',
    [{ world: world('x/a x/b y/a', [policy({}, { egress: [] })]), expect: [deny('x/*', '*')] }],
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
]);
