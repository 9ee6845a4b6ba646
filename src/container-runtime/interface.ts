// The runtime interface, shaped like CRI; `native`, `cri` and `simulated` implement it.
// Names and meanings are those of the Container Runtime Interface v1 (k8s.io/cri-api).

import type { Duplex, Readable, Writable } from 'node:stream';

export type SandboxState = 'ready' | 'notready';
export type ContainerState = 'created' | 'running' | 'exited' | 'unknown';

export interface SandboxConfig {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly attempt: number;
  readonly hostname?: string;
  /** Directory of the pod's container logs; a container's logPath is relative to it. */
  readonly logDirectory: string;
  readonly dns?: {
    readonly servers: readonly string[];
    readonly searches: readonly string[];
    readonly options: readonly string[];
  };
  readonly portMappings?: readonly {
    protocol: 'TCP' | 'UDP' | 'SCTP';
    containerPort: number;
    hostPort: number;
    hostIP?: string;
  }[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Absolute below the cgroup root, such as /kubepods/burstable/pod<uid>; the caller makes it and sets its limits. */
  readonly cgroupParent: string;
  /** The sum of all containers, and the pod's overhead: for runtimes that reserve resources in advance. */
  readonly resources?: ContainerResources;
  readonly overhead?: ContainerResources;
  readonly hostNetwork: boolean;
  readonly hostPid: boolean;
  /** One process namespace for the pod's containers (spec.shareProcessNamespace). */
  readonly sharePid?: boolean;
  readonly hostIpc: boolean;
  readonly sysctls?: Readonly<Record<string, string>>;
  /** One of its containers is privileged. */
  readonly privileged?: boolean;
  /** Those of its containers, as the pod names them: a runtime may choose the sandbox by them. */
  readonly images?: readonly string[];
  /** The pod's user namespace (spec.hostUsers: false): its ids 0..length-1 are the machine's from hostId on. */
  readonly userNamespace?: { readonly hostId: number; readonly length: number };
}

export interface Sandbox {
  readonly id: string;
  readonly config: Pick<SandboxConfig, 'name' | 'namespace' | 'uid' | 'attempt' | 'labels' | 'annotations'>;
  readonly state: SandboxState;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** Pod addresses, the primary first; empty with the host's network. */
  readonly ips: readonly string[];
}

export interface Mount {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly readOnly: boolean;
  /** Mounts below it are read-only as well. */
  readonly recursiveReadOnly?: boolean;
  readonly propagation?: 'private' | 'hostToContainer' | 'bidirectional';
  /** A file of the kubelet's, or the account that admission gives each pod. Absent: the author of the pod chose it. */
  readonly origin?: 'kubelet' | 'service-account';
}

/** A device of the machine, or the devices in a directory, for a container. */
export interface Device {
  readonly hostPath: string;
  readonly containerPath: string;
  /** Any of r (read), w (write) and m (make the node). */
  readonly permissions: string;
}

export interface ContainerResources {
  /** cgroup v1 cpu.shares; the implementation converts for v2. */
  readonly cpuShares?: number;
  /** Microseconds of CPU time a period; 0 or undefined: no limit. */
  readonly cpuQuota?: number;
  readonly cpuPeriod?: number;
  readonly memoryLimitBytes?: number;
  readonly oomScoreAdj?: number;
  /** Processes and threads; undefined: no limit. */
  readonly pidsLimit?: number;
  /** CPUs on which it runs, such as 0-3,5; undefined: as its parent. */
  readonly cpusetCpus?: string;
  /** NUMA nodes of its memory, such as 0,1. */
  readonly cpusetMems?: string;
  /** By page size, such as 2MB. */
  readonly hugepageLimits?: readonly { readonly pageSize: string; readonly limitBytes: number }[];
}

export interface SecurityProfile {
  readonly type: 'RuntimeDefault' | 'Unconfined' | 'Localhost';
  /** With Localhost: a file's absolute path for seccomp, a loaded profile's name for AppArmor. */
  readonly localhostRef?: string;
}

export interface ContainerSecurity {
  readonly runAsUser?: number;
  readonly runAsGroup?: number;
  readonly supplementalGroups?: readonly number[];
  /** Strict: only these groups, ignoring the image's /etc/group; Merge by default. */
  readonly supplementalGroupsPolicy?: 'Merge' | 'Strict';
  readonly privileged: boolean;
  readonly readOnlyRootFilesystem: boolean;
  readonly noNewPrivileges: boolean;
  /** Names without CAP_; 'ALL' is allowed. */
  readonly addCapabilities: readonly string[];
  readonly dropCapabilities: readonly string[];
  /** Unconfined by default. */
  readonly seccomp?: SecurityProfile;
  /** The runtime's default if the machine has AppArmor. */
  readonly appArmor?: SecurityProfile;
  /** Unmasked: all of /proc is visible. */
  readonly procMount?: 'Default' | 'Unmasked';
}

export interface ContainerConfig {
  readonly name: string;
  readonly attempt: number;
  /** Image id or reference as returned by pullImage or imageStatus. */
  readonly image: string;
  /** Entry point; empty: the image's. */
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly workingDir?: string;
  readonly env: readonly { readonly key: string; readonly value: string }[];
  readonly mounts: readonly Mount[];
  readonly devices?: readonly Device[];
  /** Qualified names of the Container Device Interface, such as vendor.com/gpu=0. */
  readonly cdiDevices?: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Relative to the sandbox's logDirectory, such as web/0.log. */
  readonly logPath: string;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
  readonly resources: ContainerResources;
  readonly security: ContainerSecurity;
  /** A running container of the same pod whose processes this one sees, if the pod does not share them anyway. */
  readonly targetContainerId?: string;
}

export interface ContainerStatus {
  readonly id: string;
  readonly sandboxId: string;
  readonly name: string;
  readonly attempt: number;
  readonly state: ContainerState;
  /** Milliseconds since the epoch; 0 if not reached yet. */
  readonly createdAt: number;
  readonly startedAt: number;
  readonly finishedAt: number;
  readonly exitCode: number;
  /** Completed, Error, OOMKilled, ContainerCannotRun or StartError once exited. */
  readonly reason: string;
  readonly message: string;
  /** The requested reference. */
  readonly image: string;
  /** Digest reference of the running image, such as coracle.local/hello@sha256:... */
  readonly imageRef: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Absolute. */
  readonly logPath: string;
  readonly pid?: number;
}

export interface Image {
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly sizeBytes: number;
  /** From the image's config. */
  readonly user?: string;
  /** The runtime itself needs it: never collected as garbage. */
  readonly pinned?: boolean;
}

export interface ContainerStats {
  readonly id: string;
  readonly name: string;
  readonly sandboxId: string;
  readonly cpuNanoseconds: number;
  /** With file caches; absent where the runtime does not report it. */
  readonly memoryUsageBytes?: number;
  readonly memoryWorkingSetBytes: number;
  readonly memoryRssBytes: number;
  /** The container's writable layer: its size, or its directory. */
  readonly writableLayer?: { readonly usedBytes: number } | { readonly directory: string };
}

/** An interactive process in a container, or its main process (attach). */
export interface ExecSession {
  readonly stdin?: Writable;
  readonly stdout: Readable;
  /** Absent with a terminal. */
  readonly stderr?: Readable;
  resize(columns: number, rows: number): void;
  /** Resolves with the exit code; rejects when the process could not be started. */
  readonly exitCode: Promise<number>;
  /** Hangs up: ends the session, and the process of an exec. */
  close(): void;
}

export interface RuntimeEvent {
  readonly type: 'created' | 'started' | 'stopped' | 'deleted';
  readonly containerId: string;
  readonly sandboxId: string;
  readonly podUid: string;
}

/** The request of an HTTP, TCP or gRPC probe. */
export interface NetworkProbe {
  readonly kind: 'httpGet' | 'tcpSocket' | 'grpc';
  readonly host: string;
  readonly port: number;
  /** With its query, for httpGet; the service's name for grpc. */
  readonly path?: string;
}

/** Optional features of runtimes; pods that need a missing one are refused with a reason. */
export interface RuntimeFeatures {
  readonly userNamespaces: boolean;
  readonly recursiveReadOnlyMounts: boolean;
  /** Each change of a sandbox or container has an event, so the kubelet seldom has to list them. */
  readonly completeEvents: boolean;
  /** supplementalGroupsPolicy: Strict. */
  readonly supplementalGroupsPolicy: boolean;
}

/** Calls are idempotent as in CRI: stopping a stopped container and removing a removed one succeed. */
export interface ContainerRuntime {
  /** Name and version as in node.status.nodeInfo.containerRuntimeVersion: `containerd://1.6.20`, `native://1.0`. */
  readonly version: string;
  readonly features: RuntimeFeatures;
  /** Undefined when ready; otherwise the problem, per condition. */
  status(): Promise<{ runtime?: string; network?: string }>;
  /** Sets the node's pod ranges (node.spec.podCIDRs). */
  updatePodCidrs(cidrs: readonly string[]): Promise<void>;

