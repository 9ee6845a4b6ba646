// The claims of a pod, or the reason why it must wait for them.

import { controllerOf, type Pod } from '../../api/api.ts';
import type { ResourceClaim } from './claim-types.ts';
import type { Devices } from './devices.ts';

type PodClaims = { readonly claims: readonly ResourceClaim[] } | { readonly fault: string };

export function podClaims(pod: Pod, devices: Devices): PodClaims {
  const { namespace = '', name } = pod.metadata;
  const claims: ResourceClaim[] = [];
  for (const { name: entry, resourceClaimName, resourceClaimTemplateName } of pod.spec.resourceClaims ?? []) {
    const made = pod.status?.resourceClaimStatuses?.find((status) => status.name === entry);
    if (resourceClaimName === undefined && resourceClaimTemplateName === undefined)
      return {
        fault: `pod "${namespace}/${name}", spec.resourceClaim ${JSON.stringify(entry)}: none of the supported fields are set`,
      };
    if (resourceClaimName === undefined && !made)
      return { fault: `pod "${namespace}/${name}": ResourceClaim not created yet` };
    const claimName = resourceClaimName ?? made?.resourceClaimName;
    // The controller found that no claim is needed.
    if (claimName === undefined) continue;
    const claim = devices.claim(namespace, claimName);
    if (!claim) return { fault: `could not find ResourceClaim "${namespace}/${claimName}"` };
    if (claim.metadata.deletionTimestamp) return { fault: `resourceclaim "${claimName}" is being deleted` };
    if (resourceClaimName === undefined && !isOwner(pod, claim))
      return {
        fault: `ResourceClaim ${namespace}/${claimName} was not created for Pod ${namespace}/${name} (Pod is not owner)`,
      };
    claims.push(claim);
  }
  return { claims };
}

const isOwner = ({ metadata }: Pod, claim: ResourceClaim): boolean => controllerOf(claim)?.uid === metadata.uid;

export const isReservedFor = ({ metadata }: Pod, { status }: ResourceClaim): boolean =>
  status?.reservedFor?.some(({ uid }) => uid === metadata.uid) ?? false;
