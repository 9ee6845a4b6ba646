// The users of a namespace write policies; the node's process also runs the pods of all other users.

import { expect, test } from 'vitest';
import type { NetworkPolicy, NetworkPolicySpec, Pod } from '../api/api.ts';
import { systemClock } from '../machinery/time/clock.ts';
import { finishInPauses } from '../machinery/time/steps.ts';
import { longestTurn } from '../machinery/time/test-turn.ts';
import { isolationOf } from './isolation.ts';
import { changesOf, emptyRuleset, rulesetOf } from './nftables.ts';
import { policy, site } from './test-world.ts';

const longestMs = 250;
const mostCharacters = 20_000_000;
const many = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
const address = (i: number) => `10.${200 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`;

const pods = many(
  3_000,
  (i) =>
    ({
      metadata: { name: `p${i}`, namespace: 'x', labels: { app: 'a', name: `p${i}` } },
      spec: {
        nodeName: i < 100 ? 'n1' : 'n2',
        containers: [{ name: 'c', ports: [{ name: 'web', containerPort: 80 }] }],
      },
      status: { phase: 'Running', podIPs: [{ ip: address(i) }] },
    }) as unknown as Pod,
);
const ingress = (name: string, ...rules: NonNullable<NetworkPolicySpec['ingress']>) =>
  policy({ app: 'a' }, { ingress: rules }, { name });
const allBut = (i: number) => ({
  podSelector: { matchExpressions: [{ key: 'name', operator: 'NotIn', values: [`p${i}`] }] },
});

async function scriptOf(policies: readonly NetworkPolicy[]) {
  let script = '';
  let tooLarge: ReadonlySet<string> = new Set();
  const namespaces = [{ metadata: { name: 'x', labels: {} } }] as never;
  const waitMs = await longestTurn(async () => {
    const inputs = { policies, pods, namespaces, nodeNames: ['n1'] };
    const isolation = await finishInPauses(isolationOf(inputs), systemClock);
    tooLarge = isolation!.tooLarge;
    const rules = await finishInPauses(rulesetOf(isolation!, site), systemClock);
    script = await finishInPauses(changesOf('inet t', emptyRuleset, rules), systemClock);
  });
  return { script, waitMs, isTooLarge: tooLarge.has('x') };
}

test.each<[string, readonly NetworkPolicy[], boolean]>([
  [
    '20,000 blocks and 20,000 named ports',
    [
      ingress('p', {
        from: many(20_000, (i) => ({ ipBlock: { cidr: `${address(i * 2)}/32` } })),
        ports: many(20_000, (i) => ({ port: `web${i}` })),
      }),
    ],
    false,
  ],
  [
    '10,000 pods by name and 20,000 ports',
    [
      ingress('p', {
        from: many(10_000, (i) => ({ podSelector: { matchLabels: { name: `p${i}` } } })),
        ports: many(20_000, (i) => ({ port: i * 3 + 1 })),
      }),
    ],
    true,
  ],
  [
    '90,000 exceptions of a block',
    [
      ingress('p', {
        from: [{ ipBlock: { cidr: '10.0.0.0/8', except: many(90_000, (i) => `${address(i * 2)}/32`) } }],
      }),
    ],
    false,
  ],
  ['5,000 rules that select almost all pods', [ingress('p', ...many(5_000, (i) => ({ from: [allBut(i)] })))], true],
  ['5,000 policies for each pod', many(5_000, (i) => ingress(`p${i}`, { from: [{ podSelector: {} }] })), true],
  [
    '5,000 policies of all pods but one',
    many(
      5_000,
      (i) =>
        ({
          ...ingress(`p${i}`, {}),
          spec: { ...allBut(i % 100), policyTypes: ['Ingress'], ingress: [{}] },
        }) as NetworkPolicy,
    ),
    true,
  ],
])(
  '%s',
  async (_, policies, expected) => {
    const { script, waitMs, isTooLarge } = await scriptOf(policies);
    expect(isTooLarge).toBe(expected);
    expect(script.length).toBeLessThan(mostCharacters);
    expect(waitMs).toBeLessThan(longestMs);
  },
  60_000,
);

test('a namespace whose policies are too large takes nothing from another one, and permits nothing more', async () => {
  const large = ingress('large', ...many(5_000, (i) => ({ from: [allBut(i)] })));
  const { script } = await scriptOf([large]);
  const chain = /ingress-policy-\S+-x-large/.exec(script)![0];
  expect(script).not.toContain(`add rule inet t ${chain}`);
  expect(script).toContain(`${address(5)} : goto`);
});
