import type { Container, Pod } from '../api/api.ts';

/** Only the fields that rules depend on: a node has all pods of the cluster in memory. */
export function policyPod({ metadata, spec, status = {} }: Pod): Pod {
  const { name, namespace, uid, resourceVersion, creationTimestamp, labels, deletionTimestamp } = metadata;
  const { nodeName, hostNetwork, containers, initContainers = [] } = spec;
  const { phase, podIP, podIPs, conditions = [] } = status;
  return {
    metadata: {
      ...{ name, uid, resourceVersion, creationTimestamp },
      ...(namespace !== undefined && { namespace }),
      ...(labels && { labels }),
      ...(deletionTimestamp !== undefined && { deletionTimestamp }),
    },
    spec: {
      ...(nodeName !== undefined && { nodeName }),
      ...(hostNetwork && { hostNetwork }),
      containers: withPorts(containers),
      initContainers: withPorts(initContainers),
    },
    status: {
      ...(phase && { phase }),
      ...(podIP && { podIP }),
      ...(podIPs && { podIPs }),
      conditions: conditions
        .filter(({ type }) => type === 'PodReadyToStartContainers')
        .map(({ type, status: value }) => ({ type, status: value })),
    },
  };
}

const withPorts = (containers: readonly Container[]): Container[] =>
  containers
    .filter(({ ports }) => ports?.length)
    .map(({ name, ports, restartPolicy }) => ({
      ...{ name, resources: {} },
      ...(ports && { ports }),
      ...(restartPolicy && { restartPolicy }),
    }));
