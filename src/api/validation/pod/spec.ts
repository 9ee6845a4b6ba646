// The whole spec of a pod; each concept has a separate file beside this one.
// https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#PodSpec

import {
  dns1123LabelFaults,
  dns1123SubdomainFaults,
  qualifiedNameFaults,
  underscoreSubdomainFaults,
} from '../../../machinery/text/names.ts';
import type { FieldError } from '../../errors.ts';
import { duplicate, forbiddenField, invalidValue, notFoundValue, required, tooLong } from '../../fields.ts';
import type { ObjectMeta, PodSpec, Toleration } from '../../generated/types.ts';
import { internal } from '../../internal.ts';
import { validateLabels } from '../metadata.ts';
import { legacyIp } from '../network.ts';
import { choice, each, given, type Rule, range, set, struct, text } from '../rules.ts';
import { validateAffinity, validateSpread } from './affinity.ts';
import { mirrorAnnotation } from './annotations.ts';
import { validateContainers } from './containers.ts';
import { validateContainerResources, validatePodResources } from './resources.ts';
import { validateHostUsers, validatePodSecurity } from './security.ts';
import { validateTolerations } from './tolerations.ts';
import { checkVolumes } from './volumes.ts';
import { containersOf, validateHostProcess, validateOs } from './windows.ts';

const label = text(dns1123LabelFaults);
const subdomain = text(dns1123SubdomainFaults);
const qualified = text(qualifiedNameFaults);

const policies = struct({
  restartPolicy: choice('Always', 'OnFailure', 'Never'),
  dnsPolicy: choice('ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'),
  nodeSelector: validateLabels,
});

const names = struct({
  serviceAccountName: given(subdomain),
  nodeName: given(subdomain),
  activeDeadlineSeconds: set(range(1, 2 ** 31 - 1)),
  hostname: given(label),
  subdomain: given(label),
  tolerations: (value: readonly Toleration[] | undefined, path) => validateTolerations(value ?? [], path),
  hostAliases: each(
    struct({ ip: (value: string | undefined, path) => legacyIp(path, value ?? ''), hostnames: each(subdomain) }),
  ),
  priorityClassName: given(subdomain),
  runtimeClassName: set(subdomain),
  preemptionPolicy: set(choice('PreemptLowerPriority', 'Never')),
});

/** `meta` is undefined in templates, whose pods get names later. */
export function validatePodSpec(spec: PodSpec, path: string, meta?: ObjectMeta): FieldError[] {
  const at = (field: string) => `${path}.${field}`;
  const { errors, usable: volumes } = checkVolumes(spec.volumes ?? [], at('volumes'), {
    ...(meta && { podName: meta.name ?? '' }),
  });
  const claims = new Set((spec.resourceClaims ?? []).map(({ name }) => name).filter(Boolean));
  return [
    ...(spec.terminationGracePeriodSeconds === undefined ? [required(at('terminationGracePeriodSeconds'))] : []),
    ...errors,
    ...validateClaims(spec, at('resourceClaims'), mirrorAnnotation in (meta?.annotations ?? {})),
    ...validateContainers(path, { spec, volumes, claims }),
    ...validatePodResources(spec, path, claims),
    ...validateHostNetwork(spec, path, meta !== undefined),
    ...policies(spec, path),
    ...validatePodSecurity(spec, path),
    ...validateAffinity(spec.affinity, at('affinity')),
    ...validateDns(spec, at('dnsConfig')),
    ...readinessGates(spec.readinessGates, at('readinessGates')),
    ...validateGates(spec, at('schedulingGates')),
    ...validateSpread(spec.topologySpreadConstraints ?? [], at('topologySpreadConstraints')),
    ...validateHostProcess(spec, path),
    ...validateHostUsers(spec, path),
    ...validateHostname(spec, at('hostnameOverride')),
    ...names(spec, path),
    ...(spec.overhead ? validateContainerResources({ limits: spec.overhead }, at('overhead'), new Set()) : []),
    ...validateOs(spec, path),
    ...validateFileVolumes(spec, path),
  ];
}

const readinessGates = each(struct({ conditionType: qualified }));

/** On the host's network a container's port is the host's. */
function validateHostNetwork(spec: PodSpec, path: string, isPod: boolean): FieldError[] {
  if (!spec.hostNetwork) return [];
  const errors: FieldError[] = [];
  for (const [index, { ports = [] }] of (spec.containers ?? []).entries())
    for (const [i, { hostPort = 0, containerPort }] of ports.entries())
      if ((isPod || hostPort) && hostPort !== containerPort)
        errors.push(
          invalidValue(
            `${path}.containers[${index}].ports[${i}].hostPort`,
            hostPort,
            'must match `containerPort` when `hostNetwork` is true',
          ),
        );
  return errors;
}

