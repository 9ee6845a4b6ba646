// A pod's spec as a whole; each concept has a file of its own beside this one.
// https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#PodSpec

import { parseIp } from '../../../machinery/ip.ts';
import { dns1123LabelFaults, dns1123SubdomainFaults, qualifiedNameFaults } from '../../../machinery/names.ts';
import type { FieldError } from '../../errors.ts';
import {
  duplicate,
  forbiddenField,
  invalidValue,
  invalidValues,
  notSupported,
  oneOf,
  required,
  tooMany,
} from '../../fields.ts';
import type { ObjectMeta, PodSpec } from '../../generated/types.ts';
import { validateLabels } from '../metadata.ts';
import { ipMessage } from '../network.ts';
import { validateAffinity, validateSpread } from './affinity.ts';
import { validateContainers } from './containers.ts';
import { validatePodResources } from './resources.ts';
import { validatePodSecurity } from './security.ts';
import { validateTolerations } from './tolerations.ts';
import { validateVolumes } from './volumes.ts';

const maxInt32 = 2 ** 31 - 1;

export interface PodRules {
  /** The spec is part of a template: its pod has no name yet. */
  readonly template?: boolean;
}

export function validatePodSpec(
  spec: PodSpec,
  path: string,
  _metadata: Partial<ObjectMeta>,
  rules: PodRules = {},
): FieldError[] {
  const at = (field: string) => `${path}.${field}`;
  return [
    ...validateVolumes(spec.volumes ?? [], at('volumes')),
    ...validateClaims(spec, at('resourceClaims')),
    ...validateContainers(spec, path),
    ...validatePolicies(spec, path),
    ...validateLabels(spec.nodeSelector, at('nodeSelector')),
    ...validateNames(spec, path),
    ...validatePodSecurity(spec, path),
    ...validatePodResources(spec, path),
    ...validateAffinity(spec.affinity, at('affinity')),
    ...validateSpread(spec.topologySpreadConstraints ?? [], at('topologySpreadConstraints')),
    ...validateTolerations(spec.tolerations ?? [], at('tolerations')),
    ...validateDns(spec, path),
    ...validateHostAliases(spec, at('hostAliases')),
    ...validateGates(spec, path, rules),
    ...validateOs(spec, path),
  ];
}

function validatePolicies(spec: PodSpec, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const policies = ['Always', 'OnFailure', 'Never'];
  if (!spec.restartPolicy) {
    // A template without one is refused by its owner, in the owner's words.
  } else if (!policies.includes(spec.restartPolicy))
    errors.push(notSupported(`${path}.restartPolicy`, spec.restartPolicy, policies));
  const dns = ['Default', 'ClusterFirst', 'ClusterFirstWithHostNet', 'None'];
  errors.push(...oneOf(`${path}.dnsPolicy`, spec.dnsPolicy, [dns[1], dns[2], dns[0], dns[3]]));
  const deadline = spec.activeDeadlineSeconds;
  if (deadline !== undefined && (deadline < 1 || deadline > maxInt32))
    errors.push(
      invalidValue(`${path}.activeDeadlineSeconds`, deadline, `must be between 1 and ${maxInt32}, inclusive`),
    );
  errors.push(...oneOf(`${path}.preemptionPolicy`, spec.preemptionPolicy, ['Never', 'PreemptLowerPriority']));
  return errors;
}

function validateNames(spec: PodSpec, path: string): FieldError[] {
  const subdomains = [
    'serviceAccountName',
    'nodeName',
    'priorityClassName',
    'runtimeClassName',
    'schedulerName',
  ] as const;
  const errors = subdomains.flatMap((field) =>
    spec[field] ? invalidValues(`${path}.${field}`, spec[field], dns1123SubdomainFaults(spec[field]!)) : [],
  );
  for (const field of ['hostname', 'subdomain'] as const)
    if (spec[field]) errors.push(...invalidValues(`${path}.${field}`, spec[field], dns1123LabelFaults(spec[field]!)));
  return errors;
}

