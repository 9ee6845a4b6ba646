// Warning headers for accepted pods and templates.

import { isWholeQuantity } from '../../../machinery/quantity.ts';
import type { Container, ObjectMeta, PodSpec } from '../../generated/types.ts';
import { claimWarnings } from '../claim.ts';
import { ipWarnings } from '../network.ts';
import { nodeLabelWarning, nodeTermWarnings } from '../node-labels.ts';
import { volumePathWarnings } from './volume-warnings.ts';
import { containersOf } from './windows.ts';

type Meta = Pick<ObjectMeta, 'annotations'> | undefined;

/** `path` is that of the template; empty for a pod. */
export function podWarnings(spec: PodSpec | undefined, meta?: Meta, path = ''): string[] {
  if (!spec) return [];
  const at = (field: string) => (path ? `${path}.${field}` : field);
  return [
    ...nodeWarnings(spec, at('spec')),
    ...annotationWarnings(spec, meta?.annotations ?? {}, at('metadata.annotations')),
    ...volumeWarnings(spec, at('spec.volumes')),
    ...volumePathWarnings(spec.volumes ?? []),
    ...listWarnings(spec, at('spec')),
    ...fractionWarnings(spec.overhead, at('spec.overhead')),
    ...containerWarnings(spec, meta?.annotations ?? {}, at),
    ...portWarnings(spec, at('spec')),
    ...((spec.terminationGracePeriodSeconds ?? 0) < 0
      ? [
          `${at('spec.terminationGracePeriodSeconds')}: must be >= 0; negative values are invalid and will be treated as 1`,
        ]
      : []),
    ...affinityWarnings(spec, at('spec.affinity')),
    ...addressWarnings(spec, at('spec')),
  ];
}

const matchesNothing = 'a null labelSelector results in matching no pod';
const required = 'requiredDuringSchedulingIgnoredDuringExecution';
const preferred = 'preferredDuringSchedulingIgnoredDuringExecution';

function nodeWarnings(spec: PodSpec, path: string): string[] {
  const warnings: string[] = [];
  for (const key of Object.keys(spec.nodeSelector ?? {})) {
    const warning = nodeLabelWarning(key);
    if (warning) warnings.push(`${path}.nodeSelector[${key}]: ${warning}`);
  }
  const affinity = spec.affinity?.nodeAffinity;
  const at = `${path}.affinity.nodeAffinity`;
  for (const [index, term] of (affinity?.[required]?.nodeSelectorTerms ?? []).entries())
    warnings.push(...nodeTermWarnings(term, false, `${at}.${required}.nodeSelectorTerms[${index}]`));
  for (const [index, term] of (affinity?.[preferred] ?? []).entries())
    warnings.push(...nodeTermWarnings(term.preference, true, `${at}.${preferred}[${index}].preference`));
  for (const [index, { topologyKey, labelSelector }] of (spec.topologySpreadConstraints ?? []).entries()) {
    const where = `${path}.topologySpreadConstraints[${index}]`;
    const warning = nodeLabelWarning(topologyKey);
    if (warning) warnings.push(`${where}.topologyKey: ${topologyKey} is ${warning}`);
    if (!labelSelector) warnings.push(`${where}.labelSelector: ${matchesNothing}`);
  }
  return warnings;
}

const deprecatedAnnotations: Readonly<Record<string, string>> = {
  'scheduler.alpha.kubernetes.io/critical-pod': 'non-functional in v1.16+; use the "priorityClassName" field instead',
  'security.alpha.kubernetes.io/sysctls': 'non-functional in v1.11+; use the "sysctls" field instead',
  'security.alpha.kubernetes.io/unsafe-sysctls': 'non-functional in v1.11+; use the "sysctls" field instead',
};
const seccompGone = 'non-functional in v1.27+; use the "seccompProfile" field instead';

function annotationWarnings(spec: PodSpec, annotations: Record<string, string>, path: string): string[] {
  const warnings = Object.entries(deprecatedAnnotations)
    .filter(([key]) => key in annotations)
    .map(([key, message]) => `${path}[${key}]: ${message}`);
  const seccomp = 'seccomp.security.alpha.kubernetes.io/pod';
  if (!spec.securityContext?.seccompProfile && seccomp in annotations)
    warnings.push(`${path}[${seccomp}]: ${seccompGone}`);
  return warnings;
}

