// The fields of CRI v1 responses that are read here, decoded: camelCase, enums by name, 64-bit numbers as numbers.
// Absent fields have their defaults; an absent message is null. Older runtimes leave fields out.
// https://github.com/kubernetes/cri-api/blob/master/pkg/apis/runtime/v1/api.proto

type Labels = Readonly<Record<string, string>>;

interface SandboxMetadata {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly attempt: number;
}

export interface SandboxItem {
  readonly id: string;
  readonly metadata: SandboxMetadata;
  readonly state: string;
  /** Nanoseconds. */
  readonly createdAt: number;
  readonly labels: Labels;
  readonly annotations: Labels;
}

interface ContainerMetadata {
  readonly name: string;
  readonly attempt: number;
}

interface ContainerItem {
  readonly id: string;
  readonly podSandboxId: string;
  readonly state: string;
  readonly labels: Labels;
}

export interface ContainerStatusMessage {
  readonly id: string;
  readonly metadata: ContainerMetadata;
  readonly state: string;
  /** Nanoseconds, like the next two; 0 if it has not happened. */
  readonly createdAt: number;
  readonly startedAt: number;
  readonly finishedAt: number;
  readonly exitCode: number;
  readonly reason: string;
  readonly message: string;
  readonly image: { readonly image: string } | null;
  readonly imageRef: string;
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly logPath: string;
}

export interface ImageItem {
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly size: number;
  readonly uid: Value | null;
  readonly username: string;
  readonly pinned: boolean;
}

interface Value {
  readonly value: number;
}

interface ContainerStatsItem {
  readonly attributes: { readonly id: string; readonly metadata: ContainerMetadata; readonly labels: Labels };
  readonly cpu?: { readonly usageCoreNanoSeconds: Value | null } | null;
  readonly memory?: {
    readonly workingSetBytes: Value | null;
    readonly usageBytes?: Value | null;
    readonly rssBytes: Value | null;
  } | null;
  readonly writableLayer?: { readonly usedBytes: Value | null } | null;
}

interface HandlerFeatures {
  readonly userNamespaces?: boolean;
  readonly recursiveReadOnlyMounts?: boolean;
}

interface StatusCondition {
  readonly type: string;
  readonly status: boolean;
  readonly reason: string;
  readonly message: string;
}

interface NetworkStatus {
  readonly ip: string;
  readonly additionalIps: readonly { readonly ip: string }[];
}

export interface StatusResponse {
  readonly status?: { readonly conditions: readonly StatusCondition[] } | null;
  readonly runtimeHandlers?: readonly { readonly name: string; readonly features: HandlerFeatures | null }[];
  readonly features?: { readonly supplementalGroupsPolicy?: boolean } | null;
}

/** Entries that a runtime adds for `verbose`; `info` is JSON. */
export type VerboseInfo = { readonly info?: string };

type Empty = Readonly<Record<never, never>>;

/** The response of each method. */
export interface Responses {
  Version: { readonly runtimeName: string; readonly runtimeVersion: string };
  Status: StatusResponse;
  UpdateRuntimeConfig: Empty;
  RunPodSandbox: { readonly podSandboxId: string };
  UpdatePodSandboxResources: Empty;
  StopPodSandbox: Empty;
  RemovePodSandbox: Empty;
  ListPodSandbox: { readonly items: readonly SandboxItem[] };
  PodSandboxStatus: { readonly status: { readonly network: NetworkStatus | null } | null };
  CreateContainer: { readonly containerId: string };
  StartContainer: Empty;
  StopContainer: Empty;
  RemoveContainer: Empty;
  ListContainers: { readonly containers: readonly ContainerItem[] };
  ContainerStatus: { readonly status: ContainerStatusMessage | null; readonly info?: VerboseInfo };
  UpdateContainerResources: Empty;
  ReopenContainerLog: Empty;
  ListContainerStats: { readonly stats: readonly ContainerStatsItem[] };
  Exec: { readonly url: string };
  ExecSync: { readonly stdout: Uint8Array; readonly stderr: Uint8Array; readonly exitCode: number };
  Attach: { readonly url: string };
  PortForward: { readonly url: string };
  ListImages: { readonly images: readonly ImageItem[] };
  ImageStatus: { readonly image: ImageItem | null };
  PullImage: { readonly imageRef: string };
  RemoveImage: Empty;
  ImageFsInfo: {
    readonly imageFilesystems?: readonly { readonly fsId: { readonly mountpoint: string } | null }[];
  };
}

/** The messages of each stream. */
export interface StreamMessages {
  GetContainerEvents: {
    readonly containerId: string;
    readonly containerEventType: string;
    readonly podSandboxStatus: { readonly id: string; readonly metadata: SandboxMetadata | null } | null;
  };
}
