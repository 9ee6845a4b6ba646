// Which pods may run built-in images. Such a program has the rights of the node, and no isolation: a pod must not get
// them by naming an image, and no field may be without effect. Pure.

import type { ContainerConfig, ContainerSecurity, SandboxConfig } from '../interface.ts';

const namespace = 'kube-system';
/** Variables of services, which the kubelet sets: https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables */
const serviceVariable = /^[A-Z0-9_]+_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP|SCTP)(_[A-Z]+)?)?)$/;

/** Whether all its containers have built-in images, and it may run them. */
export const isBuiltInPod = (
  { namespace: own, hostNetwork, images = [] }: SandboxConfig,
  isBuiltIn: (image: string) => boolean,
): boolean => own === namespace && hostNetwork && images.length > 0 && images.every(isBuiltIn);

/** Why a pod that is none may not run the image. */
export const needsBuiltInPod = (image: string): string =>
  `image ${image} is a part of the node: it runs only in pods of ${namespace} with hostNetwork: true, all of whose containers have such images`;

/** The fields of a sandbox that would have no effect. */
export function unsupportedOfSandbox(config: SandboxConfig): string[] {
  return fieldsOf({
    hostPID: config.hostPid,
    hostIPC: config.hostIpc,
    shareProcessNamespace: config.sharePid,
    hostUsers: config.userNamespace !== undefined,
    'securityContext.sysctls': Object.keys(config.sysctls ?? {}).length > 0,
    dnsConfig: (config.dns?.servers.length ?? 0) > 0,
  });
}

/** The fields of a container that would have no effect. */
export function unsupportedOfContainer(config: ContainerConfig): string[] {
  const { resources, security, mounts, env } = config;
  const volumes = mounts.filter(({ origin }) => origin === undefined);
  const variables = env.filter(({ key }) => !serviceVariable.test(key));
  return fieldsOf({
    command: config.command.length > 0,
    workingDir: config.workingDir !== undefined,
    [`env (${variables.map(({ key }) => key).join(', ')})`]: variables.length > 0,
    [`volumeMounts (${volumes.map(({ containerPath }) => containerPath).join(', ')})`]: volumes.length > 0,
    devices: (config.devices?.length ?? 0) + (config.cdiDevices?.length ?? 0) > 0,
    stdin: config.stdin,
    tty: config.tty,
    'resources.limits':
      Boolean(resources.memoryLimitBytes || resources.cpuQuota) ||
      (resources.hugepageLimits?.some(({ limitBytes }) => limitBytes > 0) ?? false),
    ...unsupportedOfSecurity(security),
  });
}

/** `privileged` describes the rights that it always has. */
const unsupportedOfSecurity = (security: ContainerSecurity): Readonly<Record<string, boolean>> => ({
  'securityContext.runAsUser': security.runAsUser !== undefined && security.runAsUser !== 0,
  'securityContext.runAsGroup': security.runAsGroup !== undefined && security.runAsGroup !== 0,
  'securityContext.readOnlyRootFilesystem': security.readOnlyRootFilesystem,
  'securityContext.allowPrivilegeEscalation': security.noNewPrivileges,
  'securityContext.capabilities': security.addCapabilities.length + security.dropCapabilities.length > 0,
  'securityContext.seccompProfile': (security.seccomp?.type ?? 'Unconfined') !== 'Unconfined',
  'securityContext.appArmorProfile': (security.appArmor?.type ?? 'Unconfined') !== 'Unconfined',
});

const fieldsOf = (used: Readonly<Record<string, boolean | undefined>>): string[] =>
  Object.entries(used).flatMap(([field, isUsed]) => (isUsed ? [field] : []));
