// Between our interface and CRI's messages.

import type {
  ContainerConfig,
  ContainerResources,
  ContainerState,
  ContainerStatus,
  Image,
  Sandbox,
  SandboxConfig,
} from '../container-runtime.ts';
import type { Message } from './cri-client.ts';

/** The kubelet's defaults, which CRI leaves to its client. */
const maskedPaths = [
  ...['asound', 'acpi', 'kcore', 'keys', 'latency_stats', 'timer_list', 'timer_stats', 'sched_debug', 'scsi'].map(
    (name) => `/proc/${name}`,
  ),
  '/sys/firmware',
];
const readOnlyPaths = ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger'].map((name) => `/proc/${name}`);

function namespaces(config: SandboxConfig): Message {
  return {
    network: config.hostNetwork ? 'NODE' : 'POD',
    pid: config.hostPid ? 'NODE' : config.sharePid ? 'POD' : 'CONTAINER',
    ipc: config.hostIpc ? 'NODE' : 'POD',
  };
}

/** Says which node a sandbox or container belongs to, for one runtime may serve several. Nobody above sees it. */
const ownerLabel = 'coracle.local/owner';

export const isOwn = (item: Message, owner: string): boolean => item['labels'][ownerLabel] === owner;

const withOwner = (labels: Readonly<Record<string, string>>, owner: string) => ({ ...labels, [ownerLabel]: owner });

function withoutOwner({ [ownerLabel]: _owner, ...labels }: Record<string, string>): Record<string, string> {
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
      // Whether one of its containers will be privileged is not known yet, and the pause process does not mind.
      securityContext: {
        namespaceOptions: namespaces(config),
        privileged: true,
        seccomp: { profileType: 'Unconfined' },
      },
    },
  };
}

export function containerMessage(config: ContainerConfig, sandbox: SandboxConfig, owner: string): Message {
  const { security } = config;
  const number = (value?: number) => (value === undefined ? undefined : { value });
  return {
    metadata: { name: config.name, attempt: config.attempt },
    image: { image: config.image },
    command: config.command,
    args: config.args,
    workingDir: config.workingDir ?? '',
    envs: config.env,
    mounts: config.mounts.map(({ hostPath, containerPath, readOnly, propagation = 'private' }) => ({
      hostPath,
      containerPath,
      readonly: readOnly,
      propagation: propagations[propagation],
    })),
    labels: withOwner(config.labels, owner),
    annotations: config.annotations,
    logPath: config.logPath,
    stdin: config.stdin,
    stdinOnce: config.stdinOnce,
    tty: config.tty,
    linux: {
      resources: resourcesMessage(config.resources),
      securityContext: {
        capabilities: { addCapabilities: security.addCapabilities, dropCapabilities: security.dropCapabilities },
        privileged: security.privileged,
        namespaceOptions: namespaces(sandbox),
        runAsUser: number(security.runAsUser),
        runAsGroup: number(security.runAsGroup),
        readonlyRootfs: security.readOnlyRootFilesystem,
        supplementalGroups: security.supplementalGroups ?? [],
        noNewPrivs: security.noNewPrivileges,
        maskedPaths: security.privileged ? [] : maskedPaths,
        readonlyPaths: security.privileged ? [] : readOnlyPaths,
        seccomp: { profileType: 'Unconfined' },
      },
    },
  };
}

const propagations = {
  private: 'PROPAGATION_PRIVATE',
  hostToContainer: 'PROPAGATION_HOST_TO_CONTAINER',
  bidirectional: 'PROPAGATION_BIDIRECTIONAL',
} as const;

export function resourcesMessage(resources: ContainerResources): Message {
  return {
    cpuShares: resources.cpuShares ?? 0,
    cpuQuota: resources.cpuQuota ?? 0,
    cpuPeriod: resources.cpuPeriod ?? 0,
    memoryLimitInBytes: resources.memoryLimitBytes ?? 0,
    oomScoreAdj: resources.oomScoreAdj ?? 0,
  };
}

const states: Readonly<Record<string, ContainerState>> = {
  CONTAINER_CREATED: 'created',
  CONTAINER_RUNNING: 'running',
  CONTAINER_EXITED: 'exited',
};

export function stateOf(message: Message): ContainerState {
  return states[message['state']] ?? 'unknown';
}

export function statusOf(sandboxId: string, status: Message, info: Message = {}): ContainerStatus {
  const { id, metadata, image, imageRef, reason, message, labels, annotations, logPath, exitCode } = status;
  const state = stateOf(status);
  return {
    id,
    sandboxId,
    name: metadata.name,
    attempt: metadata.attempt,
    state,
    createdAt: milliseconds(status['createdAt']),
    startedAt: milliseconds(status['startedAt']),
    finishedAt: milliseconds(status['finishedAt']),
    exitCode,
    reason,
    message,
    image: image?.image ?? '',
    imageRef,
    labels: withoutOwner(labels),
    annotations,
    logPath,
    pid: state === 'running' ? pidOf(info['info']) : undefined,
  };
}

export function sandboxOf(item: Message, ips: readonly string[]): Sandbox {
  const { name, namespace, uid, attempt } = item['metadata'];
  const { id, annotations } = item;
  const labels = withoutOwner(item['labels']);
  const state = item['state'] === 'SANDBOX_READY' ? 'ready' : 'notready';
  const createdAt = milliseconds(item['createdAt']);
  return { id, config: { name, namespace, uid, attempt, labels, annotations }, state, createdAt, ips };
}

export function imageOf(message: Message): Image {
  const { id, repoTags, repoDigests, size, uid, username } = message;
  return { id, repoTags, repoDigests, sizeBytes: size, user: uid ? String(uid.value) : username || undefined };
}

const milliseconds = (nanoseconds: number) => Math.max(0, Math.floor(nanoseconds / 1e6));

function pidOf(info?: string): number | undefined {
  try {
    return info ? JSON.parse(info).pid : undefined;
  } catch {
    return undefined;
  }
}
