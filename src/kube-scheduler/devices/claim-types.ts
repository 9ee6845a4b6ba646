// Short names for the types of dynamic resource allocation, and the keys of devices and pools.

export type {
  AllocationResult,
  Device,
  DeviceRequestAllocationResult,
  DeviceToleration,
  ResourceSlice,
  ResourceV1ResourceClaim as ResourceClaim,
} from '../../api/api.ts';

/** Marks the claim that the scheduler makes for extended resources. */
export const extendedClaimAnnotation = 'resource.kubernetes.io/extended-resource-claim';
/** Keeps a claim until its devices are free. */
export const claimFinalizer = 'resource.kubernetes.io/delete-protection';

/** driver/pool/device: a pool's name may have slashes, the others have none. */
export const deviceId = (driver: string, pool: string, device: string): string => `${driver}/${pool}/${device}`;

/** Amounts in billionths, by the name of a capacity or a counter. */
export type Amounts = ReadonlyMap<string, bigint>;
