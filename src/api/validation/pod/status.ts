// Changes through a pod's /status, which the kubelet and controllers write.

import { parseIp } from '../../../machinery/ip.ts';
import { dns1123LabelFaults, dns1123SubdomainFaults, qualifiedNameFaults } from '../../../machinery/text/names.ts';
import type { FieldError } from '../../errors.ts';
import { duplicate, forbiddenField, immutableField, invalidValue, invalidValues, required } from '../../fields.ts';
import type { Container, ContainerStatus, Pod, PodSpec } from '../../generated/types.ts';
import { internal } from '../../internal.ts';
import { restartsIn } from '../../objects/restart-policy.ts';
import { specOf } from '../../spec-of.ts';
import { legacyIp } from '../network.ts';
import { each, need, type Rule, set, struct, text } from '../rules.ts';
import { validateAnnotationUpdate } from './annotations.ts';
import { validateStatusDetails } from './status-details.ts';

type Status = NonNullable<Pod['status']>;

const systemConditions = ['PodScheduled', 'Ready', 'Initialized'];

export function validatePodStatusUpdate(next: Pod, old: Pod): FieldError[] {
  const [status, before] = [next.status ?? {}, old.status ?? {}];
  const errors = [
    ...validateAnnotationUpdate(next, old),
    ...conditions(status.conditions, 'status.conditions'),
    ...validateNomination(status, before, old),
    ...generation(status.observedGeneration, 'status.observedGeneration'),
  ];
  if ((status.qosClass ?? '') !== (before.qosClass ?? ''))
    errors.push(immutableField('status.qosClass', status.qosClass ?? ''));
  return [
    ...errors,
    ...validateTransitions(status, before, specOf(old)),
    ...validateClaims(status, specOf(next)),
    ...validateIps(status.podIPs, before.podIPs, 'PodIP'),
    ...validateHostIps(status, before),
    ...validateStatusDetails(status, specOf(next)),
  ];
}

const generation: Rule = (value: number | undefined = 0, path) =>
  value < 0 ? [invalidValue(path, value, 'must be a non-negative integer')] : [];

/** Kubernetes spells the path of the type with a capital letter. */
const conditions = each(({ type = '', observedGeneration }, path) => [
  ...generation(observedGeneration, `${path}.observedGeneration`),
  ...(systemConditions.includes(type) ? [] : invalidValues(`${path}.Type`, type, qualifiedNameFaults(type))),
]);

function validateNomination(status: Status, before: Status, old: Pod): FieldError[] {
  const path = 'status.nominatedNodeName';
  const name = status.nominatedNodeName;
  if (!name || name === before.nominatedNodeName) return [];
  const errors = invalidValues(path, name, dns1123SubdomainFaults(name));
  if (old.spec?.nodeName) errors.push(forbiddenField(path, 'may not be set on pods that are already bound to a node'));
  return errors;
}

/** An ended container that will not restart stays ended. */
function validateTransitions(status: Status, before: Status, spec: PodSpec): FieldError[] {
  const all = [...(spec.initContainers ?? []), ...(spec.containers ?? [])];
  const isRestartedWhole = all.some(({ restartPolicyRules }) =>
    restartPolicyRules?.some(({ action }) => action === 'RestartAllContainers'),
  );
  const mayRestart = (containers: readonly Container[] | undefined) => (name: string, exitCode: number) => {
    const container = containers?.find((candidate) => candidate.name === name);
    return isRestartedWhole || (container !== undefined && restartsIn(spec, container, exitCode));
  };
  return [
    ...transitions(status, before, 'containerStatuses', mayRestart(spec.containers)),
    ...transitions(status, before, 'initContainerStatuses', mayRestart(spec.initContainers)),
    ...transitions(status, before, 'ephemeralContainerStatuses', () => false),
  ];
}

/** Kubernetes gives the index in the old list. */
function transitions(
  status: Status,
  before: Status,
  field: 'containerStatuses' | 'initContainerStatuses' | 'ephemeralContainerStatuses',
  mayRestart: (name: string, exitCode: number) => boolean,
): FieldError[] {
  return (before[field] ?? []).flatMap(({ name, state }: ContainerStatus, index) => {
    const restarted = status[field]?.some((now) => now.name === name && !now.state?.terminated);
    return !state?.terminated || !restarted || mayRestart(name, state.terminated.exitCode ?? 0)
      ? []
      : [forbiddenField(`status.${field}[${index}].state`, 'may not be transitioned to non-terminated state')];
  });
}

