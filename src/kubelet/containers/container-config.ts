// Converts a pod's spec to the runtime's configuration.

import path from 'node:path';
import type { Container, Pod, VolumeMount } from '../../api/api.ts';
import {
  type ContainerConfig,
  type ContainerRuntime,
  type Mount,
  meantToEndAnnotation,
  type SandboxConfig,
} from '../../container-runtime/container-runtime.ts';
import { must } from '../../machinery/must.ts';
import { logDirectory } from '../files/pod-paths.ts';
import { hashLabel } from '../pods/pod-actions.ts';
import { containerNameLabel, podNameLabel, podNamespaceLabel, podUidLabel } from '../pods/pod-cache.ts';
import { containerResources, podCgroup, sandboxResources } from '../resources/resources.ts';
import type { KubeletTools } from '../tools.ts';
import {
  allocatedAnnotations,
  allocatedDevices,
  allocatedEnvironment,
  allocatedMounts,
  cdiDevicesOf,
} from './allocated-devices.ts';
import { podResourcesAnnotation, resourcesAnnotation } from './annotations.ts';
import type { ContainerInputs } from './container-inputs.ts';
import { ConfigError, expand, expandAll, type Variable } from './environment.ts';
import { hashOf } from './hash.ts';
import { domainOf, hostnameOf } from './host-names.ts';
import { isPrivileged, securityOf } from './security.ts';
import { isAccountMount } from './service-account.ts';

const podLabels = (pod: Pod) => ({
  [podNameLabel]: pod.metadata.name,
  [podNamespaceLabel]: pod.metadata.namespace ?? '',
  [podUidLabel]: pod.metadata.uid,
});

export function sandboxConfig(
  pod: Pod,
  attempt: number,
  tools: Pick<KubeletTools, 'config' | 'machine'>,
): SandboxConfig {
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
          hostPort: must(p.hostPort, 'hostPort'),
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
    images: [...(pod.spec.initContainers ?? []), ...pod.spec.containers].map(({ image }) => image ?? ''),
    ...tools.machine.files.userNamespace(pod),
    sysctls: Object.fromEntries((pod.spec.securityContext?.sysctls ?? []).map((s) => [s.name, s.value])),
  };
}

/** https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#pod-s-dns-policy. Undefined: the host's. */
function dnsOf(pod: Pod, clusterDNS: readonly string[], domain: string): SandboxConfig['dns'] {
  const extra = pod.spec.dnsConfig;
  const options = (extra?.options ?? []).map((o) => (o.value === undefined ? (o.name ?? '') : `${o.name}:${o.value}`));
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

type ConfigTools = Pick<KubeletTools, 'config' | 'logger' | 'cgroups' | 'machine' | 'resources'> & {
  readonly runtime: Pick<ContainerRuntime, 'features'>;
};

/** Throws ConfigError. Makes the files that are mounted: /etc/hosts and the termination log. */
export async function containerConfig(inputs: ContainerInputs, tools: ConfigTools): Promise<ContainerConfig> {
  const { pod, container, attempt, environment } = inputs;
  const variables = new Map(environment.map(({ key, value }) => [key, value]));
  const { allocations = [] } = inputs;
  return {
    name: container.name,
    attempt,
    image: inputs.image.id,
    command: expandAll(container.command ?? [], variables),
    args: expandAll(container.args ?? [], variables),
    ...(container.workingDir && { workingDir: container.workingDir }),
    env: [...allocatedEnvironment(allocations), ...environment],
    mounts: [...allocatedMounts(allocations, tools.config.rootDirectory), ...(await mountsOf(inputs, tools))],
    ...devicesOf(inputs),
    ...cdiDevicesOf(allocations, inputs.claimDevices),
    labels: { ...podLabels(pod), [containerNameLabel]: container.name, [hashLabel]: hashOf(container) },
    annotations: {
      ...allocatedAnnotations(allocations),
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
    resources: {
      ...containerResources(pod, container, {
        memoryBytes: tools.config.capacity.memoryBytes,
        hugePageSizes: tools.cgroups?.hugePageSizes,
        hasOwnCpus: tools.resources?.hasOwnCpus(pod.metadata.uid, container.name),
      }),
      ...inputs.placement,
    },
    security: securityOf(pod, container, inputs.image, {
      root: path.join(tools.config.rootDirectory, 'seccomp'),
      isDefault: tools.config.seccompDefault ?? false,
    }),
  };
}

function isMeantToEnd({ spec }: Pod, { name }: Container): boolean {
  const init = spec.initContainers?.find((c) => c.name === name);
  return init ? init.restartPolicy !== 'Always' : spec.restartPolicy !== 'Always';
}

/** Those of device plugins, and block volumes. */
function devicesOf({ container, volumes, allocations = [] }: ContainerInputs): Pick<ContainerConfig, 'devices'> {
  const { volumeDevices = [] } = container;
  const devices = volumeDevices.map(({ name, devicePath }) => {
    if (!path.posix.isAbsolute(devicePath))
      throw new ConfigError(`error DevicePath \`${devicePath}\` must be an absolute path`);
    const volume = volumes.get(name);
    if (!volume?.isDevice)
      throw new ConfigError(`cannot find volume "${name}" to pass into container "${container.name}"`);
    return { hostPath: volume.path, containerPath: devicePath, permissions: volume.readOnly ? 'r' : 'mrw' };
  });
  const all = [...allocatedDevices(allocations), ...devices];
  return all.length > 0 ? { devices: all } : {};
}

const propagation = { None: 'private', HostToContainer: 'hostToContainer', Bidirectional: 'bidirectional' } as const;

async function mountsOf(inputs: ContainerInputs, tools: ConfigTools): Promise<Mount[]> {
  const { container, volumes } = inputs;
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
      ...(isAccountMount(inputs.pod, mount) && { origin: 'service-account' }),
    });
  }
  return [...mounts, ...(await tools.machine.files.extraMounts(inputs, mounts))];
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
  { machine, logger }: ConfigTools,
): Promise<string> {
  const subPath = mount.subPathExpr ? expandSubPath(mount.subPathExpr, environment) : mount.subPath;
  if (!subPath) return volumePath;
  if (path.isAbsolute(subPath)) throw new ConfigError(`error SubPath \`${subPath}\` must not be an absolute path`);
  if (subPath.split('/').includes('..'))
    throw new ConfigError(`unable to provision SubPath \`${subPath}\`: must not contain '..'`);
  const part = { volumeName: mount.name, volumePath, containerName: container.name, index, subPath };
  return machine.files.subPath(pod.metadata.uid, part).catch((error: Error) => {
    logger.warn('subPath refused', { pod: pod.metadata.name, subPath, error: String(error.cause ?? error) });
    throw new ConfigError(`${error.message} for volumeMount "${mount.name}" of container "${container.name}"`);
  });
}

/** Every variable of a subPathExpr must be set. */
function expandSubPath(text: string, environment: readonly Variable[]): string {
  const variables = new Map(environment.map(({ key, value }) => [key, value]));
  for (const [, escaped, name] of text.matchAll(/\$(?:(\$)|\(([^)]*)\))/g))
    if (!escaped && !variables.has(name)) throw new ConfigError(`missing value for "${name}"`);
  return expand(text, variables);
}
