// Keeps in each ResourceQuota what its namespace uses. Refusing what would exceed it is admission's work.
// https://kubernetes.io/docs/concepts/policy/resource-quotas/

import type { ApiObject, ResourceQuota } from '../api/api.ts';
import { claimUsage, isInScope, isNotFound, podUsage, serviceUsage, sumUsage, type Usage } from '../api/api.ts';
import { type Controller, keyOf, own, type ResourceName, type Tools, type Watch } from '../client/client.ts';
import { deepEqual } from '../machinery/equal.ts';
import { canonicalQuantity, compareQuantities } from '../machinery/quantity.ts';
import { discover } from './discovery.ts';

/** Counts of kinds that are not watched here are taken anew this often. */
const resyncMs = 300_000;

const quotasOf = (resource: ResourceName, matters?: Watch['matters']): Watch => ({
  resource,
  ...(matters && { matters }),
  *keys({ metadata }: ApiObject, { lister }: Tools) {
    for (const quota of lister('resourcequotas').list(metadata.namespace)) yield keyOf(quota);
  },
});

const isNews = (next: ApiObject, old: ApiObject): boolean =>
  (next.spec !== old.spec && !deepEqual(next.spec, old.spec)) || next.status?.phase !== old.status?.phase;

export const resourcequota: Controller = {
  name: 'resourcequota',
  watches: [
    // What admission charges is right already, and ahead of what this controller has seen.
    own('resourcequotas', (next, old) => !deepEqual(next.spec, old.spec)),
    quotasOf('pods', isNews),
    quotasOf('services', isNews),
    quotasOf('persistentvolumeclaims', isNews),
    quotasOf('configmaps', () => false),
    quotasOf('secrets', () => false),
  ],
  async reconcile(key, tools) {
    const quota = tools.lister('resourcequotas').get(key);
    if (!quota || quota.metadata.deletionTimestamp) return;
    const hard = quota.spec.hard ?? {};
    const usage = await usageOf(quota, tools);
    const used = Object.fromEntries(Object.keys(hard).map((name) => [name, canonicalQuantity(usage[name] ?? '0')]));
    if (!same(hard, quota.status?.hard) || !same(used, quota.status?.used))
      await tools.client.update('resourcequotas', { ...quota, status: { hard, used } }, { subresource: 'status' });
    return { after: resyncMs };
  },
};

const same = (a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>> | undefined): boolean =>
  Object.keys(a).length === Object.keys(b ?? {}).length &&
  Object.entries(a).every(([name, value]) => b?.[name] !== undefined && compareQuantities(value, b[name]) === 0);

async function usageOf(quota: ResourceQuota, tools: Tools): Promise<Usage> {
  const { lister } = tools;
  const { namespace = '' } = quota.metadata;
  const pods = lister('pods')
    .list(namespace)
    .filter((pod) => isInScope(quota, pod));
  const scoped = (quota.spec.scopes?.length ?? 0) > 0 || quota.spec.scopeSelector !== undefined;
  if (scoped) return sumUsage(pods.map(podUsage));
  const count = (resource: ResourceName) => {
    const size = String(lister(resource).list(namespace).length);
    return { [resource]: size, [`count/${resource}`]: size };
  };
  const known = sumUsage([
    ...pods.map(podUsage),
    ...lister('services').list(namespace).map(serviceUsage),
    ...lister('persistentvolumeclaims').list(namespace).map(claimUsage),
    ...(['configmaps', 'secrets', 'resourcequotas'] as const).map(count),
  ]);
  return { ...(await countOthers(quota, known, tools)), ...known };
}

/** count/RESOURCE.GROUP for any kind, and replicationcontrollers: asked of the server. */
async function countOthers(quota: ResourceQuota, known: Usage, { client }: Tools): Promise<Usage> {
  const wanted = Object.keys(quota.spec.hard ?? {}).filter(
    (name) => !(name in known) && (name.startsWith('count/') || name === 'replicationcontrollers'),
  );
  if (wanted.length === 0) return {};
  const { resources } = await discover(client);
  const usage: Usage = {};
  for (const name of wanted) {
    const [plural, ...group] = name.replace('count/', '').split('.');
    const resource = resources.find(
      (one) => one.resource === plural && one.group === group.join('.') && one.namespaced,
    );
    if (!resource) continue;
    try {
      const { items, remainingItemCount = 0 } = await client.list(resource, {
        namespace: quota.metadata.namespace,
        limit: 1,
      });
      usage[name] = String(items.length + remainingItemCount);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
  return usage;
}