const claimName = set(text(dns1123SubdomainFaults));

function validateClaims(status: Status, spec: PodSpec): FieldError[] {
  const names = new Set<string>();
  const errors = (status.resourceClaimStatuses ?? []).flatMap(({ name = '', resourceClaimName }, index) => {
    const path = `status.resourceClaimStatuses[${index}]`;
    const found: FieldError[] = [];
    if (!spec.resourceClaims?.some((claim) => claim.name === name))
      found.push(invalidValue(`${path}.name`, name, 'must match the name of an entry in `spec.resourceClaims`'));
    if (names.has(name)) found.push(duplicate(`${path}.name`, name));
    names.add(name);
    return [...found, ...claimName(resourceClaimName, `${path}.resourceClaimName`)];
  });
  return [...errors, ...validateExtendedClaim(status, spec)];
}

const extendedPath = 'status.extendedResourceClaimStatus';
const extendedName = struct({ resourceClaimName: [need(), (name, path) => (name ? claimName(name, path) : [])] });

/** The claim that the scheduler made for extended resources of the containers. */
function validateExtendedClaim({ extendedResourceClaimStatus: claim }: Status, spec: PodSpec): FieldError[] {
  if (!claim) return [];
  const path = `${extendedPath}.requestMappings`;
  const mappings = claim.requestMappings ?? [];
  const errors = mappings.length ? [] : [required(path, 'at least one request mapping is required')];
  const containers = new Map([...(spec.initContainers ?? []), ...(spec.containers ?? [])].map((c) => [c.name, c]));
  const seen = new Set<string>();
  for (const [index, { containerName = '', resourceName = '', requestName = '' }] of mappings.entries()) {
    const at = `${path}[${index}]`;
    const container = containers.get(containerName);
    if (!container)
      errors.push(
        invalidValue(
          `${at}.containerName`,
          containerName,
          'must match the name of an entry in spec.initContainers.name or spec.containers.name',
        ),
      );
    else if (!(resourceName in ((container.resources?.requests as object | undefined) ?? {})))
      errors.push(
        invalidValue(
          `${at}.resourceName`,
          resourceName,
          'must match the extended resource name of an entry in spec.initContainers.resources.requests or spec.containers.resources.requests',
        ),
      );
    // Kubernetes leaves the mapping out of this path.
    errors.push(...invalidValues(`${extendedPath}.requestName`, requestName, dns1123LabelFaults(requestName)));
    const key = [containerName, resourceName, requestName].join('\n');
    if (seen.has(key))
      for (const [field, value] of Object.entries({ containerName, resourceName, requestName }))
        errors.push(duplicate(`${at}.${field}`, value));
    seen.add(key);
  }
  return [...errors, ...extendedName(claim, extendedPath)];
}

type Ips = readonly { readonly ip?: string }[] | undefined;

/** Addresses of the pod or its host: at most one of a family. Addresses that were accepted once may stay. */
function validateIps(ips: Ips = [], before: Ips, type: 'PodIP' | 'HostIP'): FieldError[] {
  const path = `status.${type === 'PodIP' ? 'podIPs' : 'hostIPs'}`;
  const previous = new Set((before ?? []).map(({ ip = '' }) => ip));
  const errors = ips.flatMap(({ ip = '' }, index) => legacyIp(`${path}[${index}]`, ip, previous));
  const parsed = ips.map(({ ip = '' }) => parseIp(ip)?.family);
  const wrong = parsed.indexOf(undefined);
  if (ips.length > 1 && wrong >= 0) {
    const why = `Internal error: failed to check for dual stack with error:invalid IP[${wrong}]: ${ips[wrong].ip ?? ''}`;
    errors.push({ type: 'InternalError', field: path, message: why });
  }
  if (ips.length > 2 || (ips.length === 2 && (wrong >= 0 || new Set(parsed).size < 2)))
    errors.push(
      invalidValue(path, internal(`[]core.${type}`, ips), 'may specify no more than one IP for each IP family'),
    );
  return errors;
}

function validateHostIps({ hostIP = '', hostIPs }: Status, before: Status): FieldError[] {
  const first = hostIPs?.[0]?.ip ?? '';
  return [
    ...(hostIPs?.length && first !== hostIP
      ? [invalidValue('status.hostIPs[0].ip', first, 'must be equal to `hostIP`')]
      : []),
    ...validateIps(hostIPs, before.hostIPs, 'HostIP'),
  ];
}
