// Between our interface and CRI's messages.

import { isCgroup2 } from '../cgroups/qos-cgroups.ts';
import type {
  ContainerConfig,
  ContainerResources,
  ContainerState,
  ContainerStatus,
  Image,
  RuntimeFeatures,
  Sandbox,
  SandboxConfig,
  SecurityProfile,
} from '../interface.ts';
import { protectedPaths, throttlingPaths } from '../protected-paths.ts';
import type { Message } from './cri-client.ts';
import { pauseImage } from './hello-import.ts';
import type { ContainerStatusMessage, ImageItem, SandboxItem, StatusResponse, VerboseInfo } from './responses.ts';

function namespaces(config: SandboxConfig, target?: string): Message {
  const { userNamespace } = config;
  const own = target === undefined ? { pid: 'CONTAINER' } : { pid: 'TARGET', targetId: target };
  const mappings = idMappings(config);
  return {
    network: config.hostNetwork ? 'NODE' : 'POD',
    ...(config.hostPid ? { pid: 'NODE' } : config.sharePid ? { pid: 'POD' } : own),
    ipc: config.hostIpc ? 'NODE' : 'POD',
    ...(userNamespace && { usernsOptions: { mode: 'POD', uids: mappings, gids: mappings } }),
  };
}

const idMappings = ({ userNamespace }: SandboxConfig) =>
  userNamespace ? [{ hostId: userNamespace.hostId, containerId: 0, length: userNamespace.length }] : [];

const profileMessage = ({ type, localhostRef = '' }: SecurityProfile): Message => ({ profileType: type, localhostRef });

/** The node of a sandbox or container, because one runtime may serve several nodes. Only used here. */
const ownerLabel = 'coracle.local/owner';

export const isOwn = ({ labels }: { readonly labels: Readonly<Record<string, string>> }, owner: string): boolean =>
  labels[ownerLabel] === owner;

const withOwner = (labels: Readonly<Record<string, string>>, owner: string) => ({ ...labels, [ownerLabel]: owner });

function withoutOwner({ [ownerLabel]: _owner, ...labels }: Readonly<Record<string, string>>): Record<string, string> {
  return labels;
}

export function sandboxMessage(config: SandboxConfig, owner: string): Message {
  const { name, namespace, uid, attempt } = config;
  return {
    metadata: { name, namespace, uid, attempt },
    hostname: config.hostNetwork ? '' : (config.hostname ?? name),
    logDirectory: config.logDirectory,
    dnsConfig: config.dns && { ...config.dns },
    portMappings: (config.portMappings ?? []).map(({ hostIP, ...mapping }) => ({ ...mapping, hostIp: hostIP ?? '' })),
    labels: withOwner(config.labels, owner),
    annotations: config.annotations,
    linux: {
      cgroupParent: config.cgroupParent,
      sysctls: config.sysctls ?? {},
      ...(config.overhead && { overhead: limitsMessage(config.overhead) }),
      ...(config.resources && { resources: limitsMessage(config.resources) }),
      // As the kubelet of Kubernetes has it: the pause process needs nothing else.
      securityContext: {
        namespaceOptions: namespaces(config),
        privileged: config.privileged ?? false,
        seccomp: { profileType: 'RuntimeDefault' },
      },
    },
  };
}

export function containerMessage(config: ContainerConfig, sandbox: SandboxConfig, owner: string): Message {
  const mappings = idMappings(sandbox);
  return {
    metadata: { name: config.name, attempt: config.attempt },
    image: { image: config.image },
    command: config.command,
    args: config.args,
    workingDir: config.workingDir ?? '',
    envs: config.env,
    mounts: config.mounts.map(
      ({ hostPath, containerPath, readOnly, recursiveReadOnly = false, propagation = 'private' }) => ({
        hostPath,
        containerPath,
        readonly: readOnly,
        propagation: propagations[propagation],
        recursiveReadOnly,
        uidMappings: mappings,
        gidMappings: mappings,
      }),
    ),
    devices: config.devices ?? [],
    CDIDevices: (config.cdiDevices ?? []).map((name) => ({ name })),
    labels: withOwner(config.labels, owner),
    annotations: config.annotations,
    logPath: config.logPath,
    stdin: config.stdin,
    stdinOnce: config.stdinOnce,
    tty: config.tty,
    linux: {
      resources: resourcesMessage(config.resources),
      securityContext: securityMessage(config, sandbox),
    },
  };
}

