// Writes the allocation of a claim and its reservation for the pod, before the pod is bound.

import {
  formatTime,
  ignoreNotFound,
  isConflict,
  type Pod,
  type PodExtendedResourceClaimStatus,
} from '../../api/api.ts';
import type { BindTools } from '../framework.ts';
import { type AllocationResult, claimFinalizer, type ResourceClaim } from './claim-types.ts';

const status = { subresource: 'status' } as const;

// client-go's retry.DefaultRetry.
const conflictTries = 5;
const conflictPauseMs = 10;

const keyOfClaim = ({ metadata }: ResourceClaim): string => `${metadata.namespace}/${metadata.name}`;
const nameOfClaim = ({ metadata: { namespace, name } }: ResourceClaim) =>
  namespace === undefined ? { name } : { namespace, name };

const because = (during: string) => (error: Error) => {
  // The caller repeats conflicts.
  if (isConflict(error)) throw Object.assign(error, { during });
  throw new Error(`${during}: ${error.message}`);
};

/** Adds the pod to the claim's users, with the allocation if there was none before. */
export async function bindClaim(
  claim: ResourceClaim,
  allocation: AllocationResult | undefined,
  pod: Pod,
  tools: BindTools,
): Promise<ResourceClaim> {
  const { client, clock, signal } = tools;
  let current = claim;
  for (let tries = 1; ; tries++)
    try {
      return await writeClaim(current, allocation, pod, tools);
    } catch (error) {
      if (!isConflict(error)) throw error;
      const { during } = error as Error & { during?: string };
      if (tries === conflictTries) throw new Error(`${during}: ${(error as Error).message}`);
      await clock.sleep(conflictPauseMs, signal);
      current = await client
        .get('resourceclaims', nameOfClaim(claim))
        .catch(because(`get updated claim ${keyOfClaim(claim)} after conflict`));
    }
}

async function writeClaim(
  claim: ResourceClaim,
  allocation: AllocationResult | undefined,
  { metadata: { name, uid } }: Pod,
  { client, clock }: BindTools,
): Promise<ResourceClaim> {
  const key = keyOfClaim(claim);
  if (claim.metadata.deletionTimestamp) throw new Error(`claim ${key} got deleted in the meantime`);
  if (allocation && claim.status?.allocation) throw new Error(`claim ${key} got allocated elsewhere in the meantime`);
  let current = claim;
  const { finalizers = [] } = claim.metadata;
  if (allocation && !finalizers.includes(claimFinalizer)) {
    const metadata = { ...claim.metadata, finalizers: [...finalizers, claimFinalizer] };
    current = await client
      .update('resourceclaims', { ...claim, metadata })
      .catch(because(`add finalizer to claim ${key}`));
  }
  const allocated = allocation ?? current.status?.allocation;
  if (!allocated) throw new Error(`claim ${key} got deallocated elsewhere in the meantime`);
  const next = {
    ...current.status,
    allocation: { ...allocated, allocationTimestamp: allocated.allocationTimestamp ?? formatTime(clock.now()) },
    reservedFor: [...(current.status?.reservedFor ?? []), { resource: 'pods', name, uid }],
  };
  const during = allocation ? 'add allocation and reservation to claim' : 'add reservation to claim';
  return client.update('resourceclaims', { ...current, status: next }, status).catch(because(`${during} ${key}`));
}

/** Creates the claim of the pod's extended resources. */
export async function createExtendedClaim(
  claim: ResourceClaim,
  { client, metrics }: BindTools,
): Promise<ResourceClaim> {
  const { name: _, uid: __, ...metadata } = claim.metadata;
  const created = metrics.counter(
    'scheduler_resourceclaim_creates_total',
    'Number of ResourceClaims creation requests within scheduler',
  );
  try {
    const made = await client.create('resourceclaims', { metadata, spec: claim.spec });
    created.add(1, { status: 'success' });
    return made;
  } catch (error) {
    created.add(1, { status: 'failure' });
    throw new Error(`create claim for extended resources ${keyOfClaim(claim)}: ${(error as Error).message}`);
  }
}

export async function reportExtendedClaim(
  { metadata: { namespace = '', name, uid } }: Pod,
  extendedResourceClaimStatus: PodExtendedResourceClaimStatus,
  { client }: BindTools,
): Promise<void> {
  const body = { metadata: { uid }, status: { extendedResourceClaimStatus } };
  await client
    .patch('pods', { namespace, name }, { type: 'strategic', body }, status)
    .catch(because(`update pod ${namespace}/${name} ExtendedResourceClaimStatus`));
}

/** Removes the pod from the users of the claim. */
export async function unreserveClaim(claim: ResourceClaim, pod: Pod, { client }: BindTools): Promise<void> {
  const body = {
    metadata: { uid: claim.metadata.uid },
    status: { reservedFor: [{ $patch: 'delete', uid: pod.metadata.uid }] },
  };
  await client.patch('resourceclaims', nameOfClaim(claim), { type: 'strategic', body }, status).catch(ignoreNotFound);
}

/** Frees the devices of a claim that no other pod uses. */
export async function deallocate(claim: ResourceClaim, { client }: Pick<BindTools, 'client'>): Promise<void> {
  const { allocation: _, reservedFor: __, devices: ___, ...others } = claim.status ?? {};
  await client.update('resourceclaims', { ...claim, status: others }, status);
}

/** Deletes a claim that the scheduler made. */
export async function deleteClaim(claim: ResourceClaim, { client, clock }: Pick<BindTools, 'client' | 'clock'>) {
  const name = nameOfClaim(claim);
  let current = claim;
  for (let tries = 1; ; tries++)
    try {
      const finalizers = (current.metadata.finalizers ?? []).filter((each) => each !== claimFinalizer);
      await client.update('resourceclaims', { ...current, metadata: { ...current.metadata, finalizers } });
      break;
    } catch (error) {
      if (!isConflict(error) || tries === conflictTries)
        throw new Error(`update resourceclaim ${keyOfClaim(claim)}: ${(error as Error).message}`);
      await clock.sleep(conflictPauseMs);
      current = await client.get('resourceclaims', name);
    }
  await client.delete('resourceclaims', name);
}
