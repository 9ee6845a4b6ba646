// The claims that a pod names, and those of its containers. Pure.

import {
  type Container,
  controllerOf,
  isExtendedResource,
  type Pod,
  type ResourceV1ResourceClaim,
} from '../../api/api.ts';

interface PodClaim {
  /** The entry of the pod's spec; undefined for the claim of its extended resources. */
  readonly entry?: string;
  /** Of the ResourceClaim. */
  readonly name: string;
  /** It was made from a template for this pod. */
  readonly isGenerated: boolean;
}

/** Entries for which no claim is needed are left out. Throws an Error for one that has no claim yet. */
export function podClaims({ metadata, spec, status }: Pod): readonly PodClaim[] {
  const { namespace, name: podName } = metadata;
  const claims: PodClaim[] = [];
  for (const { name: entry, resourceClaimName, resourceClaimTemplateName } of spec.resourceClaims ?? []) {
    if (resourceClaimName !== undefined) {
      claims.push({ entry, name: resourceClaimName, isGenerated: false });
      continue;
    }
    if (resourceClaimTemplateName === undefined) {
      const where = `pod "${namespace}/${podName}", spec.resourceClaim ${JSON.stringify(entry)}`;
      throw new Error(`${where}: none of the supported fields are set`);
    }
    const made = status?.resourceClaimStatuses?.find((each) => each.name === entry);
    if (!made) throw new Error(`pod "${namespace}/${podName}": ResourceClaim not created yet`);
    if (made.resourceClaimName) claims.push({ entry, name: made.resourceClaimName, isGenerated: true });
  }
  const extended = status?.extendedResourceClaimStatus?.resourceClaimName;
  return extended ? [...claims, { name: extended, isGenerated: false }] : claims;
}

/** Throws an Error if the pod may not use the claim, or the claim has no devices yet. */
export function checkClaim(pod: Pod, claim: ResourceV1ResourceClaim, { isGenerated }: PodClaim): void {
  const { namespace, name, uid } = pod.metadata;
  const { metadata, status } = claim;
  const owner = controllerOf(claim);
  if (isGenerated && owner?.uid !== uid)
    throw new Error(
      `ResourceClaim ${namespace}/${metadata.name} was not created for Pod ${namespace}/${name} (Pod is not owner)`,
    );
  if (!status?.reservedFor?.some((user) => user.uid === uid))
    throw new Error(`pod ${name} (${uid}) is not allowed to use ResourceClaim ${metadata.name} (${metadata.uid})`);
  if (!status.allocation) throw new Error(`ResourceClaim ${metadata.name}: not allocated`);
}

export const driversOf = ({ status }: ResourceV1ResourceClaim): readonly string[] => [
  ...new Set((status?.allocation?.devices?.results ?? []).map(({ driver }) => driver)),
];

interface ContainerRequest {
  readonly claim: PodClaim;
  /** Empty: all requests of the claim. */
  readonly request: string;
}

/** The claims' requests that the container uses. */
export function containerRequests(pod: Pod, container: Container): readonly ContainerRequest[] {
  const own = container.resources?.claims ?? [];
  const { requestMappings = [] } = pod.status?.extendedResourceClaimStatus ?? {};
  if (own.length === 0 && requestMappings.length === 0) return [];
  return podClaims(pod).flatMap((claim) =>
    claim.entry === undefined
      ? requestMappings
          .filter(
            ({ containerName, resourceName }) => containerName === container.name && wants(container, resourceName),
          )
          .map(({ requestName }) => ({ claim, request: requestName }))
      : own.filter(({ name }) => name === claim.entry).map(({ request = '' }) => ({ claim, request })),
  );
}

/** deviceclass.resource.kubernetes.io/NAME stands for a class without a resource name. */
const classPrefix = 'deviceclass.resource.kubernetes.io/';

function wants({ resources }: Container, resource: string): boolean {
  const amount = resources?.requests?.[resource] ?? resources?.limits?.[resource] ?? '0';
  return (isExtendedResource(resource) || resource.startsWith(classPrefix)) && String(amount) !== '0';
}