  runPodSandbox(config: SandboxConfig): Promise<string>;
  stopPodSandbox(id: string): Promise<void>;
  removePodSandbox(id: string): Promise<void>;
  /** Announces the resources of the pod's cgroup; a runtime may reject them. Absent if the runtime ignores them. */
  updatePodSandboxResources?(id: string, resources: ContainerResources, overhead: ContainerResources): Promise<void>;
  /** All, or those of one pod. */
  listPodSandboxes(podUid?: string): Promise<readonly Sandbox[]>;

  createContainer(sandboxId: string, config: ContainerConfig, sandbox: SandboxConfig): Promise<string>;
  /** Rejects with RuntimeError('start') when the command cannot be run. */
  startContainer(id: string): Promise<void>;
  /** SIGTERM (or the image's stop signal), then SIGKILL after the grace period. Resolves when it has ended. */
  stopContainer(id: string, gracePeriodSeconds: number): Promise<void>;
  removeContainer(id: string): Promise<void>;
  /** All, or those that have the label `podUidLabel` with this value. */
  listContainers(podUid?: string): Promise<readonly ContainerStatus[]>;
  containerStatus(id: string): Promise<ContainerStatus | undefined>;
  updateContainerResources(id: string, resources: ContainerResources): Promise<void>;
  /** Starts a new log file at logPath after the kubelet moved the old one away. */
  reopenContainerLog(id: string): Promise<void>;
  containerStats(): Promise<readonly ContainerStats[]>;

