// Releases resource claims: removes pods that need no devices any more from their users, frees the devices of unused
// claims, and deletes claims that were made for such pods.
// https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/

import {
  controllerOf,
  ignoreNotFound,
  type Pod,
  type ResourceV1ResourceClaim as ResourceClaim,
  type ResourceClaimConsumerReference,
  resourceClaimsOf,
} from '../../api/api.ts';
import { type Controller, own, type Tools, type Watch } from '../../client/client.ts';
import { isPodDone } from './pod-done.ts';

const finalizer = 'resource.kubernetes.io/delete-protection';

/** Also events of deletions, which have the last state of the pod. */
const endedPods: Watch = {
  resource: 'pods',
  matters: (next: Pod, old: Pod) => isPodDone(next) !== isPodDone(old),
  keys: (pod: Pod) => [...resourceClaimsOf(pod)].map((name) => `${pod.metadata.namespace}/${name}`),
};

export const resourceClaimUsers: Controller = {
  name: 'resourceclaim-users',
  component: 'resource_claim',
  watches: [own('resourceclaims'), endedPods],
  async reconcile(key, tools) {
    const claim = tools.lister('resourceclaims').get(key);
    if (!claim) return;
    const users = claim.status?.reservedFor ?? [];
    const remaining = await remainingUsers(claim, users, tools);
    if (remaining.length < users.length) await release(claim, remaining, tools);
    else if (remaining.length === 0 && claim.metadata.deletionTimestamp) await unprotect(claim, tools);
    if (remaining.length === 0) await deleteGenerated(claim, tools);
  },
};

/** Users that are no pods are kept: how long they need the claim is unknown. */
async function remainingUsers(
  { metadata }: ResourceClaim,
  users: readonly ResourceClaimConsumerReference[],
  { lister, client }: Tools,
): Promise<ResourceClaimConsumerReference[]> {
  const remaining: ResourceClaimConsumerReference[] = [];
  for (const user of users) {
    if (user.apiGroup || user.resource !== 'pods') {
      remaining.push(user);
      continue;
    }
    const target = { name: user.name, ...(metadata.namespace && { namespace: metadata.namespace }) };
    const cached = lister('pods').get(`${metadata.namespace}/${user.name}`);
    // The scheduler may just reserve the claim for a pod that is not in the cache yet.
    const pod = cached ?? (await client.get('pods', target).catch(ignoreNotFound));
    if (pod?.metadata.uid === user.uid && !isPodDone(pod)) remaining.push(user);
  }
  return remaining;
}

/** Updates, and not patches: they fail if the scheduler changed the claim meanwhile. */
async function release(
  claim: ResourceClaim,
  remaining: readonly ResourceClaimConsumerReference[],
  tools: Tools,
): Promise<void> {
  const { reservedFor: _, allocation, ...others } = claim.status ?? {};
  // Other users may need devices of other nodes. A claim without the finalizer was not allocated by the scheduler.
  const frees = remaining.length === 0 && isProtected(claim);
  const status = {
    ...others,
    ...(allocation && !frees && { allocation }),
    ...(remaining.length > 0 && { reservedFor: [...remaining] }),
  };
  const released = await tools.client.update('resourceclaims', { ...claim, status }, { subresource: 'status' });
  if (isProtected(released) && !released.status?.allocation) await removeFinalizer(released, tools);
}

/** A deleted claim without users goes. */
async function unprotect(claim: ResourceClaim, tools: Tools): Promise<void> {
  if (!isProtected(claim)) return;
  const { allocation, ...status } = claim.status ?? {};
  const freed = allocation
    ? await tools.client.update('resourceclaims', { ...claim, status }, { subresource: 'status' })
    : claim;
  await removeFinalizer(freed, tools);
}

const isProtected = ({ metadata }: ResourceClaim): boolean => metadata.finalizers?.includes(finalizer) ?? false;

async function removeFinalizer(claim: ResourceClaim, { client }: Tools): Promise<void> {
  const finalizers = (claim.metadata.finalizers ?? []).filter((each) => each !== finalizer);
  await client.update('resourceclaims', { ...claim, metadata: { ...claim.metadata, finalizers } });
}

/** Before the garbage collector does it: an ended pod may stay for a long time. */
async function deleteGenerated({ metadata }: ResourceClaim, { lister, client }: Tools): Promise<void> {
  const owner = controllerOf({ metadata });
  if (metadata.deletionTimestamp || owner?.apiVersion !== 'v1' || owner.kind !== 'Pod') return;
  const pod = lister('pods').get(`${metadata.namespace}/${owner.name}`);
  // The pod may not be in the cache yet.
  if (!pod || (pod.metadata.uid === owner.uid && !isPodDone(pod))) return;
  const { name, namespace, uid } = metadata;
  const target = { name, ...(namespace && { namespace }) };
  await client.delete('resourceclaims', target, { preconditions: { uid } }).catch(ignoreNotFound);
}
