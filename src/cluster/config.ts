// The configuration of a whole cluster: what `coracle up` was asked for, completed with defaults in one place.

import { createHash } from 'node:crypto';
import os from 'node:os';

export const componentNames = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kube-proxy',
  'cluster-dns',
] as const;
export type ComponentName = (typeof componentNames)[number];

export type RuntimeKind = 'native' | 'cri' | 'simulated';
export type ProxyMode = 'auto' | 'nftables' | 'userspace';
export type StoreKind = 'embedded' | 'etcd' | 'memory';

export interface ClusterConfig {
  readonly name: string;
  /** Absolute. */
  readonly dataDirectory: string;
  /** Port of the API server; 0 takes a free one. Undefined: it is reached in this process alone. */
  readonly port: number | undefined;
  readonly runtime: RuntimeKind;
  /** Socket of the container runtime, for `cri`. */
  readonly criEndpoint: string;
  /** Path of crun or runc, for `native`; by default the one on PATH that this machine can use. */
  readonly ociRuntime?: string;
  readonly nodeNames: readonly string[];
  readonly components: readonly ComponentName[];
  readonly store: StoreKind;
  readonly etcdEndpoints: readonly string[];
  /** Address under which this machine is known to its pods and to clients. */
  readonly nodeIP: string;
  readonly serviceCidr: string;
  readonly clusterCidr: string;
  readonly clusterDomain: string;
  /** auto: nftables where it works, user space elsewhere. */
  readonly proxyMode: ProxyMode;
  readonly audit?: AuditRequest;
  /** Path of an EncryptionConfiguration, or `auto`: secrets are encrypted with a key that is made. */
  readonly encryptionConfig?: string;
}

/** Which requests the API server records, and where. */
export interface AuditRequest {
  /** Path of a policy of audit.k8s.io/v1. */
  readonly policy: string;
  /** Path of the log; "-" for standard output. */
  readonly log?: string;
  /** Path of a kubeconfig that names a server for the events. */
  readonly webhookConfig?: string;
}

export const defaultPort = 6443;
export const defaultServiceCidr = '10.96.0.0/12';
export const defaultClusterCidr = '10.244.0.0/16';
/** A crowd of simulated nodes needs more than the 256 ranges of the default one. */
const crowdClusterCidr = '10.128.0.0/9';
export const defaultCriEndpoint = '/run/containerd/containerd.sock';

/** What a cluster is asked for; everything else has a default. */
export type ClusterRequest = Pick<ClusterConfig, 'name' | 'dataDirectory'> &
  Partial<ClusterConfig> & { readonly nodes?: number };

export function completeConfig({ nodes = 1, ...given }: ClusterRequest): ClusterConfig {
  return {
    port: defaultPort,
    runtime: 'native',
    criEndpoint: defaultCriEndpoint,
    nodeNames: nodeNames(given.name, nodes),
    components: componentNames,
    store: 'embedded',
    etcdEndpoints: [],
    nodeIP: primaryAddress(),
    serviceCidr: defaultServiceCidr,
    clusterCidr: given.runtime === 'simulated' && nodes > 256 ? crowdClusterCidr : defaultClusterCidr,
    clusterDomain: 'cluster.local',
    proxyMode: 'auto',
    ...given,
  };
}

/** The machine's first IPv4 address that others can reach; the loopback address where there is none. */
export function primaryAddress(): string {
  const all = Object.entries(os.networkInterfaces())
    // Bridges and pod ends of our own and of other container tools are no address of the machine.
    .filter(([name]) => !/^(lo|docker|br-|veth|cni|cor-|virbr)/.test(name))
    .flatMap(([, addresses]) => addresses ?? []);
  return all.find((a) => a.family === 'IPv4' && !a.internal)?.address ?? '127.0.0.1';
}

/** Tells the rules of clusters on one machine apart, also of those that have the same name. */
export const machineName = ({ name, dataDirectory }: Pick<ClusterConfig, 'name' | 'dataDirectory'>): string =>
  `${name}-${createHash('sha256').update(dataDirectory).digest('hex').slice(0, 8)}`;

/** One node has the machine's own name, more are numbered; those of a named cluster carry its name too. */
function nodeNames(cluster: string, nodes: number): readonly string[] {
  const hostname =
    os
      .hostname()
      .toLowerCase()
      .replace(/[^a-z0-9.-]/g, '-')
      .replace(/^[.-]+|[.-]+$/g, '') || 'node';
  const base = cluster === 'coracle' ? hostname : `${hostname}-${cluster}`;
  return nodes === 1 ? [base] : Array.from({ length: nodes }, (_, i) => `${base}-${i + 1}`);
}
