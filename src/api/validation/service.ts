// Rules for Services. The allocators check for free addresses and ports.
// https://kubernetes.io/docs/reference/kubernetes-api/service-resources/service-v1/

import { parseIp } from '../../machinery/ip.ts';
import { dns1123LabelFaults, dns1123SubdomainFaults, qualifiedNameFaults } from '../../machinery/text/names.ts';
import type { FieldError } from '../errors.ts';
import { duplicate, forbiddenField, invalidValue, invalidValues, notSupported, required } from '../fields.ts';
import type { Service, ServicePort, SessionAffinityConfig } from '../generated/types.ts';
import { validateLabels } from './metadata.ts';
import { forwardableIpFaults, legacyCidr, legacyIp, validatePortNumberOrName } from './network.ts';
import { choice, given, isEmpty, oneOfThese, type Rule, set, struct, text, unique } from './rules.ts';
import { isHeadless, validateAddressUpdate, validateClusterIps } from './service-addresses.ts';

type Spec = NonNullable<Service['spec']>;

const maxStickySeconds = 86_400;
const onlyBalanced = "may only be used when `type` is 'LoadBalancer'";
const isExposed = ({ type }: Spec) => type === 'NodePort' || type === 'LoadBalancer';

/** `old`: the old service, whose invalid addresses may stay. */
export function validateService(service: Service, old?: Service): FieldError[] {
  const spec = service.spec ?? {};
  const externalBefore = new Set(old?.spec?.externalIPs);
  const addresses = validateClusterIps(spec, old?.spec?.clusterIPs);
  // Faults of addresses are reported alone, because other faults follow from them.
  if (addresses.length) return addresses;
  return [
    ...validateTopologyAnnotations(service.metadata.annotations ?? {}),
    ...validateByType(spec),
    ...validatePorts(spec),
    ...validateLabels(spec.selector, 'spec.selector'),
    ...sessionRules(spec, 'spec'),
    ...(spec.externalIPs ?? []).flatMap((ip, index) => {
      const errors = legacyIp(`spec.externalIPs[${index}]`, ip, externalBefore);
      return errors.length ? errors : invalidValues(`spec.externalIPs[${index}]`, ip, forwardableIpFaults(ip));
    }),
    ...choice('ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort')(spec.type, 'spec.type'),
    ...validatePortUse(old ? spec : withNodePorts(spec)),
    ...validateSourceRanges(service, old),
    ...validateLoadBalancer(spec),
    ...validateTraffic(spec),
  ];
}

const topologyMode = 'service.kubernetes.io/topology-mode';
const topologyHints = 'service.kubernetes.io/topology-aware-hints';

function validateTopologyAnnotations(annotations: Readonly<Record<string, string>>): FieldError[] {
  const mode = annotations[topologyMode];
  const hints = annotations[topologyHints];
  if (mode === undefined || hints === undefined || mode === hints) return [];
  const why = `must match annotations[${topologyHints}] when both are specified`;
  return [invalidValue(`metadata.annotations[${topologyMode}]`, mode, why)];
}

