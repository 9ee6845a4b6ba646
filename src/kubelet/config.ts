// The kubelet's configuration. Names follow KubeletConfiguration (kubelet.config.k8s.io/v1beta1).

import type { EvictionConfig } from './eviction/thresholds.ts';
import type { CredentialProvider } from './images/credential-config.ts';
import type { ResourceManagersInput } from './resource-managers/settings.ts';

export interface ImageGarbageConfig {
  /** Use of the images' disk in percent above which unused images are removed, and the use down to which. */
  readonly highThresholdPercent: number;
  readonly lowThresholdPercent: number;
  /** A younger image is kept. */
  readonly minimumAgeMs: number;
  /** An image that was unused for so long is removed even without a shortage; 0: never for its age. */
  readonly maximumAgeMs: number;
}

export interface NodeStatusConfig {
  readonly updateMs: number;
  /** Node status without any change is reported this often. */
  readonly reportMs: number;
  readonly leaseSeconds: number;
  /** Images in the status; -1: all. */
  readonly maxImages: number;
}

export interface KubeletConfig {
  readonly nodeName: string;
  /** Directory for pods' volumes and the kubelet's files. */
  readonly rootDirectory: string;
  /** Directory of the volumes of the default StorageClass. */
  readonly volumeDirectory: string;
  /** Directory of container logs, one folder a pod. */
  readonly podLogsDirectory: string;
  /** Addresses that node.status reports, InternalIP first. */
  readonly nodeIPs: readonly string[];
  readonly hostname: string;
  /** Port of the kubelet's HTTPS server; 0 takes a free one. */
  readonly port: number;
  readonly clusterDNS: readonly string[];
  readonly clusterDomain: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly { key: string; value?: string; effect: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute' }[];
  /** With it, the node waits for its cloud-controller-manager: the kubelet's --cloud-provider=external. */
  readonly cloud?: {
    /** The cloud must know the first of `nodeIPs`: the kubelet's --node-ip. */
    readonly isNodeIPGiven: boolean;
    readonly providerID?: string;
  };
  readonly maxPods: number;
  /** Eviction thresholds for memory, disk and processes; Kubernetes' defaults if omitted. */
  readonly eviction?: EvictionConfig;
  /** Policies of the CPU, memory and topology managers; Kubernetes' defaults if omitted. */
  readonly resourceManagers?: ResourceManagersInput;
  /** Programs that give the credentials of registries, and their directory. */
  readonly credentialProviders?: { readonly providers: readonly CredentialProvider[]; readonly directory: string };
  /** When unused images are removed; Kubernetes' defaults if omitted. */
  readonly imageGarbage?: Partial<ImageGarbageConfig>;
  /** How the node reports itself; Kubernetes' defaults if omitted. */
  readonly nodeStatus?: Partial<NodeStatusConfig>;
  /** Kernel parameters that pods may set beside the safe ones: names, and patterns that end with `*`. */
  readonly allowedUnsafeSysctls?: readonly string[];
  /** Whether containers without a seccomp profile have the runtime's default one. */
  readonly seccompDefault?: boolean;
  /** Interval of looking at the size of containers' logs. */
  readonly containerLogMonitorIntervalMs?: number;
  /** Processes and threads that one pod may have; no limit by default. */
  readonly podPidsLimit?: number;
  /** The machine's resources; `allocatable` is this minus the reserved amounts. */
  readonly capacity: {
    readonly cpuMillis: number;
    readonly memoryBytes: number;
    readonly ephemeralStorageBytes: number;
    /** Huge pages, as a part of the memory: bytes by resource, such as hugepages-2Mi. */
    readonly hugePages?: Readonly<Record<string, number>>;
  };
  readonly reserved: { readonly cpuMillis: number; readonly memoryBytes: number };
  readonly nodeInfo: {
    readonly machineID: string;
    readonly systemUUID: string;
    readonly bootID: string;
    readonly kernelVersion: string;
    readonly osImage: string;
    readonly architecture: string;
    readonly operatingSystem: string;
    readonly kubeletVersion: string;
  };
  /** Maximum size of a container's log file before rotation, and the number of files. */
  readonly containerLogMaxSize: number;
  readonly containerLogMaxFiles: number;
  /** Of a simulated node: bytes of its disk that are in use; without it, its disk is not watched. */
  readonly usedStorageBytes?: () => number;
  /** Static pods: a manifest, or a directory of manifests. */
  readonly staticPodPath?: string;
  /** Manifests are read again after this long even without a change; Kubernetes' default if omitted. */
  readonly fileCheckFrequencyMs?: number;
  /** Static pods of a web server, the headers of the requests, and their interval. */
  readonly staticPodURL?: string;
  readonly staticPodURLHeader?: Readonly<Record<string, readonly string[]>>;
  readonly httpCheckFrequencyMs?: number;
  /** False for simulated nodes: they have the machine of simulated-machine.ts, and none of the parts that need files. */
  readonly usesFilesystem: boolean;
}

// The kubelet's defaults: https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/
export const nodeStatusDefaults: NodeStatusConfig = {
  updateMs: 10_000,
  reportMs: 5 * 60_000,
  leaseSeconds: 40,
  maxImages: 50,
};
export const imageGarbageDefaults: ImageGarbageConfig = {
  highThresholdPercent: 85,
  lowThresholdPercent: 80,
  minimumAgeMs: 2 * 60_000,
  maximumAgeMs: 0,
};
export const containerLogMonitorIntervalMs = 10_000;
/** Interval of syncing a pod without an event (which also rereads its ConfigMaps and Secrets). */
export const syncFrequencyMs = 60_000;
/** Interval of reading the manifests of static pods without a change. */
export const fileCheckFrequencyMs = 20_000;
export const httpCheckFrequencyMs = 20_000;
/** Interval at which the pod lifecycle event generator lists the runtime's containers. */
export const relistPeriodMs = 1_000;
export const relistPeriodWithEventsMs = 60_000;
