// The parts of this machine's nodes, in the order in which they start. They use the API like nodes on any other
// machine, and share no state with the API server.

import type { Client, RunningComponent } from '../client/client.ts';
import { startClusterDns } from '../cluster-dns/cluster-dns.ts';
import { startKubeProxy } from '../kube-proxy/kube-proxy.ts';
import { machineName } from './config.ts';
import { componentContext, type PartContext } from './context.ts';
import { type Identity, identities } from './identities.ts';
import { type NodeHandle, startNodes } from './parts/nodes.ts';

export type NodePartName = 'kubelet' | 'cluster-dns' | 'kube-proxy';

export interface NodePartContext extends PartContext {
  clientFor(identity: Identity): Client;
  /** Certificates of a kubelet's HTTPS server; undefined: it has none. */
  kubeletTls(node: string): { readonly cert: string; readonly key: string; readonly clientCA: string } | undefined;
}

export interface RunningNodePart extends RunningComponent {
  /** Of the kubelets: each node by its name. */
  readonly nodes?: ReadonlyMap<string, NodeHandle>;
}

export interface NodePart {
  readonly name: NodePartName;
  start(context: NodePartContext): Promise<RunningNodePart>;
}

export const nodeParts: readonly NodePart[] = [
  { name: 'kubelet', start: startNodes },
  {
    name: 'cluster-dns',
    start: (context) =>
      startClusterDns(componentContext(context, 'cluster-dns', context.clientFor(identities.dns)), {
        address: context.config.nodeIP,
        port: 0,
        clusterDomain: context.config.clusterDomain,
        resolvConf: '/etc/resolv.conf',
      }),
  },
  {
    name: 'kube-proxy',
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