function validateDns(spec: PodSpec, path: string): FieldError[] {
  const at = `${path}.dnsConfig`;
  const { nameservers = [], searches = [], options = [] } = spec.dnsConfig ?? {};
  const errors: FieldError[] = [];
  if (spec.dnsPolicy === 'None' && !spec.dnsConfig)
    return [required(at, 'must provide `dnsConfig` when `dnsPolicy` is None')];
  if (spec.dnsPolicy === 'None' && !nameservers.length)
    errors.push(required(`${at}.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None'));
  if (nameservers.length > 3)
    errors.push(invalidValue(`${at}.nameservers`, nameservers, 'must not have more than 3 nameservers'));
  for (const [index, server] of nameservers.entries())
    if (!parseIp(server)) errors.push(invalidValue(`${at}.nameservers[${index}]`, server, ipMessage));
  if (searches.length > 32)
    errors.push(invalidValue(`${at}.searches`, searches, 'must not have more than 32 search paths'));
  if (searches.join(' ').length > 2048)
    errors.push(
      invalidValue(
        `${at}.searches`,
        searches,
        'must not have more than 2048 characters (including spaces) in the search list',
      ),
    );
  for (const [index, search] of searches.entries()) {
    const name = search.replace(/\.$/, '').replaceAll('_', 'a');
    if (search !== '.') errors.push(...invalidValues(`${at}.searches[${index}]`, search, dns1123SubdomainFaults(name)));
  }
  for (const [index, option] of options.entries())
    if (!option.name) errors.push(required(`${at}.options[${index}]`, 'must not be empty'));
  return errors;
}

function validateHostAliases(spec: PodSpec, path: string): FieldError[] {
  return (spec.hostAliases ?? []).flatMap((alias, index) => [
    ...(parseIp(alias.ip) ? [] : [invalidValue(`${path}[${index}].ip`, alias.ip, ipMessage)]),
    ...(alias.hostnames ?? []).flatMap((name, i) =>
      invalidValues(`${path}[${index}].hostnames[${i}]`, name, dns1123SubdomainFaults(name)),
    ),
  ]);
}

function validateGates(spec: PodSpec, path: string, rules: PodRules): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [index, { name }] of (spec.schedulingGates ?? []).entries()) {
    const at = `${path}.schedulingGates[${index}]`;
    errors.push(...invalidValues(at, name, qualifiedNameFaults(name)));
    if (seen.has(name)) errors.push(duplicate(at, name));
    seen.add(name);
  }
  if (seen.size && spec.nodeName && !rules.template)
    errors.push(forbiddenField(`${path}.nodeName`, 'cannot be set until all schedulingGates have been cleared'));
  for (const [index, { conditionType }] of (spec.readinessGates ?? []).entries())
    errors.push(
      ...invalidValues(
        `${path}.readinessGates[${index}].conditionType`,
        conditionType,
        qualifiedNameFaults(conditionType),
      ),
    );
  return errors;
}

function validateOs(spec: PodSpec, path: string): FieldError[] {
  const os = spec.os?.name;
  if (!spec.os) return [];
  if (!os) return [required(`${path}.os.name`, 'cannot be empty')];
  if (os !== 'linux' && os !== 'windows') return [notSupported(`${path}.os`, os, ['linux', 'windows'])];
  const errors: FieldError[] = [];
  const security = spec.securityContext as Record<string, unknown> | undefined;
  const forbidden =
    os === 'windows'
      ? [
          'appArmorProfile',
          'seLinuxOptions',
          'seccompProfile',
          'fsGroup',
          'fsGroupChangePolicy',
          'sysctls',
          'runAsUser',
          'runAsGroup',
          'supplementalGroups',
          'supplementalGroupsPolicy',
        ]
      : ['windowsOptions'];
  for (const field of forbidden)
    if (security?.[field] !== undefined)
      errors.push(
        forbiddenField(
          `${path}.securityContext.${field}`,
          `cannot be set for a ${os === 'linux' ? 'linux' : 'windows'} pod`,
        ),
      );
  if (os === 'windows')
    for (const field of ['hostPID', 'hostIPC', 'shareProcessNamespace', 'hostUsers'] as const)
      if (spec[field]) errors.push(forbiddenField(`${path}.${field}`, 'cannot be set for a windows pod'));
  return errors;
}

function validateClaims(spec: PodSpec, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const claims = spec.resourceClaims ?? [];
  const seen = new Set<string>();
  for (const [index, claim] of claims.entries()) {
    const at = `${path}[${index}]`;
    if (!claim.name) errors.push(required(`${at}.name`));
    else if (seen.has(claim.name)) errors.push(duplicate(`${at}.name`, claim.name));
    else errors.push(...invalidValues(`${at}.name`, claim.name, dns1123LabelFaults(claim.name)));
    seen.add(claim.name);
    const shown = {
      Name: claim.name,
      ResourceClaimName: claim.resourceClaimName ?? null,
      ResourceClaimTemplateName: claim.resourceClaimTemplateName ?? null,
    };
    const sources = '`resourceClaimName`, `resourceClaimTemplateName`';
    if (claim.resourceClaimName !== undefined && claim.resourceClaimTemplateName !== undefined)
      errors.push(invalidValue(at, shown, `at most one of ${sources} may be specified`));
    if (claim.resourceClaimName === undefined && claim.resourceClaimTemplateName === undefined)
      errors.push(invalidValue(at, shown, `must specify one of: ${sources}`));
  }
  if (claims.length > 256) errors.push(tooMany(path, claims.length, 256));
  return errors;
}
