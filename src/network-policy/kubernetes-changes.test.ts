import {
  a,
  allow,
  deny,
  denyAll,
  from,
  fromY81,
  others,
  port,
  space,
  testTable,
  toA,
} from './test-kubernetes-table.ts';
import { policy, world } from './test-world.ts';

const stacked = world('x/a x/b y/a y/b z/a', [fromY81('TCP')]);
const byNamespaceLabel = [policy(a, { ingress: [from({ namespaceSelector: { matchLabels: { ns2: 'updated' } } })] })];
const byTwoLabels = [policy(a, { ingress: [from({ podSelector: { matchLabels: { pod: 'b', pod2: 'updated' } } })] })];
const byTarget = [policy({ target: 'isolated' }, { ingress: [] })];
const ingress80 = policy({}, { ingress: [{ ports: [port(80)] }] }, { name: '80' });
const egress80 = policy({}, { egress: [{ ports: [port(80)] }] }, { name: '80' });

testTable('several policies, and changes', [
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
    'should deny ingress access to updated pod',
    [
      { world: world('x/a y/a', byTarget), expect: [] },
      { world: world('x/a y/a', byTarget, { pods: { 'x/a': { labels: { target: 'isolated' } } } }), expect: [toA] },
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
    'should enforce policies to check ingress and egress policies can be controlled independently based on PodSelector',
    [
      { world: world('x/a x/b y/a', [policy(a, { egress: [{}] })]), expect: [] },
      { world: world('x/a x/b y/a', [policy(a, { egress: [{}] }), policy(a, { ingress: [] })]), expect: [toA] },
    ],
  ],
]);
