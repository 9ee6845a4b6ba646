// The content of a node that its kubelet decides: labels, annotations, taints and addresses.

import { type Draft, type Node, type NodeAddress, type NodeStatus, volumeDirectoryAnnotation } from '../../api/api.ts';
import type { KubeletConfig } from '../config.ts';

/** The node's address, for the cloud-controller-manager. */
const providedNodeIP = 'alpha.kubernetes.io/provided-node-ip';

/** Keeps pods away until the cloud-controller-manager has described the node. */
const uninitializedTaint = {
  key: 'node.cloudprovider.kubernetes.io/uninitialized',
  value: 'true',
  effect: 'NoSchedule',
} as const;

/** Those that a kubelet corrects on a node that exists. */
export const registrationAnnotations = [volumeDirectoryAnnotation, providedNodeIP] as const;

export function newNode(config: KubeletConfig, status: NodeStatus): Draft<Node> {
  const { cloud, nodeName } = config;
  const taints = [...config.taints, ...(cloud ? [uninitializedTaint] : [])];
  const annotations = Object.fromEntries(Object.entries(nodeAnnotations(config)).filter(([, value]) => value !== null));
  return {
    metadata: { name: nodeName, labels: nodeLabels(config), annotations: annotations as Record<string, string> },
    spec: {
      ...(taints.length > 0 && { taints }),
      ...(cloud?.providerID !== undefined && { providerID: cloud.providerID }),
    } as Node['spec'],
    status,
  };
}

export function nodeLabels({ nodeInfo, hostname, labels }: KubeletConfig): Record<string, string> {
  return {
    'beta.kubernetes.io/arch': nodeInfo.architecture,
    'beta.kubernetes.io/os': nodeInfo.operatingSystem,
    'kubernetes.io/arch': nodeInfo.architecture,
    'kubernetes.io/hostname': hostname,
    'kubernetes.io/os': nodeInfo.operatingSystem,
    ...labels,
  };
}

/** With null for one that the node must not have. */
export function nodeAnnotations({ volumeDirectory, cloud, nodeIPs }: KubeletConfig): Record<string, string | null> {
  return {
    'volumes.kubernetes.io/controller-managed-attach-detach': 'true',
    [volumeDirectoryAnnotation]: volumeDirectory,
    [providedNodeIP]: cloud?.isNodeIPGiven ? nodeIPs.join(',') : null,
  };
}

/** Whether the cloud, and not the kubelet, decides about the addresses. */
export const hasCloudAddresses = ({ cloud }: KubeletConfig, node: Node | undefined): boolean =>
  cloud !== undefined && (node?.status?.addresses?.length ?? 0) > 0;

export function addressesOf(config: KubeletConfig, node: Node | undefined): NodeAddress[] {
  if (hasCloudAddresses(config, node)) return node?.status?.addresses ?? [];
  const { cloud, nodeIPs, hostname } = config;
  // Other machines may not reach the first address: the cloud gives the right ones.
  const own = cloud && !cloud.isNodeIPGiven ? [] : nodeIPs;
  return [...own.map((address) => ({ type: 'InternalIP', address })), { type: 'Hostname', address: hostname }];
}
