// Security contexts of pods and containers.
// https://kubernetes.io/docs/tasks/configure-pod-container/security-context/

import type { FieldError } from '../../errors.ts';
import { duplicate, forbiddenField, invalidValue, notSupported, required, tooLong } from '../../fields.ts';
import type { PodSpec, SecurityContext } from '../../generated/types.ts';
import { internal } from '../../internal.ts';
import { each, oneOfThese, type Rule, range, set, struct } from '../rules.ts';
import { descending } from '../volume-sources.ts';
import { validateWindowsOptions } from './windows.ts';

const maxId = 2 ** 31 - 1;
const id = set(range(0, maxId));
const profileTypes = ['Localhost', 'RuntimeDefault', 'Unconfined'];

interface Profile {
  readonly type?: string;
  readonly localhostProfile?: string;
}

function profileType(type: string | undefined, path: string, field: string): FieldError[] {
  if (!type) return [required(`${path}.type`, `type is required when ${field} is set`)];
  return profileTypes.includes(type) ? [] : [notSupported(`${path}.type`, type, profileTypes)];
}

const seccomp: Rule = (profile: Profile | undefined, path) => {
  if (!profile) return [];
  const { type, localhostProfile: file } = profile;
  const errors = profileType(type, path, 'seccompProfile');
  const at = `${path}.localhostProfile`;
  if (type !== 'Localhost')
    return file === undefined
      ? errors
      : [
          ...errors,
          invalidValue(at, internal('core.SeccompProfile', profile), 'can only be set when seccomp type is Localhost'),
        ];
  if (file === undefined) return [required(at, 'must be set when seccomp type is Localhost')];
  return descending(file, at);
};

/** PATH_MAX - 1 */
const maxProfileBytes = 4095;

const appArmor: Rule = (profile: Profile | undefined, path) => {
  if (!profile) return [];
  const { type, localhostProfile: name } = profile;
  const at = `${path}.localhostProfile`;
  if (type !== 'Localhost') {
    const errors = profileType(type, path, 'appArmorProfile');
    return errors.length || name === undefined
      ? errors
      : [invalidValue(at, name, 'can only be set when AppArmor type is Localhost')];
  }
  if (name === undefined) return [required(at, 'must be set when AppArmor type is Localhost')];
  const errors: FieldError[] = [];
  if (name !== name.trim()) errors.push(invalidValue(at, name, 'must not be padded with whitespace'));
  else if (!name) errors.push(required(at, 'must be set when AppArmor type is Localhost'));
  if (name.length > maxProfileBytes) errors.push(tooLong(at, maxProfileBytes));
  return errors;
};

const podContext = struct({
  fsGroup: id,
  runAsUser: id,
  runAsGroup: id,
  supplementalGroups: each(id),
});
const podContextEnd = struct({
  fsGroupChangePolicy: set(oneOfThese('Always', 'OnRootMismatch')),
  seccompProfile: seccomp,
  windowsOptions: validateWindowsOptions,
  appArmorProfile: appArmor,
  supplementalGroupsPolicy: set(oneOfThese('Merge', 'Strict')),
  // MountOption is behind a feature gate that is off.
  seLinuxChangePolicy: set(oneOfThese('Recursive')),
});

export function validatePodSecurity(spec: PodSpec, path: string): FieldError[] {
  const at = `${path}.securityContext`;
  return [
    ...podContext(spec.securityContext, at),
    // Internally this field is one of the security context.
    ...(spec.shareProcessNamespace && spec.hostPID
      ? [invalidValue(`${at}.shareProcessNamespace`, true, 'ShareProcessNamespace and HostPID cannot both be enabled')]
      : []),
    ...validateSysctls(spec, `${at}.sysctls`),
    ...podContextEnd(spec.securityContext, at),
  ];
}