  exec(
    id: string,
    command: readonly string[],
    options: { stdin: boolean; tty: boolean; stdout: boolean; stderr: boolean },
  ): Promise<ExecSession>;
  /** Runs to its end; kills it and rejects with RuntimeError('timeout') after timeoutMs. */
  execSync(
    id: string,
    command: readonly string[],
    timeoutMs: number,
  ): Promise<{ stdout: Buffer; stderr: Buffer; exitCode: number }>;
  attach(id: string, options: { stdin: boolean; tty: boolean; stdout: boolean; stderr: boolean }): Promise<ExecSession>;
  /** A byte stream to a TCP port on the pod's loopback. */
  portForward(sandboxId: string, port: number): Promise<Duplex>;

  listImages(): Promise<readonly Image[]>;
  imageStatus(reference: string): Promise<Image | undefined>;
  /** Resolves with the image's id. Rejects with RuntimeError('image') with the image and the cause. */
  pullImage(reference: string, auth?: { username: string; password: string }, signal?: AbortSignal): Promise<string>;
  removeImage(id: string): Promise<void>;
  /** The file system of images and writable layers; absent without one. */
  imageDirectory?(): Promise<string | undefined>;
  /** The sum of all containers; only for runtimes without a machine. */
  memoryUsageBytes?(): number;

  /**
   * Lifecycle events since the call, until `signal` aborts. A runtime without events yields none: the kubelet polls
   * too.
   */
  events(signal: AbortSignal): AsyncIterable<RuntimeEvent>;
  /**
   * Runs a network probe. Only runtimes without pod networks (`simulated`) have it; otherwise the kubelet connects to
   * the pod.
   */
  probe?(sandboxId: string, probe: NetworkProbe): Promise<{ success: boolean; message: string }>;
  /** Ends and removes all containers, networks, mounts and cgroups of this runtime. Images stay. */
  destroyAll?(): Promise<void>;
  /** Closes sockets and helpers. Containers keep running. */
  close(): Promise<void>;
}
