// Converts a pod's spec to the runtime's configuration.

import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Container, Pod, VolumeMount } from '../../api/api.ts';
import {
  type ContainerConfig,
  type ContainerRuntime,
  type Image,
  type Mount,
  meantToEndAnnotation,
  type SandboxConfig,
} from '../../container-runtime/container-runtime.ts';
import { hashLabel } from '../pods/pod-actions.ts';
import { containerNameLabel, podNameLabel, podNamespaceLabel, podUidLabel } from '../pods/pod-cache.ts';
import { containerResources, podCgroup, sandboxResources } from '../resources/resources.ts';
import type { KubeletTools } from '../tools.ts';
import { bindSubPath, createSubPath, type SubPath } from '../volumes/sub-paths.ts';
import { type MountedVolume, podDirectories } from '../volumes/volumes.ts';
import { ConfigError, expand, type Variable } from './environment.ts';
import { hashOf } from './hash.ts';
import { isPrivileged, securityOf } from './security.ts';
import { userNamespaceOf } from './user-namespaces.ts';

/** The resources at the container's creation, as JSON. */
export const resourcesAnnotation = 'coracle.local/resources';
/** The pod-level resources at that time. */
export const podResourcesAnnotation = 'coracle.local/pod-resources';

export const podDirectory = (root: string, uid: string): string => podDirectories(root, uid).disk;

export const logDirectory = (root: string, pod: Pod): string =>
  path.join(root, `${pod.metadata.namespace}_${pod.metadata.name}_${pod.metadata.uid}`);

const podLabels = (pod: Pod) => ({
  [podNameLabel]: pod.metadata.name,
  [podNamespaceLabel]: pod.metadata.namespace ?? '',
  [podUidLabel]: pod.metadata.uid,
});

/** A name that Linux takes as a hostname: 63 characters at most. */
function hostnameOf(pod: Pod): string {
  const name = pod.spec.hostname || pod.metadata.name;
  return name.slice(0, 63).replace(/[-.]+$/, '');
}

/** The fully qualified name that a pod with hostname and subdomain has. */
const domainOf = (pod: Pod, clusterDomain: string): string | undefined =>
  pod.spec.subdomain
    ? `${hostnameOf(pod)}.${pod.spec.subdomain}.${pod.metadata.namespace}.svc.${clusterDomain}`
    : undefined;

export function sandboxConfig(pod: Pod, attempt: number, tools: Pick<KubeletTools, 'config'>): SandboxConfig {
  const { config } = tools;
  const { name, namespace = '', uid, labels = {}, annotations = {} } = pod.metadata;
  const fqdn = pod.spec.setHostnameAsFQDN ? domainOf(pod, config.clusterDomain) : undefined;
  return {
    name,
    namespace,
    uid,
    attempt,
    ...(!pod.spec.hostNetwork && { hostname: fqdn ?? hostnameOf(pod) }),
    logDirectory: logDirectory(config.podLogsDirectory, pod),
    dns: dnsOf(pod, config.clusterDNS, config.clusterDomain),
    portMappings: pod.spec.containers.flatMap((c) =>
      (c.ports ?? [])
        .filter((p) => p.hostPort && !pod.spec.hostNetwork)
        .map((p) => ({
          protocol: p.protocol ?? 'TCP',
          containerPort: p.containerPort,
          hostPort: p.hostPort!,
          ...(p.hostIP && { hostIP: p.hostIP }),
        })),
    ),
    labels: { ...labels, ...podLabels(pod) },
    annotations,
    cgroupParent: podCgroup(pod),
    ...sandboxResources(pod),
    hostNetwork: pod.spec.hostNetwork ?? false,
    hostPid: pod.spec.hostPID ?? false,
    sharePid: pod.spec.shareProcessNamespace ?? false,
    hostIpc: pod.spec.hostIPC ?? false,
    ...(isPrivileged(pod) && { privileged: true }),
    ...userNamespaceOf(pod, config),
    sysctls: Object.fromEntries((pod.spec.securityContext?.sysctls ?? []).map((s) => [s.name, s.value])),
  };
}

/** https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#pod-s-dns-policy. Undefined: the host's. */
function dnsOf(pod: Pod, clusterDNS: readonly string[], domain: string): SandboxConfig['dns'] {
  const extra = pod.spec.dnsConfig;
  const options = (extra?.options ?? []).map((o) => (o.value === undefined ? o.name! : `${o.name}:${o.value}`));
  const policy = pod.spec.dnsPolicy ?? 'ClusterFirst';
  const cluster =
    clusterDNS.length > 0 &&
    (policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && !pod.spec.hostNetwork));
  if (!cluster && policy !== 'None')
    return extra ? { servers: extra.nameservers ?? [], searches: extra.searches ?? [], options } : undefined;
  const searches = cluster ? [`${pod.metadata.namespace}.svc.${domain}`, `svc.${domain}`, domain] : [];
  return {
    servers: [...new Set([...(cluster ? clusterDNS : []), ...(extra?.nameservers ?? [])])],
    searches: [...new Set([...searches, ...(extra?.searches ?? [])])],
    options: [...new Set([...(cluster ? ['ndots:5'] : []), ...options])],
  };
}

