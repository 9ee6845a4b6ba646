// The health of the devices that containers have by their claims, for pod.status. Pure.

import type { ContainerStatus, Pod } from '../../api/api.ts';
import type { ClaimState } from './claim-state.ts';
import type { DeviceHealth } from './device-health.ts';
import { podClaims } from './pod-claims.ts';

export type AllocatedResourcesStatus = NonNullable<ContainerStatus['allocatedResourcesStatus']>;
type ResourceHealth = NonNullable<AllocatedResourcesStatus[number]['resources']>[number];

/** By container name; only containers whose claims are prepared. `device` is pool/device. */
export function claimStatuses(
  pod: Pod,
  claims: ClaimState,
  healthOf: (driver: string, device: string) => DeviceHealth,
): ReadonlyMap<string, AllocatedResourcesStatus> {
  const statuses = new Map<string, AllocatedResourcesStatus>();
  if (!pod.spec.resourceClaims?.length) return statuses;
  const names = claimNames(pod);
  for (const { name: container, resources } of pod.spec.containers) {
    const own = (resources?.claims ?? []).flatMap(({ name, request = '' }) => {
      const info = claims.get(pod.metadata.namespace ?? '', names.get(name) ?? '');
      // Devices have the names of requests without those of their alternatives.
      const [base] = request.split('/');
      const health = new Map<string, ResourceHealth>();
      for (const [driver, devices] of info?.drivers ?? [])
        for (const { PoolName, DeviceName, RequestNames, CDIDeviceIDs } of devices) {
          if (base && RequestNames.length > 0 && !RequestNames.includes(base)) continue;
          const resourceID = CDIDeviceIDs[0] ?? `${driver}/${PoolName}/${DeviceName}`;
          const { health: state, message } = healthOf(driver, `${PoolName}/${DeviceName}`);
          if (!health.has(resourceID))
            health.set(resourceID, { resourceID, health: state, ...(message && { message }) });
        }
      if (health.size === 0) return [];
      return [{ name: `claim:${name}${request && `/${request}`}`, resources: [...health.values()] }];
    });
    if (own.length > 0) statuses.set(container, own);
  }
  return statuses;
}

/** The ResourceClaims by the entries of the pod's spec; none while one is still to be made. */
function claimNames(pod: Pod): ReadonlyMap<string, string> {
  try {
    return new Map(podClaims(pod).flatMap(({ entry, name }) => (entry === undefined ? [] : [[entry, name]])));
  } catch {
    return new Map();
  }
}