/** Sources whose drivers were removed. */
const oldSources: Readonly<Record<string, string>> = {
  photonPersistentDisk: 'deprecated in v1.11, non-functional in v1.16+',
  gitRepo: 'deprecated in v1.11, and disabled by default in v1.33+',
  scaleIO: 'deprecated in v1.16, non-functional in v1.22+',
  flocker: 'deprecated in v1.22, non-functional in v1.25+',
  storageos: 'deprecated in v1.22, non-functional in v1.25+',
  quobyte: 'deprecated in v1.22, non-functional in v1.25+',
  glusterfs: 'deprecated in v1.25, non-functional in v1.26+',
  cephfs: 'deprecated in v1.28, non-functional in v1.31+',
  rbd: 'deprecated in v1.28, non-functional in v1.31+',
};

function volumeWarnings(spec: PodSpec, path: string): string[] {
  return (spec.volumes ?? []).flatMap((volume, index) => {
    const at = `${path}[${index}]`;
    const warnings = Object.entries(oldSources)
      .filter(([source]) => volume[source as keyof typeof volume])
      .map(([source, message]) => `${at}.${source === 'storageos' ? 'storageOS' : source}: ${message}`);
    const claim = volume.ephemeral?.volumeClaimTemplate?.spec;
    return claim ? [...warnings, ...claimWarnings(claim, `${at}.ephemeral.volumeClaimTemplate.spec`)] : warnings;
  });
}

function listWarnings(spec: PodSpec, path: string): string[] {
  const warnings: string[] = [];
  const repeated = <K extends string>(
    field: string,
    key: K,
    label: string,
    items: readonly { [key in K]?: string }[],
  ) => {
    const seen = new Set<string>();
    for (const [index, item] of items.entries()) {
      const value = item[key] ?? '';
      if (seen.has(value))
        warnings.push(`${path}.${field}[${index}].${key}: duplicate ${label} ${JSON.stringify(value)}`);
      seen.add(value);
    }
  };
  repeated('hostAliases', 'ip', 'ip', spec.hostAliases ?? []);
  repeated('imagePullSecrets', 'name', 'name', spec.imagePullSecrets ?? []);
  for (const [index, { name }] of (spec.imagePullSecrets ?? []).entries())
    if (!name) warnings.push(`${path}.imagePullSecrets[${index}].name: invalid empty name ""`);
  return warnings;
}

function fractionWarnings(list: Record<string, string> = {}, path: string): string[] {
  return ['memory', 'ephemeral-storage']
    .filter((name) => list[name] !== undefined && !isWholeQuantity(list[name]))
    .map(
      (name) => `${path}[${name}]: fractional byte value ${JSON.stringify(list[name])} is invalid, must be an integer`,
    );
}

function containerWarnings(
  spec: PodSpec,
  annotations: Record<string, string>,
  at: (field: string) => string,
): string[] {
  const warnings: string[] = [];
  const isTemplate = at('') !== '';
  for (const [container, path] of containersOf(spec, at('spec'))) {
    const { name, securityContext, resources, env = [] } = container;
    const seccomp = `container.seccomp.security.alpha.kubernetes.io/${name}`;
    if (!securityContext?.seccompProfile && seccomp in annotations)
      warnings.push(`${at('metadata.annotations')}[${seccomp}]: ${seccompGone}`);
    const appArmor = `container.apparmor.security.beta.kubernetes.io/${name}`;
    if (isTemplate && !securityContext?.appArmorProfile && !agrees(spec, annotations[appArmor]))
      warnings.push(
        `${at('metadata.annotations')}[${appArmor}]: deprecated since v1.30; use the "appArmorProfile" field instead`,
      );
    const { limits, requests } = (resources ?? {}) as Record<string, Record<string, string>>;
    for (const resource of ['memory', 'ephemeral-storage'])
      for (const [list, which] of [
        [limits, 'limits'],
        [requests, 'requests'],
      ] as const)
        if (list?.[resource] !== undefined)
          warnings.push(...fractionWarnings({ [resource]: list[resource] }, `${path}.resources.${which}`));
    warnings.push(...envWarnings(env, `${path}.env`));
  }
  return warnings;
}

