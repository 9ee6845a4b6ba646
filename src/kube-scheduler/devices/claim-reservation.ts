// Holds the devices that a pod is to get, and writes them into its claims before the pod is bound.

import type { Pod } from '../../api/api.ts';
import type { BindTools, Reservation } from '../framework.ts';
import { devicesBound } from './binding-wait.ts';
import { bindClaim, createExtendedClaim, deleteClaim, reportExtendedClaim, unreserveClaim } from './claim-binding.ts';
import type { AllocationResult, ResourceClaim } from './claim-types.ts';
import type { Devices } from './devices.ts';
import type { ExtendedRequests } from './extended-resources.ts';
import { isReservedFor } from './pod-claims.ts';

/** The devices that a node gives. */
export interface NodeAllocation {
  /** By claim: without those that were allocated before. */
  readonly results: ReadonlyMap<ResourceClaim, AllocationResult>;
  readonly extended?: { readonly claim: ResourceClaim } & ExtendedRequests;
}

interface ClaimReservationInput {
  readonly pod: Pod;
  readonly claims: readonly ResourceClaim[];
  readonly found: NodeAllocation | undefined;
  readonly devices: Devices;
  readonly node: string;
  readonly bindingTimeoutMs: number;
  readonly profile: string;
}

export function reserveClaims(input: ClaimReservationInput): Reservation {
  const { pod, claims, found, devices, node, bindingTimeoutMs, profile } = input;
  const holds = new Map(
    [...(found?.results ?? [])].map(([claim, allocation]) => [claim, devices.hold(claim.metadata.uid, allocation)]),
  );
  /** Claims as they were written. */
  const bound = new Map<ResourceClaim, ResourceClaim>();
  let extendedClaim: ResourceClaim | undefined;

  const bind = async (claim: ResourceClaim, key: ResourceClaim, tools: BindTools) => {
    const written = await bindClaim(claim, found?.results.get(key), pod, tools);
    bound.set(key, written);
    devices.assume(written);
    holds.get(key)?.();
    return written;
  };
  const bindExtended = async (tools: BindTools) => {
    const extended = found?.extended;
    if (!extended || extended.requests.length === 0) return;
    extendedClaim = await createExtendedClaim(extended.claim, tools);
    const written = await bind(extendedClaim, extended.claim, tools);
    const { name: resourceClaimName } = written.metadata;
    await reportExtendedClaim(pod, { resourceClaimName, requestMappings: [...extended.mappings] }, tools);
  };

  return {
    async preBind(tools) {
      for (const claim of claims) if (!isReservedFor(pod, claim)) await bind(claim, claim, tools);
      await bindExtended(tools);
      const written = [...claims.map((claim) => bound.get(claim) ?? claim), ...(extendedClaim ? [extendedClaim] : [])];
      const current = written.map(({ metadata }) => devices.claim(metadata.namespace ?? '', metadata.name));
      const present = current.filter((claim) => claim !== undefined);
      await devicesBound(present, devices, tools, { timeoutMs: bindingTimeoutMs, node, profile });
    },
    async undo(tools) {
      for (const claim of claims) {
        const current = bound.get(claim) ?? claim;
        if (isReservedFor(pod, current)) await unreserveClaim(current, pod, tools);
      }
      if (extendedClaim) await deleteClaim(extendedClaim, tools);
    },
    release() {
      for (const release of holds.values()) release();
    },
  };
}
