// Every part of a cluster, in the order in which they start: started from the top, stopped from the bottom.

import type { RunningComponent } from '../client/client.ts';
import { startClusterDns } from '../cluster-dns/cluster-dns.ts';
import { startKubeControllerManager } from '../kube-controller-manager/kube-controller-manager.ts';
import { startKubeProxy } from '../kube-proxy/kube-proxy.ts';
import { startKubeScheduler } from '../kube-scheduler/kube-scheduler.ts';
import { type Assembly, contextFor, identities } from './assembly.ts';
import { certificateSigner } from './certificate-signer.ts';
import { makeAuthority } from './certificates.ts';
import { type ComponentName, machineName } from './config.ts';
import { startApiServerPart } from './parts/api-server.ts';
import { startNodes } from './parts/nodes.ts';
import { startStorePart } from './parts/store.ts';

export interface Part {
  readonly name: 'store' | ComponentName;
  /** Parts that must run before; all of them stand above in the list. */
  readonly after: readonly Part['name'][];
  start(assembly: Assembly): Promise<RunningComponent>;
}

export const parts: readonly Part[] = [
  { name: 'store', after: [], start: startStorePart },
  { name: 'kube-apiserver', after: ['store'], start: startApiServerPart },
  {
    name: 'kube-controller-manager',
    after: ['kube-apiserver'],
    start: (assembly) =>
      startKubeControllerManager(contextFor(assembly, 'kube-controller-manager', identities.controllerManager), {
        ...(assembly.ca && { rootCa: assembly.ca.cert }),
        certificateSigner: certificateSigner(() => assembly.ca ?? makeAuthority(assembly.clock.now())),
        clusterCidrs: [assembly.config.clusterCidr],
        clientFor: (account) => assembly.clientFor!(identities.serviceAccount('kube-system', account)),
      }),
  },
  {
    name: 'kube-scheduler',
    after: ['kube-apiserver'],
    async start(assembly) {
      const scheduler = await startKubeScheduler(contextFor(assembly, 'kube-scheduler', identities.scheduler), {});
      assembly.explainPod = (pod) => scheduler.explain(pod);
      return scheduler;
    },
  },
  { name: 'kubelet', after: ['kube-apiserver'], start: startNodes },
  {
    name: 'cluster-dns',
    after: ['kube-apiserver'],
    start: (assembly) =>
      startClusterDns(contextFor(assembly, 'cluster-dns', identities.serviceAccount('kube-system', 'coredns')), {
        address: assembly.config.nodeIP,
        port: 0,
        clusterDomain: assembly.config.clusterDomain,
        resolvConf: '/etc/resolv.conf',
      }),
  },
  {
    name: 'kube-proxy',
    after: ['kube-apiserver'],
    async start(assembly) {
      const { config } = assembly;
      // Simulated pods have no network that traffic could be brought to.
      if (config.runtime === 'simulated') return { stop: async () => {} };
      return startKubeProxy(contextFor(assembly, 'kube-proxy', identities.proxy), {
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