function validateByType(spec: Spec): FieldError[] {
  const { type } = spec;
  const errors: FieldError[] = [];
  if (!spec.ports?.length && !isHeadless(spec) && type !== 'ExternalName') errors.push(required('spec.ports'));
  if (isExposed(spec) && isHeadless(spec))
    errors.push(invalidValue('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${type} services`));
  if (type !== 'ExternalName') return errors;
  for (const field of ['clusterIPs', 'ipFamilies', 'ipFamilyPolicy'] as const)
    if (field === 'ipFamilyPolicy' ? spec[field] !== undefined : !isEmpty(spec[field]))
      errors.push(forbiddenField(`spec.${field}`, 'may not be set for ExternalName services'));
  const name = (spec.externalName ?? '').replace(/\.$/, '');
  const path = 'spec.externalName';
  return [...errors, ...(name ? invalidValues(path, name, dns1123SubdomainFaults(name)) : [required(path)])];
}

const portRules = struct({
  port: (value: number | undefined, path) => validatePortNumberOrName(path, value ?? 0),
  protocol: choice('SCTP', 'TCP', 'UDP'),
  targetPort: (value: number | string | undefined, path) => validatePortNumberOrName(path, value ?? 0),
  appProtocol: set(text(qualifiedNameFaults)),
});

function validatePorts({ ports = [] }: Spec): FieldError[] {
  const names = new Set<string>();
  return ports.flatMap((port, index) => {
    const path = `spec.ports[${index}]`;
    const name = port.name ?? '';
    const errors: FieldError[] = [];
    if (name) errors.push(...invalidValues(`${path}.name`, name, dns1123LabelFaults(name)));
    else if (ports.length > 1) errors.push(required(`${path}.name`));
    if (name && names.has(name)) errors.push(duplicate(`${path}.name`, name));
    names.add(name);
    return [...errors, ...portRules(port, path)];
  });
}

/** The first number that Kubernetes' dry run allocates. */
const firstPlanned = 32_769;

/**
 * A new service with the node ports that it gets: Kubernetes allocates them before it validates. Ports with the same
 * number share one.
 */
function withNodePorts(spec: Spec): Spec {
  const { ports = [], allocateLoadBalancerNodePorts: allocates } = spec;
  if (!isExposed(spec) || (spec.type === 'LoadBalancer' && allocates === false)) return spec;
  const planned = new Map<number, number>();
  const asked = new Map<number, number>();
  for (const { port, nodePort } of ports) if (nodePort && !asked.has(port)) asked.set(port, nodePort);
  let highest = firstPlanned - 1;
  return {
    ...spec,
    ports: ports.map((port) => {
      const nodePort = planned.get(port.port) ?? asked.get(port.port) ?? highest + 1;
      highest = planned.size ? Math.max(highest, nodePort) : nodePort;
      planned.set(port.port, nodePort);
      return port.nodePort ? port : { ...port, nodePort };
    }),
  };
}

/** Each node port and each port once for a protocol. */
function validatePortUse({ type, ports = [] }: Spec): FieldError[] {
  const taken = ports.map((port) => ({ ...port, nodePort: port.nodePort ?? 0 }));
  const nodePorts = new Set<string>();
  const only = "may not be used when `type` is 'ClusterIP'";
  return [
    ...(type === 'ClusterIP'
      ? taken.flatMap(({ nodePort }, i) => (nodePort ? [forbiddenField(`spec.ports[${i}].nodePort`, only)] : []))
      : []),
    ...taken.flatMap(({ protocol, nodePort }, i) => {
      const key = `${protocol}/${nodePort}`;
      if (nodePort && nodePorts.has(key)) return [duplicate(`spec.ports[${i}].nodePort`, nodePort)];
      nodePorts.add(key);
      return [];
    }),
    ...unique(({ protocol, port }: ServicePort) => `${protocol}/${port}`)(taken, 'spec.ports').map((fault) => {
      const { protocol, port } = taken[Number(/\d+/.exec(fault.field)?.[0])];
      return duplicate(fault.field, internalPort(protocol, port));
    }),
  ];
}

/** The key of a duplicate port, as Kubernetes prints it. */
const internalPort = (protocol: string | undefined, port: number) => ({
  Name: '',
  Protocol: protocol,
  AppProtocol: null,
  Port: port,
  TargetPort: 0,
  NodePort: 0,
});

const sessionRules = struct({
  sessionAffinity: choice('ClientIP', 'None'),
  sessionAffinityConfig: (config: SessionAffinityConfig | undefined, path, spec: Spec) => {
    if (spec.sessionAffinity === 'None')
      return config ? [forbiddenField(path, 'must not be set when session affinity is None')] : [];
    if (spec.sessionAffinity !== 'ClientIP') return [];
    const why = 'when session affinity type is ClientIP';
    if (!config) return [required(path, why)];
    if (!config.clientIP) return [required(`${path}.clientIP`, why)];
    const at = `${path}.clientIP.timeoutSeconds`;
    const seconds = config.clientIP.timeoutSeconds;
    if (seconds === undefined) return [required(at, why)];
    return seconds <= 0 || seconds > maxStickySeconds
      ? [invalidValue(at, seconds, `must be greater than 0 and less than ${maxStickySeconds}`)]
      : [];
  },
});

const rangesAnnotation = 'service.beta.kubernetes.io/load-balancer-source-ranges';

function validateSourceRanges({ spec = {}, metadata }: Service, old: Service | undefined): FieldError[] {
  const path = 'spec.LoadBalancerSourceRanges';
  const ranges = spec.loadBalancerSourceRanges ?? [];
  const isBalanced = spec.type === 'LoadBalancer';
  if (ranges.length) {
    const before = new Set((old?.spec?.loadBalancerSourceRanges ?? []).map((range) => range.trim()));
    return [
      ...(isBalanced ? [] : [forbiddenField(path, onlyBalanced)]),
      ...ranges.flatMap((range, index) => legacyCidr(`${path}[${index}]`, range.trim(), before)),
    ];
  }
  const value = metadata.annotations?.[rangesAnnotation];
  if (value === undefined) return [];
  const at = `metadata.annotations[${rangesAnnotation}]`;
  const isNew = old?.metadata.annotations?.[rangesAnnotation] !== value && value.trim();
  return [
    ...(isBalanced ? [] : [forbiddenField(at, onlyBalanced)]),
    ...(isNew
      ? value
          .trim()
          .split(',')
          .flatMap((range) => legacyCidr(at, range.trim()))
      : []),
  ];
}

function validateLoadBalancer(spec: Spec): FieldError[] {
  const isBalanced = spec.type === 'LoadBalancer';
  const errors: FieldError[] = [];
  if (spec.allocateLoadBalancerNodePorts !== undefined && !isBalanced)
    errors.push(forbiddenField('spec.allocateLoadBalancerNodePorts', onlyBalanced));
  if (isBalanced && spec.allocateLoadBalancerNodePorts === undefined)
    errors.push(required('allocateLoadBalancerNodePorts'));
  return [...errors, ...validateClass(spec)];
}

function validateClass({ type, loadBalancerClass }: Spec): FieldError[] {
  if (loadBalancerClass === undefined) return [];
  const path = 'spec.loadBalancerClass';
  return type === 'LoadBalancer'
    ? invalidValues(path, loadBalancerClass, qualifiedNameFaults(loadBalancerClass))
    : [forbiddenField(path, onlyBalanced)];
}

const trafficPolicy = oneOfThese('Cluster', 'Local');
const distribution = set(oneOfThese('PreferClose', 'PreferSameZone', 'PreferSameNode'));
export const needsHealthCheck = (spec: Spec): boolean =>
  spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';

function validateTraffic(spec: Spec): FieldError[] {
  const { externalTrafficPolicy: external, internalTrafficPolicy: internal, healthCheckNodePort } = spec;
  const isAccessible = isExposed(spec) || (spec.type === 'ClusterIP' && (spec.externalIPs?.length ?? 0) > 0);
  const path = 'spec.externalTrafficPolicy';
  const errors: FieldError[] = [];
  if (isAccessible) errors.push(...(external ? trafficPolicy(external, path) : [required(path)]));
  else if (external) errors.push(invalidValue(path, external, 'may only be set for externally-accessible services'));
  if (healthCheckNodePort && !needsHealthCheck(spec))
    errors.push(
      invalidValue(
        'spec.healthCheckNodePort',
        healthCheckNodePort,
        "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
      ),
    );
  else if (healthCheckNodePort)
    errors.push(...validatePortNumberOrName('spec.healthCheckNodePort', healthCheckNodePort));
  if (internal === undefined && (isExposed(spec) || spec.type === 'ClusterIP'))
    errors.push(required('spec.internalTrafficPolicy'));
  return [
    ...errors,
    ...set(trafficPolicy)(internal, 'spec.internalTrafficPolicy'),
    ...distribution(spec.trafficDistribution, 'spec.trafficDistribution'),
  ];
}

export function validateServiceUpdate(next: Service, old: Service): FieldError[] {
  const [spec, before] = [next.spec ?? {}, old.spec ?? {}];
  const addresses = validateClusterIps(spec, before.clusterIPs);
  if (addresses.length) return addresses;
  return [
    ...validateAddressUpdate(spec, before),
    ...validateBalancerUpdate(spec, before),
    ...validateService(next, old),
  ];
}

/** Fields that are immutable with a load balancer. */
function validateBalancerUpdate(spec: Spec, before: Spec): FieldError[] {
  const errors: FieldError[] = [];
  const path = 'spec.loadBalancerClass';
  if (spec.type === 'LoadBalancer' && before.type === 'LoadBalancer')
    if (spec.loadBalancerClass !== before.loadBalancerClass)
      errors.push(invalidValue(path, spec.loadBalancerClass, 'may not change once set'));
  errors.push(...validateClass(spec));
  if (needsHealthCheck(before) && needsHealthCheck(spec) && spec.healthCheckNodePort !== before.healthCheckNodePort)
    errors.push(forbiddenField('spec.healthCheckNodePort', 'field is immutable'));
  return errors;
}

/** Addresses of load balancers. */
export function validateServiceStatus(next: Service, old: Service): FieldError[] {
  const path = 'status.loadBalancer.ingress';
  const ingress = next.status?.loadBalancer?.ingress ?? [];
  if (next.spec?.type !== 'LoadBalancer' && ingress.length)
    return [forbiddenField(path, "may only be used when `spec.type` is 'LoadBalancer'")];
  const before = new Set((old.status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip ?? ''));
  return ingress.flatMap(({ ip, hostname, ipMode }, index) => {
    const at = `${path}[${index}]`;
    const mode = `${at}.ipMode`;
    const errors = ip ? legacyIp(`${at}.ip`, ip, before) : [];
    if (ipMode === undefined) {
      if (ip) errors.push(required(mode, 'must be specified when `ip` is set'));
    } else if (!ip) errors.push(forbiddenField(mode, 'may not be specified when `ip` is not set'));
    else if (ipMode !== 'Proxy' && ipMode !== 'VIP') errors.push(notSupported(mode, ipMode, ['Proxy', 'VIP']));
    return [...errors, ...hostnameRule(hostname, `${at}.hostname`)];
  });
}

const hostnameRule: Rule = given(text(dns1123SubdomainFaults), (hostname: string, path) =>
  parseIp(hostname) ? [invalidValue(path, hostname, 'must be a DNS name, not an IP address')] : [],
);
