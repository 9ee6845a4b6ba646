// What may stand in a Service. Which addresses and ports are free is the allocator's to say.
// https://kubernetes.io/docs/reference/kubernetes-api/service-resources/service-v1/

import { parseIp } from '../../machinery/ip.ts';
import {
  dns1123LabelFaults,
  dns1123SubdomainFaults,
  portNumberFaults,
  qualifiedNameFaults,
} from '../../machinery/names.ts';
import type { FieldError } from '../errors.ts';
import { duplicate, forbiddenField, invalidValue, invalidValues, notSupported, oneOf, required } from '../fields.ts';
import type { Service, ServicePort } from '../generated/types.ts';
import { validateLabels } from './metadata.ts';
import { forwardableIpFaults, ipMessage, validateCidr, validatePortNumberOrName } from './network.ts';

type Spec = NonNullable<Service['spec']>;

const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const maxStickySeconds = 86400;
const isExposed = ({ type }: Spec) => type === 'NodePort' || type === 'LoadBalancer';

export function validateService(service: Service): FieldError[] {
  const spec = service.spec ?? {};
  return [
    ...validateType(spec),
    ...validatePorts(spec),
    ...validateLabels(spec.selector, 'spec.selector'),
    ...validateAffinity(spec),
    ...validateAddresses(spec),
    ...validateFamilies(spec),
    ...validateTraffic(spec),
    ...validateLoadBalancer(spec),
  ];
}

function validateType(spec: Spec): FieldError[] {
  const errors: FieldError[] = [];
  if (!spec.type) errors.push(required('spec.type'));
  else if (!types.includes(spec.type)) errors.push(notSupported('spec.type', spec.type, types));
  if (spec.type === 'LoadBalancer' && spec.clusterIPs?.[0] === 'None')
    errors.push(invalidValue('spec.clusterIPs[0]', 'None', "may not be set to 'None' for LoadBalancer services"));
  if (spec.type === 'NodePort' && spec.clusterIPs?.[0] === 'None')
    errors.push(invalidValue('spec.clusterIPs[0]', 'None', "may not be set to 'None' for NodePort services"));
  if (spec.type === 'ExternalName') {
    if (spec.clusterIPs?.length)
      errors.push(forbiddenField('spec.clusterIPs', 'may not be set for ExternalName services'));
    const name = (spec.externalName ?? '').replace(/\.$/, '');
    errors.push(
      ...(name
        ? invalidValues('spec.externalName', name, dns1123SubdomainFaults(name))
        : [required('spec.externalName')]),
    );
  }
  return errors;
}

function validatePorts(spec: Spec): FieldError[] {
  const errors: FieldError[] = [];
  const ports = spec.ports ?? [];
  const headless = spec.clusterIPs?.[0] === 'None' || spec.clusterIP === 'None';
  if (!ports.length && !headless && spec.type !== 'ExternalName') errors.push(required('spec.ports'));
  const names = new Set<string>();
  const numbers = new Set<string>();
  const nodePorts = new Set<string>();
  for (const [index, port] of ports.entries()) {
    const path = `spec.ports[${index}]`;
    errors.push(...validatePort(port, path, ports.length > 1, names));
    if (isExposed(spec) || !port.nodePort) {
      const key = `${port.protocol}/${port.nodePort}`;
      if (port.nodePort && nodePorts.has(key)) errors.push(duplicate(`${path}.nodePort`, port.nodePort));
      nodePorts.add(key);
    } else errors.push(forbiddenField(`${path}.nodePort`, `may not be used when \`type\` is '${spec.type}'`));
    const key = `${port.protocol}/${port.port}`;
    if (numbers.has(key)) errors.push(duplicate(path, internalPort(port)));
    numbers.add(key);
  }
  return errors;
}

/** The port's identity as Kubernetes prints it: only what makes it a duplicate. */
const internalPort = (port: ServicePort) => ({
  Name: '',
  Protocol: port.protocol,
  AppProtocol: null,
  Port: port.port,
  TargetPort: 0,
  NodePort: 0,
});

