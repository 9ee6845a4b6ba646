// Claims objects for a controller: it adopts orphans that match its selector, and releases owned objects that no longer
// match.
// https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#how-a-replicaset-works

import { controllerOf, isApiError, isNotFound, type KubeObject } from '../../api/api.ts';
import type { ResourceName } from '../../client/client.ts';
import { type Controller, controllerReference, keyOf, type Tools, type Watch } from '../../client/client.ts';
import {
  type LabelSelector,
  type LabelSelectorSpec,
  labelSelector,
  mapSelector,
} from '../../machinery/selectors/label-selector.ts';

const orphans = 'orphans by namespace';

/** The index of the resource for `claim`. */
export const orphanIndex = (resource: ResourceName): NonNullable<Controller['indexes']>[number] => ({
  resource,
  name: orphans,
  valuesOf: (object: KubeObject) => (controllerOf(object) ? [] : [object.metadata.namespace ?? '']),
});

/** Watches objects without a controller, and yields every `owner` of their namespace whose selector matches. */
export const orphansOf = (resource: ResourceName, owner: ResourceName): Watch => ({
  resource,
  *keys(object: KubeObject, { lister }: Tools) {
    if (controllerOf(object) || object.metadata.deletionTimestamp) return;
    for (const candidate of lister(owner).list(object.metadata.namespace) as readonly Selecting[])
      if (selectorOf(candidate).matches(object.metadata.labels ?? {})) yield keyOf(candidate);
  },
});

const selectors = new WeakMap<object, LabelSelector>();

/** An object that selects others by labels. */
type Selecting = KubeObject & {
  readonly spec?: { readonly selector?: LabelSelectorSpec | Readonly<Record<string, string>> | null };
};

/** The compiled spec.selector of an object; the same object is compiled once. */
export function selectorOf(owner: Selecting): LabelSelector {
  const spec = owner.spec?.selector ?? undefined;
  if (!spec) return labelSelector(undefined);
  let selector = selectors.get(spec);
  if (!selector) selectors.set(spec, (selector = isPlainMap(spec) ? mapSelector(spec) : labelSelector(spec)));
  return selector;
}

/** ReplicationControllers select by a plain map of labels. */
const isPlainMap = (selector: object): selector is Readonly<Record<string, string>> =>
  Object.values(selector).some((value) => typeof value === 'string');

/** All objects of `resource` that `owner` controls after adopting and releasing. */
export async function claim<T extends KubeObject>(
  owner: Selecting,
  ownerResource: ResourceName,
  resource: ResourceName,
  tools: Tools,
): Promise<T[]> {
  const lister = tools.lister(resource);
  const selector = selectorOf(owner);
  const matches = (object: KubeObject) => selector.matches(object.metadata.labels ?? {});
  const claimed: T[] = [];
  for (const object of lister.ownedBy(owner) as readonly T[]) {
    if (controllerOf(object)?.uid !== owner.metadata.uid) continue;
    if (matches(object)) claimed.push(object);
    else if (!owner.metadata.deletionTimestamp) await release(owner, resource, object, tools);
  }
  if (owner.metadata.deletionTimestamp) return claimed;
  const found = lister.by(orphans, owner.metadata.namespace ?? '') as readonly T[];
  const adoptable = found.filter((object) => !object.metadata.deletionTimestamp && matches(object));
  if (adoptable.length > 0 && (await isAlive(owner, ownerResource, tools)))
    for (const object of adoptable) {
      const adopted = await adopt<T>(owner, ownerResource, resource, object, tools);
      if (adopted) claimed.push(adopted);
    }
  return claimed;
}

/** The cache may be behind: an owner that was just deleted must not take orphans with it. */
async function isAlive(owner: KubeObject, resource: ResourceName, { client }: Tools): Promise<boolean> {
  const { name, namespace, uid } = owner.metadata;
  const fresh = (await client.get(resource, { name, namespace })) as KubeObject;
  if (fresh.metadata.uid !== uid)
    throw new Error(`original ${resource} ${keyOf(owner)} is gone: got uid ${fresh.metadata.uid}, wanted ${uid}`);
  return !fresh.metadata.deletionTimestamp;
}

async function adopt<T extends KubeObject>(
  owner: Selecting,
  ownerResource: ResourceName,
  resource: ResourceName,
  object: T,
  { client }: Tools,
): Promise<T | undefined> {
  const { name, namespace, uid } = object.metadata;
  const body = { metadata: { ownerReferences: [controllerReference(owner, ownerResource)], uid } };
  return (await client.patch(resource, { name, namespace }, { type: 'strategic', body }).catch(ignoreGone)) as
    | T
    | undefined;
}

async function release(
  owner: KubeObject,
  resource: ResourceName,
  object: KubeObject,
  { client }: Tools,
): Promise<void> {
  const { name, namespace, uid } = object.metadata;
  const body = { metadata: { ownerReferences: [{ $patch: 'delete', uid: owner.metadata.uid }], uid } };
  await client.patch(resource, { name, namespace }, { type: 'strategic', body }).catch(ignoreGone);
}

/** The object is gone or replaced (the uid in the patch then causes Invalid or a Conflict). */
function ignoreGone(error: unknown): undefined {
  if (isNotFound(error) || isApiError(error, 'Invalid') || isApiError(error, 'Conflict')) return undefined;
  throw error;
}
