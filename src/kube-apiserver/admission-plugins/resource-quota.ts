import {
  countedAs,
  forbidden,
  isInScope,
  type Kind,
  type ResourceQuota,
  type Usage,
  usageOfObject,
} from '../../api/api.ts';
import { must } from '../../machinery/must.ts';
import { addQuantities, compareQuantities, subtractQuantities } from '../../machinery/quantity.ts';
import type { AdmissionAttributes, AdmissionPlugin, Charge } from '../admission.ts';
import { inOrder } from '../registry/codec.ts';
import { cacheOf } from '../registry/target.ts';
import { staleObject, toStored } from '../registry/write/commit.ts';
import type { Item } from '../watch-cache/item.ts';
import { checkCovered, isOf, type LimitedResource } from './limited-resources.ts';

/**
 * Charges quotas for each write, and refuses writes that would exceed them. The charge is committed together with the
 * object, so nothing that does not exist is ever charged. https://kubernetes.io/docs/concepts/policy/resource-quotas/
 */
/** `limited` must not be used without a quota that covers it. */
export function resourceQuota(limited: readonly LimitedResource[] = []): AdmissionPlugin {
  // One write after the other in each namespace with quotas: two must not both take the last place.
  const turns = new Map<string, Promise<void>>();
  return {
    name: 'ResourceQuota',
    charge(attributes) {
      if (!isCharged(attributes)) return undefined;
      const { server } = attributes;
      const quotaKind = server.kinds.byResource('', 'v1', 'resourcequotas');
      if (!quotaKind) return undefined;
      const cache = cacheOf(server, quotaKind);
      const concerned = limited.filter((one) => isOf(one, attributes.kind));
      if (!(cache instanceof Promise) && !cache.size && !concerned.length) return undefined;
      return chargeInTurn(turns, attributes, quotaKind, concerned);
    },
  };
}

async function chargeInTurn(
  turns: Map<string, Promise<void>>,
  attributes: AdmissionAttributes,
  quotaKind: Kind,
  limited: readonly LimitedResource[],
): Promise<Charge | undefined> {
  const { server, namespace } = attributes;
  const cache = await cacheOf(server, quotaKind);
  const prefix = `${cache.prefix}${namespace}/`;
  const quotas = () => {
    const items: Item[] = [];
    cache.tree.forEach(prefix, `${prefix.slice(0, -1)}0`, (item) => void items.push(item));
    return items;
  };
  if (!quotas().length && !limited.length) return undefined;
  const before = turns.get(namespace);
  const turn = Promise.withResolvers<void>();
  const mine = (before ?? Promise.resolve()).then(() => turn.promise);
  turns.set(namespace, mine);
  const release = () => {
    turn.resolve();
    if (turns.get(namespace) === mine) turns.delete(namespace);
  };
  try {
    await before;
    const writes = writesFor(attributes, quotaKind, quotas(), limited);
    const first = writes[0]?.object?.metadata.name ?? '';
    return { writes, release, conflict: () => staleObject(quotaKind, first) };
  } catch (error) {
    release();
    throw error;
  }
}

function isCharged({ kind, operation, subresource, namespace, object, oldObject }: AdmissionAttributes): boolean {
  if (!namespace || !kind.namespaced || !object) return false;
  if (operation === 'CREATE') return !subresource;
  const { quota } = kind;
  if (operation !== 'UPDATE' || !quota?.updates?.includes(subresource)) return false;
  return subresource !== '' || !quota.matters || quota.matters(object, must(oldObject, 'oldObject'));
}

