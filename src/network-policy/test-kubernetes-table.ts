// For the tests with the cases of Kubernetes' own tests of network policies (test/e2e/network/netpol), by their names. Each is
// judged by the rules of both nodes, in both address families.

import { describe, expect, test } from 'vitest';
import type { NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer } from '../api/api.ts';
import type { Protocol } from './permissions.ts';
import { policy, reachable, type World } from './test-world.ts';

/** Pods with their wildcards, in the order in which they apply; all other pairs connect. A pod reaches itself always. */
export interface Step {
  readonly world: World;
  readonly protocol?: Protocol;
  readonly port?: number;
  readonly expect: readonly (readonly ['deny' | 'allow', from: string, to: string])[];
}

export const a = { pod: 'a' };
export const from = (...peers: NetworkPolicyPeer[]): NetworkPolicyIngressRule => ({ from: peers });
export const to = (...peers: NetworkPolicyPeer[]): NetworkPolicyEgressRule => ({ to: peers });
export const pod = (name: string) => ({ matchLabels: { pod: name } });
export const space = (name: string) => ({ matchLabels: { ns: name } });
export const notIn = (key: string, ...values: string[]) => ({
  matchExpressions: [{ key, operator: 'NotIn' as const, values }],
});
export const isIn = (key: string, ...values: string[]) => ({
  matchExpressions: [{ key, operator: 'In' as const, values }],
});
export const denyIngress = policy({}, { ingress: [] }, { name: 'deny-ingress' });
export const denyAll = policy({}, { ingress: [], egress: [] }, { name: 'deny-all' });
export const port = (number: number | string, protocol: 'TCP' | 'UDP' | 'SCTP' = 'TCP') => ({ port: number, protocol });
export const fromY81 = (protocol: 'TCP' | 'UDP' | 'SCTP') =>
  policy(a, { ingress: [{ ...from({ namespaceSelector: space('y') }), ports: [port(81, protocol)] }] }, { name: '81' });
export const others = [
  ['deny', 'x/*', 'x/a'],
  ['deny', 'z/*', 'x/a'],
] as const;
export const toA = ['deny', '*', 'x/a'] as const;
export const fromA = ['deny', 'x/a', '*'] as const;
export const allow = (source: string, target: string) => ['allow', source, target] as const;
export const deny = (source: string, target: string) => ['deny', source, target] as const;

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

export type Case = readonly [name: string, steps: readonly Step[]];

export function testTable(subject: string, table: readonly Case[]): void {
  describe(`the table of Kubernetes: ${subject}`, () => {
    test.each(table)('%s', (_, steps) => {
      for (const step of steps)
        expect([...reachable(step.world, step.protocol ?? 'tcp', step.port ?? 80)].sort()).toEqual(
          expected(step).sort(),
        );
    });
  });
}