function validatePort(port: ServicePort, path: string, named: boolean, names: Set<string>): FieldError[] {
  const errors: FieldError[] = [];
  if (!port.name) {
    if (named) errors.push(required(`${path}.name`));
  } else {
    errors.push(...invalidValues(`${path}.name`, port.name, dns1123LabelFaults(port.name)));
    if (names.has(port.name)) errors.push(duplicate(`${path}.name`, port.name));
    names.add(port.name);
  }
  errors.push(...invalidValues(`${path}.port`, port.port, portNumberFaults(port.port)));
  if (!port.protocol) errors.push(required(`${path}.protocol`));
  else errors.push(...oneOf(`${path}.protocol`, port.protocol, ['SCTP', 'TCP', 'UDP']));
  if (port.targetPort !== undefined) errors.push(...validatePortNumberOrName(`${path}.targetPort`, port.targetPort));
  if (port.appProtocol)
    errors.push(...invalidValues(`${path}.appProtocol`, port.appProtocol, qualifiedNameFaults(port.appProtocol)));
  return errors;
}

function validateAffinity(spec: Spec): FieldError[] {
  if (!spec.sessionAffinity) return [required('spec.sessionAffinity')];
  const errors = oneOf('spec.sessionAffinity', spec.sessionAffinity, ['ClientIP', 'None']);
  const seconds = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds;
  const path = 'spec.sessionAffinityConfig';
  if (spec.sessionAffinity === 'ClientIP' && seconds !== undefined && (seconds <= 0 || seconds > maxStickySeconds))
    errors.push(
      invalidValue(
        `${path}.clientIP.timeoutSeconds`,
        seconds,
        `must be greater than 0 and less than ${maxStickySeconds}`,
      ),
    );
  return errors;
}

function validateAddresses(spec: Spec): FieldError[] {
  const errors: FieldError[] = [];
  const clusterIPs = spec.clusterIPs ?? [];
  if (spec.clusterIP && clusterIPs.length && spec.clusterIP !== clusterIPs[0])
    errors.push(invalidValue('spec.clusterIPs', clusterIPs, 'first value must match `clusterIP`'));
  for (const [index, ip] of clusterIPs.entries()) {
    if (index === 0 && (ip === 'None' || ip === '')) {
      if (ip === 'None' && clusterIPs.length > 1)
        errors.push(invalidValue('spec.clusterIPs', clusterIPs, "'None' must be the first and only value"));
      continue;
    }
    if (!parseIp(ip)) errors.push(invalidValue(`spec.clusterIPs[${index}]`, ip, ipMessage));
  }
  if (clusterIPs.length > 2) errors.push(invalidValue('spec.clusterIPs', clusterIPs, 'may only hold up to 2 values'));
  for (const [index, ip] of (spec.externalIPs ?? []).entries()) {
    const path = `spec.externalIPs[${index}]`;
    errors.push(
      ...(parseIp(ip) ? invalidValues(path, ip, forwardableIpFaults(ip)) : [invalidValue(path, ip, ipMessage)]),
    );
  }
  return errors;
}

function validateFamilies(spec: Spec): FieldError[] {
  const errors: FieldError[] = [];
  const families = spec.ipFamilies ?? [];
  if (spec.type === 'ExternalName') {
    if (families.length) errors.push(forbiddenField('spec.ipFamilies', 'may not be set for ExternalName services'));
    if (spec.ipFamilyPolicy)
      errors.push(forbiddenField('spec.ipFamilyPolicy', 'may not be set for ExternalName services'));
    return errors;
  }
  const seen = new Set<string>();
  for (const [index, family] of families.entries()) {
    const path = `spec.ipFamilies[${index}]`;
    if (family !== 'IPv4' && family !== 'IPv6') errors.push(notSupported(path, family, ['IPv4', 'IPv6']));
    if (seen.has(family)) errors.push(duplicate(path, family));
    seen.add(family);
  }
  return [
    ...errors,
    ...oneOf('spec.ipFamilyPolicy', spec.ipFamilyPolicy, ['PreferDualStack', 'RequireDualStack', 'SingleStack']),
  ];
}