function securityMessage({ security, targetContainerId }: ContainerConfig, sandbox: SandboxConfig): Message {
  const number = (value?: number) => (value === undefined ? undefined : { value });
  const paths = protectedPaths(security, throttlingPaths());
  return {
    capabilities: { addCapabilities: security.addCapabilities, dropCapabilities: security.dropCapabilities },
    privileged: security.privileged,
    namespaceOptions: namespaces(sandbox, targetContainerId),
    runAsUser: number(security.runAsUser),
    runAsGroup: number(security.runAsGroup),
    readonlyRootfs: security.readOnlyRootFilesystem,
    supplementalGroups: security.supplementalGroups ?? [],
    supplementalGroupsPolicy: security.supplementalGroupsPolicy ?? 'Merge',
    noNewPrivs: security.noNewPrivileges,
    maskedPaths: paths.masked,
    readonlyPaths: paths.readOnly,
    seccomp: profileMessage(security.seccomp ?? { type: 'Unconfined' }),
    ...(security.appArmor && { apparmor: profileMessage(security.appArmor) }),
  };
}

const propagations = {
  private: 'PROPAGATION_PRIVATE',
  hostToContainer: 'PROPAGATION_HOST_TO_CONTAINER',
  bidirectional: 'PROPAGATION_BIDIRECTIONAL',
} as const;

export const limitsMessage = (resources: ContainerResources): Message => ({
  cpuShares: resources.cpuShares ?? 0,
  cpuQuota: resources.cpuQuota ?? 0,
  cpuPeriod: resources.cpuPeriod ?? 0,
  memoryLimitInBytes: resources.memoryLimitBytes ?? 0,
  oomScoreAdj: resources.oomScoreAdj ?? 0,
  cpusetCpus: resources.cpusetCpus ?? '',
  cpusetMems: resources.cpusetMems ?? '',
  hugepageLimits: (resources.hugepageLimits ?? []).map(({ pageSize, limitBytes }) => ({ pageSize, limit: limitBytes })),
});

/** When a container is out of memory, all of its processes are killed (singleProcessOOMKill is false by default). */
export const resourcesMessage = (resources: ContainerResources): Message => ({
  ...limitsMessage(resources),
  ...(isCgroup2() && { unified: { 'memory.oom.group': '1' } }),
});

const states: Readonly<Record<string, ContainerState>> = {
  CONTAINER_CREATED: 'created',
  CONTAINER_RUNNING: 'running',
  CONTAINER_EXITED: 'exited',
};

export function stateOf({ state }: { readonly state: string }): ContainerState {
  return states[state] ?? 'unknown';
}

export function statusOf(sandboxId: string, status: ContainerStatusMessage, info: VerboseInfo = {}): ContainerStatus {
  const { id, metadata, image, imageRef, reason, message, labels, annotations, logPath, exitCode } = status;
  const state = stateOf(status);
  return {
    id,
    sandboxId,
    name: metadata.name,
    attempt: metadata.attempt,
    state,
    createdAt: milliseconds(status.createdAt),
    startedAt: milliseconds(status.startedAt),
    finishedAt: milliseconds(status.finishedAt),
    exitCode,
    reason,
    message,
    image: image?.image ?? '',
    imageRef,
    labels: withoutOwner(labels),
    annotations,
    logPath,
    pid: state === 'running' ? pidOf(info.info) : undefined,
  };
}

export function sandboxOf(item: SandboxItem, ips: readonly string[]): Sandbox {
  const { name, namespace, uid, attempt } = item.metadata;
  const { id, annotations } = item;
  const labels = withoutOwner(item.labels);
  const state = item.state === 'SANDBOX_READY' ? 'ready' : 'notready';
  const createdAt = milliseconds(item.createdAt);
  return { id, config: { name, namespace, uid, attempt, labels, annotations }, state, createdAt, ips };
}

export function imageOf(image: ImageItem): Image {
  const { id, repoTags, repoDigests, size, uid, username } = image;
  const pinned = image.pinned || repoTags.includes(pauseImage);
  const user = uid ? String(uid.value) : username || undefined;
  return { id, repoTags, repoDigests, sizeBytes: size, user, ...(pinned && { pinned }) };
}

/** The features of the default handler. An older runtime reports none, and would ignore unknown fields. */
export function featuresOf({ runtimeHandlers, features }: StatusResponse): RuntimeFeatures {
  const handler = runtimeHandlers?.find((entry) => entry.name === '')?.features;
  return {
    userNamespaces: handler?.userNamespaces ?? false,
    recursiveReadOnlyMounts: handler?.recursiveReadOnlyMounts ?? false,
    supplementalGroupsPolicy: features?.supplementalGroupsPolicy ?? false,
    completeEvents: false,
  };
}

const milliseconds = (nanoseconds: number) => Math.max(0, Math.floor(nanoseconds / 1e6));

function pidOf(info?: string): number | undefined {
  try {
    return info ? JSON.parse(info).pid : undefined;
  } catch {
    return undefined;
  }
}
