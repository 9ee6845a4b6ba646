// Agreed between the cloud-controller-manager and the nodes.

import type { Node } from '../generated/types.ts';

/** Annotation of a service: nodes announce the addresses of its load balancer on their network. */
export const announcedLoadBalancer = 'coracle.local/announce-load-balancer';

const excludedLabel = 'node.kubernetes.io/exclude-from-external-load-balancers';
const falseTexts = ['0', 'f', 'F', 'false', 'FALSE', 'False'];

/** By its label; a value that is no boolean excludes the node too. */
export function isExcludedFromBalancers({ metadata }: Node): boolean {
  const value = metadata.labels?.[excludedLabel];
  return value !== undefined && !falseTexts.includes(value);
}
