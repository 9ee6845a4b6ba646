import { dns1123LabelFaults } from '../../../machinery/text/names.ts';
import type { Service } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { serviceQuota } from '../../objects/resource-usage.ts';
import { specOf } from '../../spec-of.ts';
import { nameRule } from '../../validation/metadata.ts';
import { cidrWarnings, ingressAddressWarnings, ipWarnings } from '../../validation/network.ts';
import {
  needsHealthCheck,
  validateService,
  validateServiceStatus,
  validateServiceUpdate,
} from '../../validation/service.ts';
import { labelsText, none } from '../cells.ts';

const stickySeconds = 3 * 60 * 60;

export const service: KindBehaviour<Service> = {
  storagePrefix: 'services/specs',
  quota: serviceQuota,
  connections: { proxy: { type: 'ServiceProxyOptions', fields: { path: 'path' } } },
  answersDeleted: true,
  allocates: true,
  cells: {
    Type: (s) => s.spec?.type ?? '',
    'Cluster-IP': (s) => s.spec?.clusterIPs?.[0] ?? (s.spec?.clusterIP || none),
    'External-IP': externalAddress,
    'Port(s)': (s) =>
      (s.spec?.ports ?? [])
        .map(({ port, nodePort, protocol }) => `${port}${nodePort ? `:${nodePort}` : ''}/${protocol}`)
        .join(',') || none,
    Selector: (s) => labelsText(s.spec?.selector),
  },
  selectableFields: {
    'spec.clusterIP': (s) => s.spec?.clusterIP ?? '',
    'spec.type': (s) => s.spec?.type ?? '',
  },
  strategy: {
    allowCreateOnUpdate: true,
    nameRule: nameRule(dns1123LabelFaults),
    setDefaults,
    prepareForCreate(s) {
      fillAddresses(s);
      dropInternalPolicy(s);
    },
    prepareForUpdate(next, old) {
      keepAddresses(next, old);
      fillAddresses(next);
      dropInternalPolicy(next);
      if (next.spec?.type !== 'LoadBalancer' && next.status?.loadBalancer) next.status.loadBalancer = {};
    },
    validate: (s) => validateService(s),
    warnings,
    validateUpdate: validateServiceUpdate,
    subresources: { status: { validateUpdate: validateServiceStatus, warnings: ingressAddressWarnings } },
  },
};

function externalAddress(s: Service): string {
  const external = s.spec?.externalIPs ?? [];
  const balanced = (s.status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip || hostname || '');
  switch (s.spec?.type) {
    case 'LoadBalancer':
      return [...balanced, ...external].join(',') || '<pending>';
    case 'ExternalName':
      return s.spec.externalName ?? '';
    default:
      return external.join(',') || none;
  }
}

const isExposed = (type: string | undefined) => type === 'NodePort' || type === 'LoadBalancer';

function setDefaults(s: Service): void {
  s.spec ??= {};
  const { spec } = s;
  spec.sessionAffinity ??= 'None';
  if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig;
  if (spec.sessionAffinity === 'ClientIP') {
    if (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds === undefined)
      spec.sessionAffinityConfig = { clientIP: { timeoutSeconds: stickySeconds } };
  }
  spec.type ??= 'ClusterIP';
  for (const port of spec.ports ?? []) {
    port.protocol ??= 'TCP';
    if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '') port.targetPort = port.port;
  }
  if (isAccessible(spec)) spec.externalTrafficPolicy ??= 'Cluster';
  if (isExposed(spec.type) || spec.type === 'ClusterIP') spec.internalTrafficPolicy ??= 'Cluster';
  if (spec.type === 'LoadBalancer') spec.allocateLoadBalancerNodePorts ??= true;
  if (spec.type === 'LoadBalancer')
    for (const ingress of s.status?.loadBalancer?.ingress ?? []) if (ingress.ip) ingress.ipMode ??= 'VIP';
}

/** Clients that only set the single address also mean the list. */
function fillAddresses({ spec }: Service): void {
  if (spec?.clusterIP && !spec.clusterIPs?.length) spec.clusterIPs = [spec.clusterIP];
}

/** A service that is only a name has no traffic; a policy that does not exist is left to validation. */
function dropInternalPolicy({ spec }: Service): void {
  if (spec?.type === 'ExternalName' && ['Cluster', 'Local'].includes(spec.internalTrafficPolicy ?? ''))
    delete spec.internalTrafficPolicy;
}

/** An update without the allocated values keeps them; a change of type releases those that it cannot keep. */
function keepAddresses(next: Service, old: Service): void {
  const [spec, before] = [specOf(next), old.spec ?? {}];
  followChanged(spec, before);
  if (spec.type !== 'ExternalName' && before.type !== 'ExternalName') {
    spec.clusterIP ||= before.clusterIP;
    if (!spec.clusterIPs?.length) spec.clusterIPs = before.clusterIPs && [...before.clusterIPs];
  }
  if (getsNodePorts(spec) && getsNodePorts(before)) keepNodePorts(spec, before);
  if (!spec.healthCheckNodePort && needsHealthCheck(spec) && needsHealthCheck(before))
    spec.healthCheckNodePort = before.healthCheckNodePort;
  if (isExposed(before.type) && !isExposed(spec.type)) clearNodePorts(spec, before);
  if (needsHealthCheck(before) && !needsHealthCheck(spec) && spec.healthCheckNodePort === before.healthCheckNodePort)
    delete spec.healthCheckNodePort;
  dropByType(spec, before);
}