/** The annotation is missing, or means the same as the profile of the whole pod. */
function agrees({ securityContext }: PodSpec, annotation: string | undefined): boolean {
  if (annotation === undefined) return true;
  const { type, localhostProfile } = securityContext?.appArmorProfile ?? {};
  if (type === 'Localhost') return annotation === `localhost/${localhostProfile}`;
  return (
    annotation === (type === 'Unconfined' ? 'unconfined' : type === 'RuntimeDefault' ? 'runtime/default' : undefined)
  );
}

function envWarnings(env: NonNullable<Container['env']>, path: string): string[] {
  const seen = new Set<string>();
  return env.flatMap(({ name, value = '', valueFrom }, index) => {
    if (!seen.has(name)) {
      seen.add(name);
      return [];
    }
    // A variable may refer to an earlier value of the same name.
    const reference = `$(${name})`;
    if (!valueFrom && value !== reference && value.includes(reference)) return [];
    return [
      `${path}[${index}]: hides previous definition of ${JSON.stringify(name)}, which may be dropped when using apply`,
    ];
  });
}

type Port = NonNullable<Container['ports']>[number];

const portText = ({ name = '', hostPort = 0, containerPort, protocol, hostIP = '' }: Port) =>
  `{Name:${name} HostPort:${hostPort} ContainerPort:${containerPort} Protocol:${protocol} HostIP:${hostIP}}`;

function portWarnings(spec: PodSpec, path: string): string[] {
  const warnings: string[] = [];
  const names = new Map<string, string>();
  const nameWarnings: string[] = [];
  const seen = new Map<string, { at: string; port: Port }[]>();
  for (const [{ ports = [] }, container] of containersOf(spec, path))
    for (const [index, port] of ports.entries()) {
      const at = `${container}.ports[${index}]`;
      if (port.hostIP && !port.hostPort) warnings.push(`${at}: hostIP set without hostPort: ${portText(port)}`);
      const key = `${port.containerPort}/${port.protocol}`;
      const others = seen.get(key) ?? [];
      // At most a hundred warnings of one type.
      for (const other of others.slice(0, 100)) warnings.push(...collision(port, at, other));
      seen.set(key, [...others.slice(0, 100), { at, port }]);
      if (!port.name) continue;
      const first = names.get(port.name);
      if (first)
        nameWarnings.push(
          `${at}: duplicate port name ${JSON.stringify(port.name)} with ${first}, services and probes that select ports by name will use ${first}`,
        );
      else names.set(port.name, at);
    }
  return [...warnings, ...nameWarnings];
}

function collision(port: Port, at: string, other: { at: string; port: Port }): string[] {
  const [ip, otherIp] = [port.hostIP ?? '', other.port.hostIP ?? ''];
  const [host, otherHost] = [port.hostPort ?? 0, other.port.hostPort ?? 0];
  if (ip === otherIp && host === otherHost) return [`${at}: duplicate port definition with ${other.at}`];
  if (!host || !otherHost) return [`${at}: overlapping port definition with ${other.at}`];
  return host === otherHost && (ip === '') !== (otherIp === '')
    ? [`${at}: dangerously ambiguous port definition with ${other.at}`]
    : [];
}

function affinityWarnings({ affinity }: PodSpec, path: string): string[] {
  const warnings: string[] = [];
  for (const field of ['podAffinity', 'podAntiAffinity'] as const) {
    for (const [index, term] of (affinity?.[field]?.[required] ?? []).entries())
      if (!term.labelSelector) warnings.push(`${path}.${field}.${required}[${index}].labelSelector: ${matchesNothing}`);
    for (const [index, { podAffinityTerm }] of (affinity?.[field]?.[preferred] ?? []).entries())
      if (!podAffinityTerm?.labelSelector)
        warnings.push(`${path}.${field}.${preferred}[${index}].podAffinityTerm.labelSelector: ${matchesNothing}`);
  }
  return warnings;
}

const addressWarnings = ({ dnsConfig, hostAliases = [] }: PodSpec, path: string): string[] => [
  ...(dnsConfig?.nameservers ?? []).flatMap((ip, index) => ipWarnings(`${path}.dnsConfig.nameservers[${index}]`, ip)),
  ...hostAliases.flatMap(({ ip }, index) => ipWarnings(`${path}.hostAliases[${index}].ip`, ip)),
];