export interface ContainerInputs {
  readonly pod: Pod;
  readonly container: Container;
  readonly attempt: number;
  readonly image: Image;
  readonly environment: readonly Variable[];
  /** By volume name. */
  readonly volumes: ReadonlyMap<string, MountedVolume>;
  readonly podIPs: readonly string[];
  /** The container whose processes an ephemeral container sees. */
  readonly targetContainerId?: string;
}

/** Throws ConfigError. Makes the files that are mounted: /etc/hosts and the termination log. */
export async function containerConfig(
  inputs: ContainerInputs,
  tools: Pick<KubeletTools, 'config' | 'logger' | 'cgroups'> & { readonly runtime: Pick<ContainerRuntime, 'features'> },
): Promise<ContainerConfig> {
  const { pod, container, attempt, environment } = inputs;
  const variables = new Map(environment.map(({ key, value }) => [key, value]));
  return {
    name: container.name,
    attempt,
    image: inputs.image.id,
    command: (container.command ?? []).map((text) => expand(text, variables)),
    args: (container.args ?? []).map((text) => expand(text, variables)),
    ...(container.workingDir && { workingDir: container.workingDir }),
    env: environment,
    mounts: await mountsOf(inputs, tools),
    labels: { ...podLabels(pod), [containerNameLabel]: container.name, [hashLabel]: hashOf(container) },
    annotations: {
      'io.kubernetes.container.restartCount': String(attempt),
      [resourcesAnnotation]: container.resources ? JSON.stringify(container.resources) : '{}',
      ...(pod.spec.resources && { [podResourcesAnnotation]: JSON.stringify(pod.spec.resources) }),
      ...(isMeantToEnd(pod, container) && { [meantToEndAnnotation]: 'true' }),
      'io.kubernetes.container.terminationMessagePath': container.terminationMessagePath ?? '/dev/termination-log',
    },
    logPath: `${container.name}/${attempt}.log`,
    ...(inputs.targetContainerId && { targetContainerId: inputs.targetContainerId }),
    stdin: container.stdin ?? false,
    stdinOnce: container.stdinOnce ?? false,
    tty: container.tty ?? false,
    resources: containerResources(pod, container, {
      memoryBytes: tools.config.capacity.memoryBytes,
      hugePageSizes: tools.cgroups?.hugePageSizes,
    }),
    security: securityOf(pod, container, inputs.image, path.join(tools.config.rootDirectory, 'seccomp')),
  };
}

function isMeantToEnd({ spec }: Pod, { name }: Container): boolean {
  const init = spec.initContainers?.find((c) => c.name === name);
  return init ? init.restartPolicy !== 'Always' : spec.restartPolicy !== 'Always';
}

const propagation = { None: 'private', HostToContainer: 'hostToContainer', Bidirectional: 'bidirectional' } as const;

async function mountsOf(
  inputs: ContainerInputs,
  tools: Pick<KubeletTools, 'config' | 'logger'> & { readonly runtime: Pick<ContainerRuntime, 'features'> },
): Promise<Mount[]> {
  const { pod, container, volumes } = inputs;
  const { config } = tools;
  const mounts: Mount[] = [];
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    const volume = volumes.get(mount.name);
    if (volume === undefined)
      throw new ConfigError(`cannot find volume "${mount.name}" to mount into container "${container.name}"`);
    mounts.push({
      hostPath: await hostPathOf(inputs, mount, index, volume.path, tools),
      containerPath: path.posix.isAbsolute(mount.mountPath) ? mount.mountPath : `/${mount.mountPath}`,
      readOnly: (mount.readOnly ?? false) || volume.readOnly,
      ...(isRecursive(mount, tools.runtime.features.recursiveReadOnlyMounts) && { recursiveReadOnly: true }),
      propagation: propagation[(mount.mountPropagation ?? 'None') as keyof typeof propagation],
    });
  }
  if (!config.usesFilesystem) return mounts;
  const directory = podDirectory(config.rootDirectory, pod.metadata.uid);
  if (!mounts.some((m) => m.containerPath === '/etc/hosts'))
    mounts.push(await hostsMount(inputs, directory, config.clusterDomain));
  mounts.push(await terminationLogMount(inputs, directory));
  return mounts;
}

