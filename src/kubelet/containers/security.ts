// Converts the security contexts of a pod and a container for the runtime.
// https://kubernetes.io/docs/tasks/configure-pod-container/security-context/

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Container, Pod } from '../../api/api.ts';
import type { ContainerSecurity, Image, SecurityProfile } from '../../container-runtime/container-runtime.ts';
import { allContainers } from '../pods/pod-actions.ts';
import { ConfigError } from './environment.ts';

const appArmorAnnotation = 'container.apparmor.security.beta.kubernetes.io/';

interface SeccompDefaults {
  /** Directory of Localhost profiles. */
  readonly root: string;
  /** Whether containers without a profile have the runtime's default one. */
  readonly isDefault?: boolean;
}

/** Throws ConfigError. */
export function securityOf(pod: Pod, container: Container, image: Image, defaults: SeccompDefaults): ContainerSecurity {
  const podLevel = pod.spec.securityContext ?? {};
  const own = container.securityContext ?? {};
  const runAsUser = own.runAsUser ?? podLevel.runAsUser;
  const runAsGroup = own.runAsGroup ?? podLevel.runAsGroup;
  if (own.runAsNonRoot ?? podLevel.runAsNonRoot) mustNotBeRoot(pod, container, runAsUser, image.user);
  const appArmor = appArmorOf(pod, container);
  return {
    ...(runAsUser !== undefined && { runAsUser }),
    ...(runAsGroup !== undefined && { runAsGroup }),
    supplementalGroups: [
      ...new Set([
        ...(podLevel.supplementalGroups ?? []),
        ...(podLevel.fsGroup !== undefined ? [podLevel.fsGroup] : []),
      ]),
    ],
    ...(podLevel.supplementalGroupsPolicy === 'Strict' && { supplementalGroupsPolicy: 'Strict' }),
    privileged: own.privileged ?? false,
    readOnlyRootFilesystem: own.readOnlyRootFilesystem ?? false,
    noNewPrivileges: own.allowPrivilegeEscalation === false,
    addCapabilities: own.capabilities?.add ?? [],
    dropCapabilities: own.capabilities?.drop ?? [],
    seccomp: seccompOf(own.seccompProfile ?? podLevel.seccompProfile, defaults),
    ...(appArmor && { appArmor }),
    ...(own.procMount === 'Unmasked' && { procMount: 'Unmasked' }),
  };
}

type Profile = { readonly type: string; readonly localhostProfile?: string };

function seccompOf(profile: Profile | undefined, { root, isDefault }: SeccompDefaults): SecurityProfile {
  if (profile?.type === 'RuntimeDefault' || (isDefault && !profile)) return { type: 'RuntimeDefault' };
  if (profile?.type !== 'Localhost') return { type: 'Unconfined' };
  if (!profile.localhostProfile)
    throw new ConfigError('localhostProfile must be set if seccompProfile type is Localhost.');
  return { type: 'Localhost', localhostRef: path.join(root, profile.localhostProfile) };
}

function appArmorOf(pod: Pod, container: Container): SecurityProfile | undefined {
  const annotated = pod.metadata.annotations?.[appArmorAnnotation + container.name];
  const profile: Profile | undefined =
    container.securityContext?.appArmorProfile ??
    (annotated === undefined ? undefined : annotatedProfile(annotated)) ??
    pod.spec.securityContext?.appArmorProfile;
  if (!profile) return undefined;
  if (profile.type !== 'Localhost') return { type: profile.type === 'Unconfined' ? 'Unconfined' : 'RuntimeDefault' };
  if (!profile.localhostProfile) throw new ConfigError('missing localhost apparmor profile name');
  return { type: 'Localhost', localhostRef: profile.localhostProfile };
}

function annotatedProfile(value: string): Profile | undefined {
  if (value === 'runtime/default') return { type: 'RuntimeDefault' };
  if (value === 'unconfined') return { type: 'Unconfined' };
  return value.startsWith('localhost/') ? { type: 'Localhost', localhostProfile: value.slice(10) } : undefined;
}

/** Whether a pod has an AppArmor profile, so that it cannot run without AppArmor. */
export function needsAppArmor(pod: Pod): boolean {
  const wants = (profile?: Profile) => profile !== undefined && profile.type !== 'Unconfined';
  if (wants(pod.spec.securityContext?.appArmorProfile)) return true;
  if (allContainers(pod).some((container) => wants(container.securityContext?.appArmorProfile))) return true;
  return Object.entries(pod.metadata.annotations ?? {}).some(
    ([name, value]) => name.startsWith(appArmorAnnotation) && value !== 'unconfined',
  );
}

export const isPrivileged = (pod: Pod): boolean =>
  allContainers(pod).some((container) => container.securityContext?.privileged === true);

const mostUserId = 2 ** 31 - 1;

function mustNotBeRoot(pod: Pod, container: Container, user: number | undefined, imageUser: string | undefined): void {
  const where = `(pod: "${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})", container: ${container.name})`;
  if (user === 0) throw new ConfigError(`container's runAsUser breaks non-root policy ${where}`);
  if (user !== undefined) return;
  const named = imageUser?.split(':')[0] || '0';
  // A numeric name is an id, in any notation.
  const id = /^\d+$/.test(named) ? Number(named) : undefined;
  if (id === 0) throw new ConfigError(`container has runAsNonRoot and image will run as root ${where}`);
  if (id === undefined)
    throw new ConfigError(
      `container has runAsNonRoot and image has non-numeric user (${named}), cannot verify user is non-root ${where}`,
    );
  if (id > mostUserId)
    throw new ConfigError(
      `container has runAsNonRoot and image has an invalid user id (${id}). (Must be 1-(${mostUserId})): must be between 0 and ${mostUserId}, inclusive ${where}`,
    );
}

/** Read at the kubelet's start: the kernel does not change later. */
export const hasAppArmor = (): boolean => {
  const enabled = '/sys/module/apparmor/parameters/enabled';
  return existsSync(enabled) && readFileSync(enabled, 'utf8').trim() === 'Y';
};

/** Neither the runtime's labels nor the mount options of volumes are supported. */
export const usesSELinux = ({ spec }: Pod): boolean =>
  [spec, ...spec.containers, ...(spec.initContainers ?? [])].some(({ securityContext }) =>
    Object.values(securityContext?.seLinuxOptions ?? {}).some(Boolean),
  );
