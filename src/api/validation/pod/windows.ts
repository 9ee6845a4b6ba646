// Fields that are valid on Windows only, or invalid there.
// https://kubernetes.io/docs/concepts/windows/intro/#compatibility-v1-pod-spec-containers

import { fieldsIn } from '../../../machinery/parsed.ts';
import { dns1123SubdomainFaults } from '../../../machinery/text/names.ts';
import type { FieldError } from '../../errors.ts';
import { forbiddenField, invalidValue, invalidValues, notSupported, required } from '../../fields.ts';
import type { Container, PodSecurityContext, PodSpec, WindowsSecurityContextOptions } from '../../generated/types.ts';
import type { Rule } from '../rules.ts';
import { isEmpty } from '../rules.ts';

const maxCredentialKiB = 64;
const maxDomainLength = 256;
const maxUserLength = 104;
const netBios = /^[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}$/;
const dnsLabel = '[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?';
const dnsDomain = new RegExp(`^${dnsLabel}(?:\\.${dnsLabel})*$`);

export const validateWindowsOptions: Rule = (options: WindowsSecurityContextOptions | undefined, path) => {
  if (!options) return [];
  const { gmsaCredentialSpecName: name, gmsaCredentialSpec: spec, runAsUserName } = options;
  const errors: FieldError[] = [];
  if (name !== undefined)
    errors.push(...invalidValues(`${path}.gmsaCredentialSpecName`, name, dns1123SubdomainFaults(name)));
  if (spec === '')
    errors.push(invalidValue(`${path}.gmsaCredentialSpec`, spec, 'gmsaCredentialSpec cannot be an empty string'));
  else if (spec && spec.length > maxCredentialKiB * 1024)
    errors.push(
      invalidValue(`${path}.gmsaCredentialSpec`, spec, `gmsaCredentialSpec size must be under ${maxCredentialKiB} KiB`),
    );
  if (runAsUserName === undefined) return errors;
  return [...errors, ...invalidValues(`${path}.runAsUserName`, runAsUserName, userFaults(runAsUserName))];
};

function userFaults(name: string): string[] {
  if (!name) return ['runAsUserName cannot be an empty string'];
  if (hasControl(name)) return ['runAsUserName cannot contain control characters'];
  const parts = name.split('\\');
  if (parts.length > 2) return ['runAsUserName cannot contain more than one backslash'];
  const user = parts[parts.length - 1];
  const domain = parts.length === 2 ? parts[0] : undefined;
  const faults: string[] = [];
  if (domain !== undefined && domain.length >= maxDomainLength)
    faults.push(`runAsUserName's Domain length must be under ${maxDomainLength} characters`);
  if (domain !== undefined && !netBios.test(domain) && !dnsDomain.test(domain))
    faults.push("runAsUserName's Domain doesn't match the NetBios nor the DNS format");
  if (!user) faults.push("runAsUserName's User cannot be empty");
  else if (user.length > maxUserLength)
    faults.push(`runAsUserName's User length must not be longer than ${maxUserLength} characters`);
  if (/^[. ]+$/.test(user)) faults.push("runAsUserName's User cannot contain only periods or spaces");
  if (/["/\\:;|=,+*?<>@[\]]/.test(user))
    faults.push('runAsUserName\'s User cannot contain the following characters: "/\\:;|=,+*?<>@[]');
  return faults;
}

const hasControl = (text: string): boolean => [...text].some((c) => c < ' ' || c === '\u007f');

type Field = 'initContainers' | 'containers' | 'ephemeralContainers';

/** Every container with its path, in the order in which Kubernetes visits them. */
export function* containersOf(spec: PodSpec, path: string): Generator<[Container, string]> {
  for (const field of ['initContainers', 'containers', 'ephemeralContainers'] as Field[])
    for (const [index, container] of (spec[field] ?? []).entries())
      yield [container as Container, `${path}.${field}[${index}]`];
}

/** Containers that are processes of the host: all of a pod or none, and on the host's network. */
export function validateHostProcess(spec: PodSpec, path: string): FieldError[] {
  const pod = spec.securityContext?.windowsOptions?.hostProcess;
  const errors: FieldError[] = [];
  let total = 0;
  let hosted = 0;
  for (const [container, at] of containersOf(spec, path)) {
    total++;
    const own = container.securityContext?.windowsOptions?.hostProcess;
    if (pod !== undefined && own !== undefined && pod !== own)
      errors.push(
        invalidValue(
          `${at}.securityContext.windowsOptions.hostProcess`,
          own,
          `pod hostProcess value must be identical if both are specified, was ${pod}`,
        ),
      );
    if (own ?? pod) hosted++;
  }
  if (!hosted) return errors;
  if (hosted !== total)
    errors.push(
      invalidValue(
        path,
        '',
        'If pod contains any hostProcess containers then all containers must be HostProcess containers',
      ),
    );
  if (!spec.hostNetwork)
    errors.push(
      invalidValue(`${path}.hostNetwork`, false, 'hostNetwork must be true if pod contains any hostProcess containers'),
    );
  return errors;
}

export function validateOs(spec: PodSpec, path: string): FieldError[] {
  if (!spec.os) return [];
  const { name } = spec.os;
  if (!name) return [required(`${path}.os.name`)];
  if (name !== 'linux' && name !== 'windows') return [notSupported(`${path}.os`, name, ['linux', 'windows'])];
  return name === 'linux' ? validateLinux(spec, path) : validateWindows(spec, path);
}

function validateLinux(spec: PodSpec, path: string): FieldError[] {
  const fault = 'windows options cannot be set for a linux pod';
  const holders: [{ securityContext?: PodSecurityContext }, string][] = [[spec, path], ...containersOf(spec, path)];
  return holders
    .filter(([holder]) => holder.securityContext?.windowsOptions)
    .map(([, at]) => forbiddenField(`${at}.securityContext.windowsOptions`, fault));
}

/** Fields of the pod's spec and, behind `securityContext`, of its security context. */
const notOnWindows = [
  'securityContext.appArmorProfile',
  'securityContext.seLinuxOptions',
  'hostUsers',
  'hostPID',
  'hostIPC',
  'securityContext.seccompProfile',
  'securityContext.fsGroup',
  'securityContext.fsGroupChangePolicy',
  'securityContext.sysctls',
  'shareProcessNamespace',
  'securityContext.runAsUser',
  'securityContext.runAsGroup',
  'securityContext.supplementalGroups',
  'securityContext.supplementalGroupsPolicy',
  'securityContext.seLinuxChangePolicy',
];
const notInWindowsContainers = [
  'appArmorProfile',
  'seLinuxOptions',
  'seccompProfile',
  'capabilities',
  'readOnlyRootFilesystem',
  'privileged',
  'allowPrivilegeEscalation',
  'procMount',
  'runAsUser',
  'runAsGroup',
] as const;

function validateWindows(spec: PodSpec, path: string): FieldError[] {
  const fault = 'cannot be set for a windows pod';
  const at = (field: string) => field.split('.').reduce<unknown>((value, part) => fieldsIn(value)[part], spec);
  const isSet = (field: string) => {
    const value = at(field);
    if (field === 'hostPID' || field === 'hostIPC') return value === true;
    return field === 'securityContext.sysctls' ? !isEmpty(value) : value !== undefined;
  };
  const errors = notOnWindows.filter(isSet).map((field) => forbiddenField(`${path}.${field}`, fault));
  for (const [container, own] of containersOf(spec, path))
    for (const field of notInWindowsContainers)
      if (container.securityContext?.[field] !== undefined)
        errors.push(forbiddenField(`${own}.securityContext.${field}`, fault));
  return errors;
}
