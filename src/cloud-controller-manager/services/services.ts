// Which services and nodes a load balancer concerns, and which changes of them matter.

import { isExcludedFromBalancers, type Node, type Service } from '../../api/api.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';

export const cleanupFinalizer = 'service.kubernetes.io/load-balancer-cleanup';
/** The cluster autoscaler is about to remove the node. */
const toBeDeletedTaint = 'ToBeDeletedByClusterAutoscaler';

/** A service with a class belongs to another implementation. */
export const wantsLoadBalancer = ({ spec }: Service): boolean =>
  spec?.type === 'LoadBalancer' && spec.loadBalancerClass === undefined;

export const hasFinalizer = ({ metadata }: Service): boolean =>
  metadata.finalizers?.includes(cleanupFinalizer) ?? false;

export const needsCleanup = (service: Service): boolean =>
  hasFinalizer(service) && (service.metadata.deletionTimestamp !== undefined || service.spec?.type !== 'LoadBalancer');

/** Whether a change of a service is one of its load balancer. `ignored`: annotations of the provider itself. */
export function needsUpdate(next: Service, old: Service, ignored: readonly string[] = []): boolean {
  const wants = wantsLoadBalancer(next);
  if (wants !== wantsLoadBalancer(old)) return true;
  return wants && !deepEqual(aspects(next, ignored), aspects(old, ignored));
}

const aspects = ({ metadata, spec }: Service, ignored: readonly string[]) => ({
  uid: metadata.uid,
  annotations: Object.fromEntries(Object.entries(metadata.annotations ?? {}).filter(([key]) => !ignored.includes(key))),
  sourceRanges: spec?.loadBalancerSourceRanges ?? [],
  ports: (spec?.ports ?? []).map(({ name, protocol, port, nodePort, targetPort, appProtocol }) => ({
    ...{ name: name ?? '', protocol, port, nodePort: nodePort ?? 0 },
    ...{ targetPort: targetPort ?? port, appProtocol: appProtocol ?? null },
  })),
  affinity: [spec?.sessionAffinity ?? '', spec?.sessionAffinityConfig ?? null],
  address: spec?.loadBalancerIP ?? '',
  externalIPs: spec?.externalIPs ?? [],
  policy: spec?.externalTrafficPolicy ?? '',
  healthCheckNodePort: spec?.healthCheckNodePort ?? 0,
  families: spec?.ipFamilies?.length ?? 0,
});

/** Nodes that load balancers use; readiness is the concern of their health checks. */
export const usesNode = (node: Node): boolean =>
  node.metadata.deletionTimestamp === undefined &&
  !isExcludedFromBalancers(node) &&
  !node.spec?.taints?.some(({ key }) => key === toBeDeletedTaint);

/** Whether a change of a node may change the set of nodes. */
export const changesNodes = (next: Node, old: Node): boolean =>
  isExcludedFromBalancers(next) !== isExcludedFromBalancers(old) || next.spec?.providerID !== old.spec?.providerID;

/** Identifies a set of nodes. */
export const nodeSet = (nodes: readonly Node[]): string =>
  nodes
    .map(({ metadata, spec }) => `${metadata.name} ${spec?.providerID ?? ''}`)
    .sort()
    .join('\n');
