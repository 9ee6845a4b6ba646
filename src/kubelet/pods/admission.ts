// The node's last word on a pod that was bound to it.
// https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/

import { hostPortsOf, matchesNode, type Node, type Pod, podRequests, portsConflict, tolerates } from '../../api/api.ts';
import type { KubeletConfig } from '../config.ts';
import { needsAppArmor } from '../containers/security.ts';
import { isCritical } from '../eviction/critical.ts';
import { bytes } from '../resources/resources.ts';
import { amountOf } from './amounts.ts';
import type { Refusal, Shortage } from './refusal.ts';
import { allocatableOf } from './start-container.ts';
import { refuseSysctl } from './sysctls.ts';

const isActive = (pod: Pod) => pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed';

/** Why the node cannot take the pod, in Kubernetes' words; undefined when it can. */
export function refuse(
  pod: Pod,
  others: readonly Pod[],
  config: KubeletConfig,
  node: NodeAbilities,
): Refusal | undefined {
  const unsupported = refuseUnsupported(pod, config, node);
  if (unsupported) return unsupported;
  const active = others.filter((other) => other.metadata.uid !== pod.metadata.uid && isActive(other));
  const short = shortagesOf(pod, active, config, node.object);
  const [first] = short;
  if (first && !isCritical(pod)) return first.refusal;
  const misplaced = refusePlacement(pod, active, config, node.object);
  return misplaced || !first ? misplaced : { ...first.refusal, shortages: short };
}

interface RefusedShortage extends Shortage {
  readonly refusal: Refusal;
}

function shortagesOf(
  pod: Pod,
  active: readonly Pod[],
  config: KubeletConfig,
  node: Node | undefined,
): readonly RefusedShortage[] {
  const capacity = allocatableOf({ config });
  const checks = [
    { resource: 'pods', capacity: config.maxPods },
    { resource: 'cpu', capacity: capacity.cpuMillis },
    { resource: 'memory', capacity: capacity.memoryBytes },
    { resource: 'ephemeral-storage', capacity: capacity.ephemeralStorageBytes },
    ...otherResources(pod, node).map((resource) => ({
      resource,
      capacity: bytes(node?.status?.allocatable?.[resource]),
    })),
  ];
  return checks.flatMap(({ resource, capacity }) => {
    const wanted = amountOf(pod, resource);
    const used = active.reduce((sum, other) => sum + amountOf(other, resource), 0);
    if (wanted === 0 || used + wanted <= capacity) return [];
    const refusal = { reason: `OutOf${resource}`, message: insufficient(resource, wanted, used, capacity) };
    return [{ resource, amount: used + wanted - capacity, refusal }];
  });
}

const measured = new Set(['cpu', 'memory', 'ephemeral-storage']);

/** Huge pages, and those extended resources that the node has: others are the cluster's, not a node's. */
const otherResources = (pod: Pod, node: Node | undefined): string[] =>
  Object.keys(podRequests(pod)).filter(
    (name) => !measured.has(name) && (name.startsWith('hugepages-') || node?.status?.allocatable?.[name] !== undefined),
  );

/** The scheduler's checks, for pods that it did not schedule. */
function refusePlacement(
  pod: Pod,
  active: readonly Pod[],
  { nodeName }: KubeletConfig,
  node: Node | undefined,
): Refusal | undefined {
  if (node && !matchesNode(pod.spec, node))
    return predicate(nodeAffinity, "node(s) didn't match Pod's node affinity/selector");
  if (pod.spec.nodeName && pod.spec.nodeName !== nodeName)
    return predicate('NodeName', "node(s) didn't match the requested node name");
  const ports = hostPortsOf(pod);
  if (ports.length && active.flatMap(hostPortsOf).some((taken) => ports.some((port) => portsConflict(port, taken))))
    return predicate('NodePorts', "node(s) didn't have free ports for the requested pod ports");
  const evicting = (node?.spec?.taints ?? []).filter(({ effect }) => effect === 'NoExecute');
  if (evicting.some((taint) => !tolerates(pod.spec.tolerations, taint)))
    return predicate('TaintToleration', "node(s) had taints that the pod didn't tolerate");
  return undefined;
}

/** The reason of a refusal that newer labels of the node may lift. */
export const nodeAffinity = 'NodeAffinity';

const predicate = (name: string, why: string): Refusal => ({
  reason: name,
  message: `Predicate ${name} failed: ${why}`,
});

interface NodeAbilities {
  readonly supplementalGroupsPolicy: boolean;
  readonly appArmor: boolean;
  /** As the API has it. */
  readonly object: Node | undefined;
}

/** Refusals that no free resource would change. */
function refuseUnsupported(pod: Pod, config: KubeletConfig, node: NodeAbilities): Refusal | undefined {
  const { os, securityContext = {} } = pod.spec;
  const sysctl = refuseSysctl(pod, config.allowedUnsafeSysctls ?? []);
  if (sysctl) return sysctl;
  const osLabel = 'kubernetes.io/os';
  if ((pod.metadata.labels?.[osLabel] ?? 'linux') !== 'linux')
    return {
      reason: 'PodOSSelectorNodeLabelDoesNotMatch',
      message: `Failed to admit pod as the \`${osLabel}\` label doesn't match node label`,
    };
  if (os && os.name !== 'linux')
    return { reason: 'PodOSNotSupported', message: "Failed to admit pod as the OS field doesn't match node OS" };
  if (securityContext.supplementalGroupsPolicy === 'Strict' && !node.supplementalGroupsPolicy)
    return {
      reason: 'SupplementalGroupsPolicyNotSupported',
      message: 'SupplementalGroupsPolicy=Strict is not supported in this node',
    };
  if (needsAppArmor(pod) && !node.appArmor)
    return { reason: 'AppArmor', message: 'Cannot enforce AppArmor: AppArmor is not enabled on the host' };
  return undefined;
}

const insufficient = (resource: string, requested: number, used: number, capacity: number) =>
  `Node didn't have enough resource: ${resource}, requested: ${requested}, used: ${used}, capacity: ${capacity}`;
