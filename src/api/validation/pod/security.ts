// Security contexts of pods and containers.
// https://kubernetes.io/docs/tasks/configure-pod-container/security-context/

import type { FieldError } from '../../errors.ts';
import { forbiddenField, invalidValue, notSupported, oneOf, required } from '../../fields.ts';
import type { PodSpec, SecurityContext } from '../../generated/types.ts';
import { validateLocalPath } from './containers.ts';

const maxId = 2 ** 31 - 1;
const idFault = `must be between 0 and ${maxId}, inclusive`;
const validateId = (value: number | undefined, path: string): FieldError[] =>
  value !== undefined && (value < 0 || value > maxId) ? [invalidValue(path, value, idFault)] : [];

interface Profile {
  readonly type: string;
  readonly localhostProfile?: string;
}

export function validatePodSecurity(spec: PodSpec, path: string): FieldError[] {
  const at = `${path}.securityContext`;
  const security = spec.securityContext;
  const errors: FieldError[] = [];
  if (spec.hostUsers === false)
    for (const field of ['hostNetwork', 'hostPID', 'hostIPC'] as const)
      if (spec[field]) errors.push(forbiddenField(`${path}.${field}`, 'when `hostUsers` is false'));
  if (spec.shareProcessNamespace && spec.hostPID)
    errors.push(
      invalidValue(`${path}.shareProcessNamespace`, true, 'ShareProcessNamespace and HostPID cannot both be enabled'),
    );
  if (!security) return errors;
  for (const field of ['fsGroup', 'runAsUser', 'runAsGroup'] as const)
    errors.push(...validateId(security[field], `${at}.${field}`));
  for (const [index, group] of (security.supplementalGroups ?? []).entries())
    errors.push(...validateId(group, `${at}.supplementalGroups[${index}]`));
  errors.push(...oneOf(`${at}.fsGroupChangePolicy`, security.fsGroupChangePolicy, ['Always', 'OnRootMismatch']));
  errors.push(...oneOf(`${at}.supplementalGroupsPolicy`, security.supplementalGroupsPolicy, ['Merge', 'Strict']));
  errors.push(...validateSysctls(spec, `${at}.sysctls`));
  errors.push(...validateSeccomp(security.seccompProfile as Profile | undefined, `${at}.seccompProfile`));
  errors.push(...validateAppArmor(security.appArmorProfile as Profile | undefined, `${at}.appArmorProfile`));
  return errors;
}

const sysctlName = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/;

function validateSysctls(spec: PodSpec, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [index, { name }] of (spec.securityContext?.sysctls ?? []).entries()) {
    const at = `${path}[${index}].name`;
    const dotted = name.replaceAll('/', '.');
    if (!name) errors.push(required(at));
    else if (!sysctlName.test(name) || name.length > 253)
      errors.push(
        invalidValue(
          at,
          name,
          'must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$',
        ),
      );
    else if (seen.has(name))
      errors.push({ type: 'FieldValueDuplicate', field: at, message: `Duplicate value: ${JSON.stringify(name)}` });
    if (spec.hostNetwork && dotted.startsWith('net.'))
      errors.push(invalidValue(at, name, "may not be specified when 'hostNetwork' is true"));
    if (spec.hostIPC && (/^kernel\.(shm|msg|sem)/.test(dotted) || dotted.startsWith('fs.mqueue.')))
      errors.push(invalidValue(at, name, "may not be specified when 'hostIPC' is true"));
    seen.add(name);
  }
  return errors;
}

const profileTypes = ['Localhost', 'RuntimeDefault', 'Unconfined'];

function validateSeccomp(profile: Profile | undefined, path: string): FieldError[] {
  if (!profile) return [];
  const { type, localhostProfile } = profile;
  if (!type) return [required(`${path}.type`, 'type is required when seccompProfile is set')];
  if (!profileTypes.includes(type)) return [notSupported(`${path}.type`, type, profileTypes)];
  if (type === 'Localhost')
    return localhostProfile
      ? validateLocalPath(localhostProfile, `${path}.localhostProfile`)
      : [required(`${path}.localhostProfile`, 'must be set when seccomp type is Localhost')];
  return localhostProfile !== undefined
    ? [invalidValue(`${path}.localhostProfile`, localhostProfile, 'can only be set when seccomp type is Localhost')]
    : [];
}

function validateAppArmor(profile: Profile | undefined, path: string): FieldError[] {
  if (!profile) return [];
  const { type, localhostProfile } = profile;
  if (!type) return [required(`${path}.type`, 'type is required when appArmorProfile is set')];
  if (!profileTypes.includes(type)) return [notSupported(`${path}.type`, type, profileTypes)];
  if (type === 'Localhost')
    return localhostProfile
      ? []
      : [required(`${path}.localhostProfile`, 'must be set when AppArmor type is Localhost')];
  return localhostProfile !== undefined
    ? [invalidValue(`${path}.localhostProfile`, localhostProfile, 'can only be set when AppArmor type is Localhost')]
    : [];
}

export function validateContainerSecurity(
  security: SecurityContext | undefined,
  path: string,
  spec: PodSpec,
): FieldError[] {
  if (!security) return [];
  const errors = [
    ...validateId(security.runAsUser, `${path}.runAsUser`),
    ...validateId(security.runAsGroup, `${path}.runAsGroup`),
    ...oneOf(`${path}.procMount`, security.procMount, ['Default', 'Unmasked']),
    ...validateSeccomp(security.seccompProfile as Profile | undefined, `${path}.seccompProfile`),
    ...validateAppArmor(security.appArmorProfile as Profile | undefined, `${path}.appArmorProfile`),
  ];
  if (security.procMount === 'Unmasked' && spec.hostUsers !== false)
    errors.push(invalidValue(`${path}.procMount`, 'Unmasked', '`hostUsers` must be false to use `Unmasked`'));
  if (security.allowPrivilegeEscalation === false) {
    const both = (what: string) =>
      invalidValue(path, internalContext(security), `cannot set \`allowPrivilegeEscalation\` to false and ${what}`);
    if (security.privileged) errors.push(both('`privileged` to true'));
    if (security.capabilities?.add?.some((name) => name === 'CAP_SYS_ADMIN'))
      errors.push(both('`capabilities.Add` CAP_SYS_ADMIN'));
  }
  return errors;
}

/** The context as Kubernetes prints it: its internal type. */
const internalContext = (s: SecurityContext) => ({
  Capabilities: s.capabilities ? { Add: s.capabilities.add ?? null, Drop: s.capabilities.drop ?? null } : null,
  Privileged: s.privileged ?? null,
  SELinuxOptions: s.seLinuxOptions ?? null,
  WindowsOptions: s.windowsOptions ?? null,
  RunAsUser: s.runAsUser ?? null,
  RunAsGroup: s.runAsGroup ?? null,
  RunAsNonRoot: s.runAsNonRoot ?? null,
  ReadOnlyRootFilesystem: s.readOnlyRootFilesystem ?? null,
  AllowPrivilegeEscalation: s.allowPrivilegeEscalation ?? null,
  ProcMount: s.procMount ?? null,
  SeccompProfile: s.seccompProfile ?? null,
  AppArmorProfile: s.appArmorProfile ?? null,
});
