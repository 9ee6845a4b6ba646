// The parts of this machine's nodes, in the order in which they start. They use the API like nodes on any other
// machine, and share no state with the API server.

import { startClusterDns } from '../cluster-dns/cluster-dns.ts';
import { startKubeProxy } from '../kube-proxy/kube-proxy.ts';
import { type ComponentName, machineName, type RunConfig } from './config.ts';
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
  {
    name: 'cluster-dns',
    isWanted: among('cluster-dns'),
    start: (context) =>
      startClusterDns(componentContext(context, 'cluster-dns', context.clientFor(identities.dns)), {
        instance: context.config.nodeNames[0],
        address: context.config.nodeIP,
        port: 0,
        clusterDomain: context.config.clusterDomain,
        resolvConf: '/etc/resolv.conf',
      }),
  },
  {
    name: 'kube-proxy',
    isWanted: among('kube-proxy'),
    async start(context) {
      const { config } = context;
      // Simulated pods have no network that traffic could be brought to.
      if (config.runtime === 'simulated') return { stop: async () => {} };
      return startKubeProxy(componentContext(context, 'kube-proxy', context.clientFor(identities.proxy)), {
        nodeName: config.nodeNames[0],
        nodeIPs: [config.nodeIP],
        mode: config.proxyMode,
        clusterCidr: config.clusterCidr,
        serviceCidr: config.serviceCidr,
        clusterName: machineName(config),
      });
    },
  },
];