const maxNameservers = 3;
const maxSearches = 32;
const maxSearchLength = 2048;

function validateDns({ dnsPolicy, dnsConfig }: PodSpec, path: string): FieldError[] {
  const { nameservers = [], searches = [], options = [] } = dnsConfig ?? {};
  if (dnsPolicy === 'None' && !dnsConfig) return [required(path, 'must provide `dnsConfig` when `dnsPolicy` is None')];
  if (dnsPolicy === 'None' && !nameservers.length)
    return [required(`${path}.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None')];
  const errors: FieldError[] = [];
  const tooMuch = (field: string, value: unknown, limit: string) =>
    errors.push(invalidValue(`${path}.${field}`, value, `must not have more than ${limit}`));
  if (nameservers.length > maxNameservers) tooMuch('nameservers', nameservers, `${maxNameservers} nameservers`);
  for (const [index, server] of nameservers.entries())
    errors.push(...legacyIp(`${path}.nameservers[${index}]`, server));
  if (searches.length > maxSearches) tooMuch('searches', searches, `${maxSearches} search paths`);
  if (searches.join(' ').length > maxSearchLength)
    tooMuch('searches', searches, `${maxSearchLength} characters (including spaces) in the search list`);
  for (const [index, search] of searches.entries())
    if (search !== '.') errors.push(...searchDomain(search.replace(/\.$/, ''), `${path}.searches[${index}]`));
  for (const [index, option] of options.entries())
    if (!option.name) errors.push(required(`${path}.options[${index}]`, 'must not be empty'));
  return errors;
}

const searchDomain: Rule = text(underscoreSubdomainFaults);

function validateGates({ schedulingGates = [] }: PodSpec, path: string): FieldError[] {
  const seen = new Set<string>();
  return schedulingGates.flatMap(({ name = '' }, index) => {
    const at = `${path}[${index}]`;
    const errors = [...qualified(name, at)];
    if (seen.has(name)) errors.push(duplicate(at, name));
    seen.add(name);
    return errors;
  });
}

const maxHostname = 64;

function validateHostname(spec: PodSpec, path: string): FieldError[] {
  const name = spec.hostnameOverride;
  if (name === undefined) return [];
  const errors: FieldError[] = [];
  if (spec.setHostnameAsFQDN) errors.push(forbiddenField(path, 'may not be specified when setHostnameAsFQDN is true'));
  if (spec.hostNetwork) errors.push(forbiddenField(path, 'may not be specified when hostNetwork is true'));
  if (name.length > maxHostname) errors.push(tooLong(path, maxHostname));
  return [...errors, ...subdomain(name, path)];
}

/** Variables may be read only from files of volumes that the pod writes itself. */
function validateFileVolumes(spec: PodSpec, path: string): FieldError[] {
  const errors: FieldError[] = [];
  let volumes: Map<string, { emptyDir?: unknown }> | undefined;
  for (const [container, at] of containersOf(spec, path))
    for (const [index, { valueFrom }] of (container.env ?? []).entries()) {
      const ref = valueFrom?.fileKeyRef;
      if (!ref) continue;
      const name = ref.volumeName ?? '';
      const where = `${at}.env[${index}].valueFrom.fileKeyRef.volumeName`;
      volumes ??= new Map((spec.volumes ?? []).map((volume) => [volume.name, volume]));
      const volume = volumes.get(name);
      if (!volume) errors.push(notFoundValue(where, name));
      else if (!volume.emptyDir) errors.push(invalidValue(where, name, 'referenced volume must be of type emptyDir'));
    }
  return errors;
}

const claimNames = struct({ resourceClaimName: set(subdomain), resourceClaimTemplateName: set(subdomain) });

function validateClaims({ resourceClaims = [] }: PodSpec, path: string, isStatic: boolean): FieldError[] {
  if (isStatic) return resourceClaims.map(() => forbiddenField('', 'static pods do not support resource claims'));
  const seen = new Set<string>();
  return resourceClaims.flatMap((claim, index) => {
    const at = `${path}[${index}]`;
    const errors: FieldError[] = [];
    if (!claim.name) errors.push(required(`${at}.name`));
    else if (seen.has(claim.name)) errors.push(duplicate(`${at}.name`, claim.name));
    else errors.push(...label(claim.name, `${at}.name`));
    seen.add(claim.name);
    const given = [claim.resourceClaimName, claim.resourceClaimTemplateName].filter((name) => name !== undefined);
    const shown = () => internal('core.PodResourceClaim', claim);
    if (given.length === 2)
      errors.push(
        invalidValue(at, shown(), 'at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified'),
      );
    if (given.length === 0)
      errors.push(invalidValue(at, shown(), 'must specify one of: `resourceClaimName`, `resourceClaimTemplateName`'));
    return [...errors, ...claimNames(claim, at)];
  });
}