/** A pod with a user namespace cannot share other host namespaces. */
export function validateHostUsers(spec: PodSpec, path: string): FieldError[] {
  if (spec.hostUsers !== false) return [];
  const why = 'when `hostUsers` is false';
  const errors: FieldError[] = [];
  if (spec.hostNetwork) errors.push(forbiddenField(`${path}.hostNetwork`, why));
  if (spec.hostPID) errors.push(forbiddenField(`${path}.HostPID`, why));
  if (spec.hostIPC) errors.push(forbiddenField(`${path}.HostIPC`, why));
  for (const field of ['initContainers', 'containers', 'ephemeralContainers'] as const)
    for (const [index, container] of (spec[field] ?? []).entries())
      if (container.volumeDevices?.length) errors.push(forbiddenField(`${path}.${field}[${index}].volumeDevices`, why));
  return errors;
}

const segment = '[a-z0-9]([-_a-z0-9]*[a-z0-9])?';
const sysctlName = new RegExp(`^(${segment}[./])*${segment}$`);
const maxSysctlLength = 253;
const sysctlFault = `must have at most ${maxSysctlLength} characters and match regex ^(${segment}[\\./])*${segment}$`;

function validateSysctls(spec: PodSpec, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [index, { name = '' }] of (spec.securityContext?.sysctls ?? []).entries()) {
    const at = `${path}[${index}].name`;
    if (!name) errors.push(required(at));
    else if (name.length > maxSysctlLength || !sysctlName.test(name)) errors.push(invalidValue(at, name, sysctlFault));
    else if (seen.has(name)) errors.push(duplicate(at, name));
    if (spec.hostNetwork && isNetwork(name))
      errors.push(invalidValue(at, name, "may not be specified when 'hostNetwork' is true"));
    if (spec.hostIPC && isIpc(name)) errors.push(invalidValue(at, name, "may not be specified when 'hostIPC' is true"));
    seen.add(name);
  }
  return errors;
}

/** The first separator decides the others. */
const dotted = (name: string): string => {
  const first = /[./]/.exec(name)?.[0];
  return first === '/' ? name.replace(/[./]/g, (c) => (c === '/' ? '.' : '/')) : name;
};
const isNetwork = (name: string): boolean => dotted(name).startsWith('net.');
const ipcNames = ['sem', 'shm', 'shmall', 'shmmax', 'shmmni', 'shm_rmid_forced', 'msg', 'msgmax', 'msgmnb', 'msgmni'];
const isIpc = (name: string): boolean =>
  dotted(name).startsWith('fs.mqueue.') || ipcNames.some((part) => dotted(name) === `kernel.${part}`);

const containerContext = struct({ runAsUser: id, runAsGroup: id });
const containerContextEnd = struct({ windowsOptions: validateWindowsOptions, appArmorProfile: appArmor });
const procMount = set(oneOfThese('Default', 'Unmasked'));

export function validateContainerSecurity(
  security: SecurityContext | undefined,
  path: string,
  spec: PodSpec,
): FieldError[] {
  if (!security) return [];
  const errors = [...containerContext(security, path), ...procMount(security.procMount, `${path}.procMount`)];
  if (security.procMount === 'Unmasked' && spec.hostUsers !== false)
    errors.push(invalidValue(`${path}.procMount`, 'Unmasked', '`hostUsers` must be false to use `Unmasked`'));
  errors.push(...seccomp(security.seccompProfile, `${path}.seccompProfile`));
  if (security.allowPrivilegeEscalation === false) {
    const both = (setting: string) =>
      invalidValue(
        path,
        internal('core.SecurityContext', security),
        `cannot set \`allowPrivilegeEscalation\` to false and ${setting}`,
      );
    if (security.privileged) errors.push(both('`privileged` to true'));
    for (const name of security.capabilities?.add ?? [])
      if (name === 'CAP_SYS_ADMIN') errors.push(both('`capabilities.Add` CAP_SYS_ADMIN'));
  }
  return [...errors, ...containerContextEnd(security, path)];
}