/** https://kubernetes.io/docs/concepts/storage/volumes/#recursive-read-only-mounts */
function isRecursive({ name, readOnly, mountPropagation, recursiveReadOnly: mode }: VolumeMount, can: boolean) {
  if (mode === undefined || mode === 'Disabled') return false;
  const refuse = (why: string): never => {
    const asked = `volume "${name}" requested recursive read-only mode`;
    throw new ConfigError(`failed to resolve recursive read-only mode: ${asked}, but it is ${why}`);
  };
  if (!readOnly) refuse('not read-only');
  if (mountPropagation !== undefined && mountPropagation !== 'None')
    refuse(`not compatible with propagation "${mountPropagation}"`);
  if (mode === 'Enabled' && !can) refuse('not supported by the runtime');
  return can;
}

/** The volume, or the part at subPath. Errors reveal no details of the host's files. */
async function hostPathOf(
  { pod, container, environment }: ContainerInputs,
  mount: VolumeMount,
  index: number,
  volumePath: string,
  { config, logger }: Pick<KubeletTools, 'config' | 'logger'>,
): Promise<string> {
  const subPath = mount.subPathExpr ? expandSubPath(mount.subPathExpr, environment) : mount.subPath;
  if (!subPath) return volumePath;
  if (path.isAbsolute(subPath)) throw new ConfigError(`error SubPath \`${subPath}\` must not be an absolute path`);
  if (subPath.split('/').includes('..'))
    throw new ConfigError(`unable to provision SubPath \`${subPath}\`: must not contain '..'`);
  if (!config.usesFilesystem) return path.join(volumePath, subPath);
  const sub: SubPath = {
    podDirectory: podDirectory(config.rootDirectory, pod.metadata.uid),
    volumeName: mount.name,
    volumePath,
    containerName: container.name,
    index,
    subPath,
  };
  const where = `for volumeMount "${mount.name}" of container "${container.name}"`;
  const fail = (message: string) => (error: unknown) => {
    logger.warn('subPath refused', { pod: pod.metadata.name, subPath, error: String(error) });
    throw new ConfigError(`${message} ${where}`);
  };
  await createSubPath(sub).catch(fail('failed to create subPath directory'));
  return bindSubPath(sub).catch(fail('failed to prepare subPath'));
}

/** Every variable of a subPathExpr must be set. */
function expandSubPath(text: string, environment: readonly Variable[]): string {
  const variables = new Map(environment.map(({ key, value }) => [key, value]));
  for (const [, escaped, name] of text.matchAll(/\$(?:(\$)|\(([^)]*)\))/g))
    if (!escaped && !variables.has(name)) throw new ConfigError(`missing value for "${name}"`);
  return expand(text, variables);
}

/** https://kubernetes.io/docs/tasks/network/customize-hosts-file-for-pods/ */
async function hostsMount({ pod, podIPs }: ContainerInputs, directory: string, clusterDomain: string): Promise<Mount> {
  const hostPath = path.join(directory, 'etc-hosts');
  const text = pod.spec.hostNetwork
    ? `# Kubernetes-managed hosts file (host network).\n${await readFile('/etc/hosts', 'utf8').catch(() => '')}`
    : `# Kubernetes-managed hosts file.\n${podHosts(pod, podIPs, clusterDomain)}`;
  const aliases = (pod.spec.hostAliases ?? []).map((alias) => [alias.ip, ...(alias.hostnames ?? [])].join('\t'));
  const added = aliases.length > 0 ? `\n# Entries added by HostAliases.\n${aliases.join('\n')}\n` : '';
  await mkdir(directory, { recursive: true, mode: 0o750 });
  await writeFile(hostPath, text + added, { mode: 0o644 });
  return { hostPath, containerPath: '/etc/hosts', readOnly: false };
}

function podHosts(pod: Pod, podIPs: readonly string[], clusterDomain: string): string {
  const domain = domainOf(pod, clusterDomain);
  const lines = [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
    ...podIPs.map((ip) => [ip, domain, hostnameOf(pod)].filter(Boolean).join('\t')),
  ];
  return `${lines.join('\n')}\n`;
}

/** Where a container leaves its last words; one file a run. */
export const terminationLogPath = (podDirectory: string, name: string, attempt: number): string =>
  path.join(podDirectory, 'containers', name, String(attempt));

async function terminationLogMount({ container, attempt }: ContainerInputs, directory: string): Promise<Mount> {
  const hostPath = terminationLogPath(directory, container.name, attempt);
  await mkdir(path.dirname(hostPath), { recursive: true, mode: 0o750 });
  await writeFile(hostPath, '', { mode: 0o666 });
  await chmod(hostPath, 0o666); // any user of the container may write
  return { hostPath, containerPath: container.terminationMessagePath ?? '/dev/termination-log', readOnly: false };
}
