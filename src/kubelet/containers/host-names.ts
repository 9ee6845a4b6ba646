// The names of a pod's host.

import type { Pod } from '../../api/api.ts';

/** A name that Linux takes as a hostname: 63 characters at most. */
export function hostnameOf(pod: Pod): string {
  const name = pod.spec.hostnameOverride ?? (pod.spec.hostname || pod.metadata.name);
  return name.slice(0, 63).replace(/[-.]+$/, '');
}

/** The fully qualified name that a pod with hostname and subdomain has; hostnameOverride stands alone. */
export const domainOf = (pod: Pod, clusterDomain: string): string | undefined =>
  pod.spec.subdomain && pod.spec.hostnameOverride === undefined
    ? `${hostnameOf(pod)}.${pod.spec.subdomain}.${pod.metadata.namespace}.svc.${clusterDomain}`
    : undefined;
