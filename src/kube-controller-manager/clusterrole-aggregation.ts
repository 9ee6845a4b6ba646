// Fills ClusterRoles that are declared as the sum of others.
// https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles

import type { ClusterRole, PolicyRule } from '../api/api.ts';
import { type Controller, TerminalError } from '../client/client.ts';
import { deepEqual } from '../machinery/collections/equal.ts';
import { labelSelector } from '../machinery/selectors/label-selector.ts';
import type { Clock } from '../machinery/time/clock.ts';
import { pause } from '../machinery/time/turn.ts';
import { canonicalJson } from './shared/hash.ts';

export const clusterroleAggregation: Controller = {
  name: 'clusterrole-aggregation',
  component: 'clusterrole-aggregation-controller',
  watches: [
    {
      resource: 'clusterroles',
      // Any role may match any aggregated role, so all of them are reconciled.
      *keys(_, { lister }) {
        for (const role of lister('clusterroles').list()) if (role.aggregationRule) yield role.metadata.name;
      },
    },
  ],
  async reconcile(name, { lister, client, clock }) {
    const role = lister('clusterroles').get(name);
    if (!role?.aggregationRule) return;
    const rules = await sumOf(role, lister('clusterroles').list(), clock);
    if (deepEqual(rules, role.rules ?? [])) return;
    const body = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name }, rules };
    const options = { fieldManager: 'clusterrole-aggregation-controller' };
    await client.patch('clusterroles', { name }, { type: 'apply', body, force: true }, options);
  },
};

/** Rules in a request of the largest size are fewer. */
const mostRules = 100_000;

async function sumOf(role: ClusterRole, all: readonly ClusterRole[], clock: Clock): Promise<PolicyRule[]> {
  const rules = new Map<string, PolicyRule>();
  const byName = [...all].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  for (const selector of (role.aggregationRule?.clusterRoleSelectors ?? []).map(labelSelector))
    for (const other of byName) {
      await pause(clock);
      if (other.metadata.name === role.metadata.name || !selector.matches(other.metadata.labels ?? {})) continue;
      for (const rule of other.rules ?? []) {
        await pause(clock);
        const key = canonicalJson(rule);
        if (!rules.has(key)) rules.set(key, rule);
      }
      if (rules.size > mostRules)
        throw new TerminalError(`the rules of ClusterRole ${role.metadata.name} are too many`);
    }
  return [...rules.values()];
}