type Spec = NonNullable<Service['spec']>;

/** A client that changes only `clusterIP` means `clusterIPs` too. */
function followChanged(spec: Spec, before: Spec): void {
  if ((spec.clusterIP ?? '') === (before.clusterIP ?? '')) {
    if (!spec.clusterIPs?.length) spec.clusterIPs = before.clusterIPs && [...before.clusterIPs];
    return;
  }
  if (JSON.stringify(spec.clusterIPs ?? []) !== JSON.stringify(before.clusterIPs ?? [])) return;
  if (spec.clusterIP) spec.clusterIPs = [spec.clusterIP];
  else delete spec.clusterIPs;
}

const getsNodePorts = ({ type, allocateLoadBalancerNodePorts }: Spec) =>
  type === 'NodePort' || (type === 'LoadBalancer' && allocateLoadBalancerNodePorts !== false);

/** Ports match by name: number and protocol may change, and the node port stays. */
function keepNodePorts(spec: Spec, before: Spec): void {
  const ports = spec.ports ?? [];
  const given = new Set(ports.map(({ nodePort }) => nodePort));
  const held = new Map((before.ports ?? []).map(({ name = '', nodePort }) => [name, nodePort]));
  for (const port of ports) {
    const nodePort = held.get(port.name ?? '');
    if (!port.nodePort && nodePort && !given.has(nodePort)) port.nodePort = nodePort;
  }
}

function clearNodePorts(spec: Spec, before: Spec): void {
  const old = new Set((before.ports ?? []).map((port) => port.nodePort ?? 0));
  const now = (spec.ports ?? []).map((port) => port.nodePort ?? 0);
  // Ports that the client set are left to validation.
  if (now.some((port) => port && !old.has(port))) return;
  for (const port of spec.ports ?? []) delete port.nodePort;
}

function dropByType(spec: Spec, before: Spec): void {
  const same = (field: keyof Spec) => JSON.stringify(spec[field]) === JSON.stringify(before[field]);
  if (before.type !== spec.type) {
    if (getsAddresses(before) && !getsAddresses(spec)) {
      if (same('clusterIP') && same('clusterIPs')) {
        delete spec.clusterIP;
        delete spec.clusterIPs;
      }
      for (const field of ['ipFamilies', 'ipFamilyPolicy', 'internalTrafficPolicy'] as const)
        if (same(field)) delete spec[field];
    }
    if (before.type === 'LoadBalancer')
      for (const field of ['allocateLoadBalancerNodePorts', 'loadBalancerClass'] as const)
        if (same(field)) delete spec[field];
  }
  if (isAccessible(before) && !isAccessible(spec) && same('externalTrafficPolicy')) delete spec.externalTrafficPolicy;
}

/** Also a type that does not exist: validation refuses it. */
const getsAddresses = ({ type }: Spec) => type !== 'ExternalName';

/** From outside of the cluster. */
const isAccessible = ({ type, externalIPs = [] }: Spec) =>
  isExposed(type) || (type === 'ClusterIP' && externalIPs.length > 0);

function warnings({ metadata, spec = {} }: Service): string[] {
  const { type, clusterIP, clusterIPs = [], externalIPs = [], loadBalancerIP } = spec;
  const isNamed = type === 'ExternalName';
  const isHeadless = type === 'ClusterIP' && clusterIP === 'None';
  const ignored = isHeadless ? ignoredWhenHeadless(spec) : [];
  return [
    ...(metadata.annotations?.['service.kubernetes.io/topology-aware-hints'] === undefined
      ? []
      : [
          'annotation service.kubernetes.io/topology-aware-hints is deprecated, please use service.kubernetes.io/topology-mode instead',
        ]),
    ...clusterIPs.flatMap((ip, i) => (ip === 'None' ? [] : ipWarnings(`spec.clusterIPs[${i}]`, ip))),
    ...ignored,
    ...externalIPs.flatMap((ip, i) => ipWarnings(`spec.externalIPs[${i}]`, ip)),
    ...(externalIPs.length && !isHeadless && !isNamed
      ? ['spec.externalIPs is deprecated and may no longer be implemented in some clusters']
      : []),
    ...(loadBalancerIP ? ipWarnings('spec.loadBalancerIP', loadBalancerIP) : []),
    ...(spec.loadBalancerSourceRanges ?? []).flatMap((range, i) =>
      cidrWarnings(`spec.loadBalancerSourceRanges[${i}]`, range),
    ),
    ...(isNamed && externalIPs.length ? ['spec.externalIPs is ignored when spec.type is "ExternalName"'] : []),
    ...(!isNamed && spec.externalName ? ['spec.externalName is ignored when spec.type is not "ExternalName"'] : []),
    ...(spec.trafficDistribution === 'PreferClose'
      ? ['spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"']
      : []),
  ];
}

const ignoredWhenHeadless = ({ loadBalancerIP, externalIPs, sessionAffinity }: Spec): string[] => [
  ...(loadBalancerIP ? ['spec.loadBalancerIP is ignored for headless services'] : []),
  ...(externalIPs?.length ? ['spec.externalIPs is ignored for headless services'] : []),
  ...(sessionAffinity === 'None' ? [] : ['spec.SessionAffinity is ignored for headless services']),
];
