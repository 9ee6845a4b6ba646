// The parts of this machine's nodes, in the order in which they start. They use the API like nodes on any other
// machine, and share no state with the API server.

import { startProxy } from './add-ons/kube-proxy.ts';
import type { ComponentName, RunConfig } from './config.ts';
import { componentContext } from './context.ts';
import { identities } from './identities.ts';
import type { NodePart } from './node-part.ts';
import { startNetworkPolicyPart } from './parts/network-policy.ts';
import { startNodes } from './parts/nodes.ts';
import { needsPodRoutes, startPodRoutes } from './parts/pod-routes.ts';

const among =
  (component: ComponentName) =>
  ({ components }: RunConfig): boolean =>
    components.includes(component);

export const nodeParts: readonly NodePart[] = [
  { name: 'kubelet', isWanted: among('kubelet'), start: startNodes },
  { name: 'pod-routes', isWanted: needsPodRoutes, start: startPodRoutes },
  { name: 'network-policy', isWanted: needsPodRoutes, start: startNetworkPolicyPart },
  // On a machine without a kubelet; elsewhere it is a pod.
  {
    name: 'kube-proxy',
    isWanted: (config) => among('kube-proxy')(config) && !among('kubelet')(config) && config.runtime !== 'simulated',
    start: (context) =>
      startProxy(componentContext(context, 'kube-proxy', context.clientFor(identities.proxy)), context.config),
  },
];
