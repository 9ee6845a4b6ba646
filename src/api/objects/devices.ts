// Devices of dynamic resource allocation, shared by components.

import type { DeviceRequestAllocationResult, ResourceV1ResourceClaim } from '../generated/types.ts';

/** Pools of different drivers may have the same name. */
export const poolId = (driver: string, pool: string): string => `${driver}/${pool}`;

/** The devices that a claim has. */
export const allocatedDevices = ({ status }: ResourceV1ResourceClaim): readonly DeviceRequestAllocationResult[] =>
  status?.allocation?.devices.results ?? [];