function validateTraffic(spec: Spec): FieldError[] {
  const errors: FieldError[] = [];
  const policies = ['Cluster', 'Local'];
  const accessible = isExposed(spec) || (spec.type === 'ClusterIP' && (spec.externalIPs?.length ?? 0) > 0);
  const external = spec.externalTrafficPolicy;
  if (accessible && !external) errors.push(required('spec.externalTrafficPolicy'));
  if (external && !accessible)
    errors.push(
      invalidValue('spec.externalTrafficPolicy', external, 'may only be set for externally-accessible services'),
    );
  else errors.push(...oneOf('spec.externalTrafficPolicy', external, policies));
  if (spec.internalTrafficPolicy === undefined && spec.type !== 'ExternalName')
    errors.push(required('spec.internalTrafficPolicy'));
  errors.push(...oneOf('spec.internalTrafficPolicy', spec.internalTrafficPolicy, policies));
  const needsHealthCheck = spec.type === 'LoadBalancer' && external === 'Local';
  if (spec.healthCheckNodePort && !needsHealthCheck)
    errors.push(
      invalidValue(
        'spec.healthCheckNodePort',
        spec.healthCheckNodePort,
        "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
      ),
    );
  errors.push(
    ...oneOf('spec.trafficDistribution', spec.trafficDistribution, ['PreferClose', 'PreferSameZone', 'PreferSameNode']),
  );
  return errors;
}

function validateLoadBalancer(spec: Spec): FieldError[] {
  const errors: FieldError[] = [];
  const only = "may only be used when `type` is 'LoadBalancer'";
  const ranges = spec.loadBalancerSourceRanges ?? [];
  if (ranges.length && spec.type !== 'LoadBalancer') errors.push(forbiddenField('spec.LoadBalancerSourceRanges', only));
  for (const [index, range] of ranges.entries())
    errors.push(...validateCidr(`spec.LoadBalancerSourceRanges[${index}]`, range.trim()));
  if (spec.allocateLoadBalancerNodePorts !== undefined && spec.type !== 'LoadBalancer')
    errors.push(forbiddenField('spec.allocateLoadBalancerNodePorts', only));
  if (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts === undefined)
    errors.push(required('spec.allocateLoadBalancerNodePorts'));
  if (spec.loadBalancerClass !== undefined) {
    if (spec.type !== 'LoadBalancer') errors.push(forbiddenField('spec.loadBalancerClass', only));
    errors.push(
      ...invalidValues('spec.loadBalancerClass', spec.loadBalancerClass, qualifiedNameFaults(spec.loadBalancerClass)),
    );
  }
  return errors;
}

export function validateServiceUpdate(next: Service, old: Service): FieldError[] {
  const errors: FieldError[] = [];
  const [spec, before] = [next.spec ?? {}, old.spec ?? {}];
  if (spec.type !== 'ExternalName' && before.type !== 'ExternalName') {
    const was = before.clusterIPs ?? [];
    const is = spec.clusterIPs ?? [];
    if (was.length && is[0] !== was[0]) {
      if (is.length === 0) errors.push(invalidValue('spec.clusterIPs[0]', is, 'primary clusterIP can not be unset'));
      else errors.push(invalidValue('spec.clusterIPs[0]', is, 'may not change once set'));
    }
  }
  const onlyNew = "may only be used when `type` is 'LoadBalancer'";
  if (
    before.type === 'LoadBalancer' &&
    spec.type === 'LoadBalancer' &&
    spec.loadBalancerClass !== before.loadBalancerClass
  )
    errors.push(immutableClass(spec.loadBalancerClass));
  else if (spec.loadBalancerClass !== undefined && spec.type !== 'LoadBalancer')
    errors.push(forbiddenField('spec.loadBalancerClass', onlyNew));
  return errors;
}

/** Addresses of load balancers. */
export function validateServiceStatus(service: Service): FieldError[] {
  return (service.status?.loadBalancer?.ingress ?? []).flatMap(({ ip, hostname, ipMode }, index) => {
    const path = `status.loadBalancer.ingress[${index}]`;
    const errors: FieldError[] = [];
    if (ip && !parseIp(ip)) errors.push(invalidValue(`${path}.ip`, ip, ipMessage));
    if (ip && !ipMode) errors.push(required(`${path}.ipMode`, 'must be specified when `ip` is set'));
    if (hostname) {
      errors.push(...invalidValues(`${path}.hostname`, hostname, dns1123SubdomainFaults(hostname)));
      if (parseIp(hostname))
        errors.push(invalidValue(`${path}.hostname`, hostname, 'must be a DNS name, not an IP address'));
    }
    return [...errors, ...oneOf(`${path}.ipMode`, ipMode, ['Proxy', 'VIP'])];
  });
}

const immutableClass = (value: string | undefined): FieldError =>
  invalidValue('spec.loadBalancerClass', value, 'may not change once set');
