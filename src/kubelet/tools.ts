// Dependencies shared by the parts of one kubelet.

import type { ConfigMap, Node, Pod, Secret, Service } from '../api/api.ts';
import type { Client, EventRecorder, Lister } from '../client/client.ts';
import type { ContainerRuntime } from '../container-runtime/container-runtime.ts';
import type { Logger } from '../machinery/logger.ts';
import type { Clock } from '../machinery/time/clock.ts';
import type { KubeletConfig } from './config.ts';
import type { CsiVolumes } from './csi/csi-volumes.ts';
import type { DevicePlugins } from './device-plugins/device-plugins.ts';
import type { DynamicResources } from './dynamic-resources/dynamic-resources.ts';
import type { ImageManager } from './images/images.ts';
import type { Machine } from './machine/machine.ts';
import type { PodCache } from './pods/pod-cache.ts';
import type { Refusal } from './pods/refusal.ts';
import type { ProbeManager } from './probes/probes.ts';
import type { ResourceManagers } from './resource-managers/resource-managers.ts';
import type { PodCgroups } from './resources/pod-cgroups.ts';
import type { StatusManager } from './status/status-manager.ts';
import type { PodToken } from './volumes/tokens.ts';

export interface KubeletTools {
  readonly config: KubeletConfig;
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly runtime: ContainerRuntime;
  readonly machine: Machine;
  /** Absent on simulated nodes. */
  readonly cgroups?: PodCgroups;
  /** Absent on simulated nodes. */
  readonly devices?: DevicePlugins;
  /** CPUs, memory and devices by NUMA node; absent on simulated nodes. */
  readonly resources?: ResourceManagers;
  /** Claims of pods; absent on simulated nodes. */
  readonly dynamicResources?: DynamicResources;
  /** Volumes of CSI drivers; absent on simulated nodes. */
  readonly csi?: CsiVolumes;
  readonly events: EventRecorder;
  readonly images: ImageManager;
  readonly cache: PodCache;
  readonly probes: ProbeManager;
  readonly statuses: StatusManager;
  readonly services: Pick<Lister<Service>, 'list'>;
  /** Objects that a pod refers to; undefined when there is none. */
  configMap(namespace: string, name: string): Promise<ConfigMap | undefined>;
  secret(namespace: string, name: string): Promise<Secret | undefined>;
  /** A token for the pod's service account, cached and renewed at 80 % of its life. */
  token(pod: Pod, audience: string | undefined, expirationSeconds: number | undefined): Promise<PodToken>;
  /** Counts the time from first hearing of a pod until its containers run. */
  podStarted(seconds: number): void;
  /** The reason for refusing the pod: undefined admits it. */
  refuse(pod: Pod): Refusal | undefined;
  /** Ends these pods, to make way for a critical one. */
  preempt(uids: readonly string[]): void;
  /** The node as the API had it last; undefined before its registration. */
  node(): Node | undefined;
  /** Reads the node again, for a refusal that its newer labels may lift. */
  readNode(): Promise<void>;
}
