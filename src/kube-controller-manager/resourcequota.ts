// Updates the usage of each ResourceQuota. Admission rejects requests that would exceed it.
// https://kubernetes.io/docs/concepts/policy/resource-quotas/

import type { KubeObject, Pod, ResourceQuota } from '../api/api.ts';
import {
  claimQuota,
  claimUsage,
  isInScope,
  isNotFound,
  podQuota,
  podUsage,
  resources,
  scopesOf,
  serviceUsage,
  type Usage,
  UsageSum,
} from '../api/api.ts';
import { type Controller, keyOf, own, type ResourceName, type Tools, type Watch } from '../client/client.ts';
import { deepEqual } from '../machinery/collections/equal.ts';
import { canonicalQuantity, compareQuantities } from '../machinery/quantity.ts';
import { isTurnOver, ownTurn, pause } from '../machinery/time/turn.ts';
import { type DiscoveredResource, discover } from './shared/discovery.ts';

const resyncMs = 300_000;
/** Quotas that count kinds without a watch here are recounted this often. */
const recountMs = 10_000;

/** Counted from the caches. Other controllers watch all of them anyway, so the watch adds no cost. */
const counted = [
  'configmaps',
  'secrets',
  'resourcequotas',
  'replicationcontrollers',
  'serviceaccounts',
  'endpoints',
  'deployments',
  'replicasets',
  'statefulsets',
  'daemonsets',
  'controllerrevisions',
  'jobs',
  'cronjobs',
  'poddisruptionbudgets',
  'endpointslices',
] as const satisfies readonly ResourceName[];

const quotasOf = (resource: ResourceName, matters?: Watch['matters']): Watch => ({
  resource,
  ...(matters && { matters }),
  *keys({ metadata }: KubeObject, { lister }: Tools) {
    for (const quota of lister('resourcequotas').list(metadata.namespace)) yield keyOf(quota);
  },
});

type Counted = KubeObject & { readonly spec?: unknown; readonly status?: object };

/** Fields of the status that count: of pods, and of claims. */
const countedStatus = ['phase', 'allocatedResources', 'currentVolumeAttributesClassName', 'modifyVolumeStatus'];

const countedIn = (status: object = {}) => Object.entries(status).filter(([field]) => countedStatus.includes(field));

const isNews = (next: Counted, old: Counted): boolean =>
  (next.spec !== old.spec && !deepEqual(next.spec, old.spec)) ||
  (next.status !== old.status && !deepEqual(countedIn(next.status), countedIn(old.status)));

export const resourcequota: Controller = {
  name: 'resourcequota',
  watches: [
    // Admission's charges are correct, and newer than this controller's cache.
    own('resourcequotas', (next: ResourceQuota, old: ResourceQuota) => !deepEqual(next.spec, old.spec)),
    quotasOf('pods', isNews),
    quotasOf('services', isNews),
    quotasOf('persistentvolumeclaims', isNews),
    ...counted.filter((resource) => resource !== 'resourcequotas').map((resource) => quotasOf(resource, () => false)),
  ],
  async reconcile(key, tools) {
    const quota = tools.lister('resourcequotas').get(key);
    if (!quota || quota.metadata.deletionTimestamp) return;
    const hard = quota.spec.hard ?? {};
    const { usage, complete } = await usageOf(quota, tools);
    const used = Object.fromEntries(Object.keys(hard).map((name) => [name, canonicalQuantity(usage[name] ?? '0')]));
    if (!same(hard, quota.status?.hard) || !same(used, quota.status?.used))
      await tools.client.update('resourcequotas', { ...quota, status: { hard, used } }, { subresource: 'status' });
    return { after: complete ? resyncMs : recountMs };
  },
};

const same = (a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>> | undefined): boolean =>
  Object.keys(a).length === Object.keys(b ?? {}).length &&
  Object.entries(a).every(([name, value]) => b?.[name] !== undefined && compareQuantities(value, b[name]) === 0);

/** `complete`: a watch reports every change of the usage. */
async function usageOf(quota: ResourceQuota, tools: Tools): Promise<{ usage: Usage; complete: boolean }> {
  const { lister, clock } = tools;
  const { namespace = '' } = quota.metadata;
  const sum = new UsageSum();
  for (const pod of lister('pods').list(namespace)) {
    if (isInScope(quota, podQuota, pod)) sum.add(usageOfPod(pod, clock.now()));
    if (isTurnOver(clock)) await ownTurn();
  }
  for (const claim of lister('persistentvolumeclaims').list(namespace)) {
    if (isInScope(quota, claimQuota, claim)) sum.add(claimUsage(claim));
    if (isTurnOver(clock)) await ownTurn();
  }
  if (scopesOf(quota).length > 0) return { usage: sum.total(), complete: true };
  const count = (resource: (typeof counted)[number]): Usage => {
    const size = String(lister(resource).list(namespace).length);
    const { group } = resources[resource];
    const qualified = `count/${resource}${group && `.${group}`}`;
    return group ? { [qualified]: size } : { [resource]: size, [qualified]: size };
  };
  for (const service of lister('services').list(namespace)) {
    sum.add(serviceUsage(service));
    if (isTurnOver(clock)) await ownTurn();
  }
  for (const resource of counted) sum.add(count(resource));
  const usage = sum.total();
  const others = Object.keys(quota.spec.hard ?? {}).filter((name) => !(name in usage) && name.startsWith('count/'));
  if (others.length === 0) return { usage, complete: true };
  return { usage: { ...(await countOthers(others, namespace, tools)), ...usage }, complete: false };
}

/** Each change of a pod causes a recount, and a recount reads all pods. */
const usages = new WeakMap<Pod, Usage>();

function usageOfPod(pod: Pod, nowMs: number): Usage {
  // The usage of a pod that is being deleted changes with time.
  if (pod.metadata.deletionTimestamp) return podUsage(pod, nowMs);
  let usage = usages.get(pod);
  if (!usage) usages.set(pod, (usage = podUsage(pod, nowMs)));
  return usage;
}

/** Counts objects of other kinds on the server. `names` are count/RESOURCE.GROUP. */
async function countOthers(names: readonly string[], namespace: string, { client, clock }: Tools): Promise<Usage> {
  const { resources: served } = await discover(client);
  const usage: Usage = {};
  const byName = new Map<string, DiscoveredResource>();
  for (const one of served)
    if (one.namespaced) byName.set(`count/${one.group ? `${one.resource}.${one.group}` : one.resource}`, one);
  for (const name of names) {
    await pause(clock);
    const resource = byName.get(name);
    if (!resource) continue;
    try {
      const { items, remainingItemCount = 0 } = await client.list(resource, {
        namespace,
        limit: 1,
      });
      usage[name] = String(items.length + remainingItemCount);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
  return usage;
}
