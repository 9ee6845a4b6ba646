// The kubelet's own configuration. Names follow KubeletConfiguration (kubelet.config.k8s.io/v1beta1).

import type { EvictionConfig } from './eviction/thresholds.ts';

export interface KubeletConfig {
  readonly nodeName: string;
  /** Directory for pods' volumes and the kubelet's own files. */
  readonly rootDirectory: string;
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
  readonly maxPods: number;
  /** When the node is short of memory, disk or processes, and what then; Kubernetes' defaults where nothing is said. */
  readonly eviction?: EvictionConfig;
  /** Processes and threads that one pod may have; no limit by default. */
  readonly podPidsLimit?: number;
  /** What the machine has; `allocatable` is this less what is reserved. */
  readonly capacity: {
    readonly cpuMillis: number;
    readonly memoryBytes: number;
    readonly ephemeralStorageBytes: number;
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
  /** Bytes at which a container's log is rotated, and how many files are kept. */
  readonly containerLogMaxSize: number;
  readonly containerLogMaxFiles: number;
  /** False for simulated nodes: nothing is written to disk, so volumes need no directories. */
  readonly usesFilesystem: boolean;
}

// The kubelet's defaults: https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/
export const nodeLeaseDurationSeconds = 40;
export const nodeLeaseRenewIntervalMs = 10_000;
export const nodeStatusUpdateFrequencyMs = 10_000;
/** Node status without any change is reported this often. */
export const nodeStatusReportFrequencyMs = 5 * 60_000;
/** A pod is looked at again this often though nothing happened (and its ConfigMaps and Secrets are read again). */
export const syncFrequencyMs = 60_000;
/** The pod lifecycle event generator asks the runtime this often. */
export const relistPeriodMs = 1_000;
export const relistPeriodWithEventsMs = 60_000;
