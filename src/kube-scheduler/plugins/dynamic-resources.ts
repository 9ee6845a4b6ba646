// Resource claims: devices that drivers offer in ResourceSlices, chosen by classes, selectors and constraints.
// https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/

import { deepEqual } from '../../machinery/collections/equal.ts';
import type { ClusterEvent } from '../cluster-events.ts';
import { defaultArguments, type PluginArguments } from '../configuration/arguments.ts';
import { ClaimCycle } from '../devices/claim-cycle.ts';
import type { ResourceClaim } from '../devices/claim-types.ts';
import type { Devices } from '../devices/devices.ts';
import { extendedClaim, mayUseDevices } from '../devices/extended-resources.ts';
import { podClaims } from '../devices/pod-claims.ts';
import { CycleError, type Plugin, unresolvable } from '../framework.ts';
import type { PodInfo } from '../pod-info.ts';

const name = 'DynamicResources';

/** The reason why the claim cannot be allocated now. */
function faultOf(claim: ResourceClaim, devices: Devices): string | undefined {
  if (claim.status?.allocation) return undefined;
  const key = `${claim.metadata.namespace}/${claim.metadata.name}`;
  if (devices.isPending(claim.metadata.uid)) return `resource claim ${key} is in the process of being allocated`;
  for (const { name: request, exactly, firstAvailable } of claim.spec.devices.requests ?? []) {
    const parts = exactly
      ? [{ part: exactly, shown: request }]
      : (firstAvailable ?? []).map((part) => ({ part, shown: `${request}/${part.name}` }));
    if (parts.length === 0) return `resource claim ${key}, request ${request}: unknown request type`;
    for (const { part, shown } of parts) {
      if (!part.deviceClassName)
        throw new CycleError(`running PreFilter plugin "${name}": request ${shown}: unsupported request type`);
      if (!devices.class(part.deviceClassName))
        return `request ${shown}: device class ${part.deviceClassName} does not exist`;
    }
  }
  return undefined;
}

export const dynamicResourcesWith = ({ bindingTimeoutMs }: PluginArguments['DynamicResources']): Plugin => ({
  name,
  weight: 2,
  preEnqueue(pod, { devices }) {
    if (!pod.spec.resourceClaims?.length) return undefined;
    const found = podClaims(pod, devices);
    return 'fault' in found ? found.fault : undefined;
  },
  prepareFilter(info, { devices }) {
    const hasClaims = (info.pod.spec.resourceClaims?.length ?? 0) > 0;
    const isExtended = mayUseDevices(info, devices);
    if (!hasClaims && !isExtended) return 'skip';
    const found = podClaims(info.pod, devices);
    if ('fault' in found) return unresolvable(found.fault);
    const { claims } = found;
    const extended = isExtended
      ? (devices.extendedClaimOf(info.pod) ?? extendedClaim(info.pod, devices.newId()))
      : undefined;
    if (claims.length === 0 && !extended) return 'skip';
    for (const claim of claims) {
      const fault = faultOf(claim, devices);
      if (fault !== undefined) return unresolvable(fault);
    }
    const profile = info.pod.spec.schedulerName ?? 'default-scheduler';
    return new ClaimCycle({ info, claims, extended, devices, bindingTimeoutMs, profile });
  },
  // Scores come from the search for devices.
  prepareScore: () => 'skip',
  postFilter({ failure, plugins }) {
    const cycle = failure.filters.find(({ plugin }) => plugin.name === name)?.cycle;
    if (cycle?.postFilter) return cycle.postFilter();
    const indexOf = (wanted: string) => plugins.findIndex((plugin) => plugin.prepareFilter && plugin.name === wanted);
    // Another plugin refused the pod before this one looked at it: Kubernetes' state of this plugin is missing then.
    if (failure.stoppedAt !== undefined && indexOf(failure.stoppedAt) < indexOf(name)) return { error: 'not found' };
    return { reason: 'no new claims to deallocate' };
  },
  wakes: (event, info, { devices }) => wakes(event, info, devices),
});

export const dynamicResources = dynamicResourcesWith(defaultArguments.DynamicResources);

function wakes(event: ClusterEvent, { pod }: PodInfo, devices: Devices): boolean {
  switch (event.type) {
    case 'node-added':
    case 'device-class-changed':
    case 'resource-slice-changed':
      return true;
    case 'node-changed':
      return event.aspects.includes('labels') || event.aspects.includes('allocatable');
    case 'pod-updated':
      return event.pod.metadata.uid === pod.metadata.uid && !('fault' in podClaims(event.pod, devices));
    case 'resource-claim-changed':
      return couldHelp(event, podClaims(pod, devices));
    default:
      return false;
  }
}

function couldHelp(
  { claim, old }: Extract<ClusterEvent, { type: 'resource-claim-changed' }>,
  found: ReturnType<typeof podClaims>,
): boolean {
  if ('fault' in found) return false;
  // The devices of a deleted claim are free too.
  if (old?.status?.allocation && !claim?.status?.allocation) return true;
  if (!claim || !found.claims.some(({ metadata }) => metadata.uid === claim.metadata.uid)) return false;
  return !old || !deepEqual(claim.status, old.status);
}
