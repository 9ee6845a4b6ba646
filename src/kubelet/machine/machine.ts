// The machine of a node: files, cgroups, the kernel's figures. real-machine.ts uses this machine; simulated nodes have
// simulated-machine.ts, which has no files.

import type { ConfigMap, PersistentVolume, Pod, Secret } from '../../api/api.ts';
import type {
  ContainerStats,
  ContainerStatus,
  Mount,
  SandboxConfig,
} from '../../container-runtime/container-runtime.ts';
import type { ContainerInputs } from '../containers/container-inputs.ts';
import type { Observations } from '../eviction/pressure.ts';
import type { ResizeRecordKeeper } from '../resources/resize-record.ts';
import type { FileSystemUsage, InterfaceUsage, NodeUsage } from '../stats/node-usage.ts';
import type { BoundVolume } from '../volumes/claims.ts';
import type { HostPathVolumes } from '../volumes/host-path-volumes.ts';
import type { SubPath } from '../volumes/sub-paths.ts';
import type { VolumeContext } from '../volumes/volume.ts';
import type { MountedVolume } from '../volumes/volumes.ts';

export interface Machine {
  readonly files: PodFiles;
  readonly meter: NodeMeter;
  /** The volumes of the default StorageClass; absent on simulated nodes. */
  readonly hostPathVolumes?: HostPathVolumes;
  /** Profiles of AppArmor can be enforced. */
  readonly hasAppArmor: boolean;
  /** The directory of the node's own logs; absent if there are none. */
  readonly systemLogs?: string;
}

/** The sources of a pod's volumes. */
export interface VolumeSources extends Pick<VolumeContext, 'serviceAccountToken' | 'fields' | 'warn'> {
  configMap(name: string): Promise<ConfigMap | undefined>;
  secret(name: string): Promise<Secret | undefined>;
}

export interface PodFiles {
  /** The contents of volumes follow the API's objects. */
  readonly refreshesVolumes: boolean;
  /** Creates the directories that all pods share. */
  prepare(): Promise<void>;
  /** Makes the directory of a pod, by which the next kubelet finds the cgroup of a removed pod. */
  makeDirectory(uid: string): Promise<void>;
  /** Creates or updates the volumes. Rejects with the message of the event. */
  setUpVolumes(
    pod: Pod,
    sources: VolumeSources,
    /** The persistent volumes of its claims, by the name of the pod's volume. */
    claimed?: ReadonlyMap<string, BoundVolume>,
  ): Promise<ReadonlyMap<string, MountedVolume>>;
  /** Uses the space that a persistent volume got. False: its source does not grow on nodes. Absent without files. */
  growVolume?(uid: string, name: string, volume: PersistentVolume): Promise<boolean>;
  /** Removes the volumes of a pod that stays in the API. */
  releaseVolumes(uid: string): Promise<void>;
  /** Removes the volumes and the directory. */
  remove(uid: string): Promise<void>;
  removeLogs(pod: Pod): Promise<void>;
  /** Removes the log of one run of a container. */
  removeLog(file: string): Promise<void>;
  /** The host's path of a part of a volume. Rejects with a StepError that names the failed step. */
  subPath(uid: string, part: Omit<SubPath, 'podDirectory'>): Promise<string>;
  /** The text of a file in a volume. Rejects if it is longer than `mostBytes`. Absent without files. */
  readText?(volume: MountedVolume, file: string, mostBytes: number): Promise<string>;
  /** Mounts beside those of the volumes: /etc/hosts and the termination message. */
  extraMounts(inputs: ContainerInputs, mounts: readonly Mount[]): Promise<readonly Mount[]>;
  /** For one pod. */
  terminationMessages(): TerminationReader;
  resizeRecord(uid: string): ResizeRecordKeeper;
  /** Throws if the node has no range of ids left. */
  userNamespace(pod: Pod): Pick<SandboxConfig, 'userNamespace'>;
}

export interface TerminationReader {
  /** The containers, those that ended with their message. */
  of(pod: Pod, containers: readonly ContainerStatus[]): Promise<readonly ContainerStatus[]>;
}

/** In bytes; undefined: not measured. */
export interface StorageUsage {
  /** By volume name. */
  readonly emptyDirs: ReadonlyMap<string, number>;
  /** By container name: the writable layer and the logs. */
  readonly containers: ReadonlyMap<string, number>;
}

export interface NodeMeter {
  /** `containers` are all that run. */
  usage(containers: readonly ContainerStats[]): Promise<NodeUsage>;
  /** Of the network of a process. Absent on simulated machines. */
  network?(pid: number): Promise<InterfaceUsage[]>;
  /** Of the file system of the pods' files; undefined if there is none. */
  fileSystem(): Promise<FileSystemUsage | undefined>;
  /** The node's available resources, by signal of eviction. */
  observe(): Promise<Observations>;
  /** Images have a separate file system. */
  hasImageFileSystem(): Promise<boolean>;
  /** `containers` are the pod's. Undefined if it cannot be measured. */
  storage(pod: Pod, containers: readonly ContainerStats[], signal: AbortSignal): Promise<StorageUsage | undefined>;
  inodes(pod: Pod, containers: readonly ContainerStats[], signal: AbortSignal): Promise<number | undefined>;
}