function writesFor(
  attributes: AdmissionAttributes,
  quotaKind: Kind,
  items: readonly Item[],
  limited: readonly LimitedResource[],
): Charge['writes'] {
  const { kind, oldObject, server } = attributes;
  const nowMs = server.clock.now();
  const usage = usageOfObject(kind, must(attributes.object, 'object'), nowMs);
  const delta = increase(usage, oldObject ? usageOfObject(kind, oldObject, nowMs) : {});
  const pertinent = items.flatMap((item) => {
    const restricted = restrictedBy(item.object as ResourceQuota, attributes);
    return restricted ? [{ item, restricted }] : [];
  });
  const charged = pertinent.some(
    ({ item }) => !oldObject || !isInScope(item.object as ResourceQuota, kind.quota, oldObject),
  );
  if (limited.length && (charged || Object.keys(delta).length > 0)) {
    const covered = new Set(pertinent.flatMap(({ restricted }) => restricted));
    const quotas = items.map(({ object: quota }) => quota as ResourceQuota);
    checkCovered({ attributes, limited, delta, covered, quotas });
  }
  return pertinent.flatMap(({ item, restricted }) => {
    const previous = item.object as ResourceQuota;
    // An update may bring an object into the scope of a quota.
    const isNew = !oldObject || !isInScope(previous, kind.quota, oldObject);
    const used = chargeOne(attributes, previous, restricted, isNew ? usage : delta);
    if (!used) return [];
    const quota = { ...previous, status: { ...previous.status, used: { ...previous.status?.used, ...used } } };
    return [{ key: item.key, ...toStored(quotaKind, inOrder(quotaKind, quota)), expected: item.revision }];
  });
}

/** The increase of usage; the controller counts a decrease later. */
function increase(next: Usage, old: Usage): Usage {
  const delta: Usage = {};
  for (const [name, value] of Object.entries(next)) {
    const more = subtractQuantities(value, old[name] ?? '0');
    if (compareQuantities(more, '0') > 0) delta[name] = more;
  }
  return delta;
}

/** The resources of such an object that the quota limits; undefined without any. Throws a 403. */
function restrictedBy(quota: ResourceQuota, attributes: AdmissionAttributes): string[] | undefined {
  const { kind, object, operation, name } = attributes;
  if (!isInScope(quota, kind.quota, must(object, 'object'))) return undefined;
  const restricted = Object.keys(quota.status?.hard ?? {})
    .filter((resource) => resource === countedAs(kind) || kind.quota?.uses(resource))
    .sort();
  if (!restricted.length) return undefined;
  const quotaName = quota.metadata.name ?? '';
  const missing = operation === 'CREATE' && kind.quota?.unspecified?.(must(object, 'object'), restricted);
  if (missing) throw forbidden(kind, name, `failed quota: ${quotaName}: must specify ${missing}`);
  const used = (quota.status?.used ?? {}) as Usage;
  if (restricted.some((resource) => used[resource] === undefined))
    throw forbidden(kind, name, `status unknown for quota: ${quotaName}, resources: ${restricted.join(',')}`);
  return restricted;
}

/** The new amounts of the quota; undefined when it counts nothing of this object. Throws a 403. */
function chargeOne(
  { kind, name, subresource }: AdmissionAttributes,
  quota: ResourceQuota,
  restricted: readonly string[],
  delta: Usage,
): Usage | undefined {
  const hard = (quota.status?.hard ?? {}) as Usage;
  const used = (quota.status?.used ?? {}) as Usage;
  const charged = restricted.filter((resource) => delta[resource] !== undefined);
  if (!charged.length) return undefined;
  const next = Object.fromEntries(charged.map((one) => [one, addQuantities(used[one], delta[one])]));
  const exceeded = charged.filter((resource) => compareQuantities(next[resource], hard[resource]) > 0);
  // The status reports a change that has been admitted before.
  if (!exceeded.length || subresource === 'status') return next;
  const list = (amounts: Usage) => exceeded.map((resource) => `${resource}=${amounts[resource]}`).join(',');
  const quotaName = quota.metadata.name ?? '';
  throw forbidden(
    kind,
    name,
    `exceeded quota: ${quotaName}, requested: ${list(delta)}, used: ${list(used)}, limited: ${list(hard)}`,
  );
}
