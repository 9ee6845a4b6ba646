// Devices that are attached to a node after their allocation: the pod is bound when all conditions are true.
// https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/#device-binding-conditions

import { allocatedDevices, parseTime } from '../../api/api.ts';
import type { DeviceRequestAllocationResult, ResourceClaim } from './claim-types.ts';

/** A condition of failure is true. */
export class DeviceBindingFailed extends Error {}

export const hasBindingConditions = (claim: ResourceClaim): boolean =>
  allocatedDevices(claim).some(({ bindingConditions }) => (bindingConditions?.length ?? 0) > 0);

const conditionsOf = ({ status }: ResourceClaim, { driver, pool, device }: DeviceRequestAllocationResult) =>
  status?.devices?.find((each) => each.driver === driver && each.pool === pool && each.device === device)?.conditions;

/** Throws DeviceBindingFailed. */
export function isReadyForBinding(claim: ResourceClaim): boolean {
  if (!claim.status?.allocation) return false;
  for (const result of allocatedDevices(claim)) {
    const { bindingConditions = [], bindingFailureConditions = [] } = result;
    if (bindingConditions.length === 0) continue;
    const conditions = conditionsOf(claim, result) ?? [];
    const failed = bindingFailureConditions
      .map((type) => conditions.find((condition) => condition.type === type))
      .find((condition) => condition?.status === 'True');
    if (failed)
      throw new DeviceBindingFailed(
        `device binding failed: claim=${claim.metadata.name}, reason=${failed.reason}, message=${JSON.stringify(failed.message)}`,
      );
    if (bindingConditions.some((type) => !conditions.some((c) => c.type === type && c.status === 'True'))) return false;
  }
  return true;
}

/** Whether its devices should have been ready by now. */
export function isBindingOverdue(claim: ResourceClaim, nowMs: number, timeoutMs: number): boolean {
  const since = claim.status?.allocation?.allocationTimestamp;
  return since !== undefined && hasBindingConditions(claim) && (parseTime(since) ?? nowMs) + timeoutMs < nowMs;
}
