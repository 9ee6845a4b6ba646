// Pods that need a newer feature of the kubelet go to nodes that declare it: https://kep.k8s.io/5328

import type { Node, Pod } from '../../api/api.ts';
import type { Plugin, Rejection } from '../framework.ts';

const unmet: Rejection = { reason: "node(s) didn't match Pod's required features", resolvable: false };

/** The features that the pod needs from its node; empty for most. */
function featuresFor({ spec }: Pick<Pod, 'spec'>): readonly string[] {
  const features: string[] = [];
  const restartsAll = [...spec.containers, ...(spec.initContainers ?? [])].some(({ restartPolicyRules }) =>
    restartPolicyRules?.some(({ action }) => action === 'RestartAllContainers'),
  );
  if (restartsAll) features.push('RestartAllContainersOnContainerExits');
  if (spec.hostNetwork && spec.hostUsers === false) features.push('UserNamespacesHostNetworkSupport');
  return features;
}

const hasAll = ({ status }: Node, features: readonly string[]): boolean =>
  features.every((feature) => status?.declaredFeatures?.includes(feature));

export const nodeDeclaredFeatures: Plugin = {
  name: 'NodeDeclaredFeatures',
  prepareFilter({ pod }) {
    const features = featuresFor(pod);
    if (features.length === 0) return 'skip';
    return { filter: ({ node }) => (hasAll(node, features) ? undefined : unmet) };
  },
  wakes(event, { pod }) {
    if (event.type === 'node-added') return hasAll(event.node, featuresFor(pod));
    if (event.type === 'node-changed')
      return event.aspects.includes('features') && hasAll(event.node, featuresFor(pod));
    return (
      event.type === 'pod-updated' &&
      event.pod.metadata.uid === pod.metadata.uid &&
      featuresFor(event.pod).join() !== featuresFor(event.old).join()
    );
  },
};
