import { parseIp } from '../../../machinery/ip.ts';
import {
  dns1035LabelFaults,
  dns1123SubdomainFaults,
  portNameFaults,
  portNumberFaults,
  wildcardDns1123SubdomainFaults,
} from '../../../machinery/names.ts';
import type { FieldError } from '../../errors.ts';
import { invalidValue, invalidValues, notSupported, required } from '../../fields.ts';
import type { Ingress, IngressBackend } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { none } from '../cells.ts';

const shownHosts = 3;
const pathTypes = ['Exact', 'ImplementationSpecific', 'Prefix'];

export const ingress: KindBehaviour<Ingress> = {
  hasGeneration: true,
  cells: {
    Class: (i) => i.spec?.ingressClassName ?? none,
    Hosts: (i) => {
      const hosts = (i.spec?.rules ?? []).slice(0, shownHosts).map(({ host }) => host || '*');
      const more = (i.spec?.rules?.length ?? 0) - shownHosts;
      return `${hosts.join(',') || '*'}${more > 0 ? ` + ${more} more...` : ''}`;
    },
    Address: (i) => (i.status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip || hostname).join(','),
    Ports: (i) => (i.spec?.tls?.length ? '80, 443' : '80'),
  },
  strategy: { validate },
};

function validate(i: Ingress): FieldError[] {
  const errors: FieldError[] = [];
  const { rules = [], defaultBackend, tls = [], ingressClassName } = i.spec ?? {};
  if (!rules.length && !defaultBackend)
    errors.push(invalidValue('spec', rules, 'either `defaultBackend` or `rules` must be specified'));
  for (const [index, rule] of rules.entries()) {
    const path = `spec.rules[${index}]`;
    if (rule.host) errors.push(...validateHost(rule.host, `${path}.host`));
    if (!rule.http) continue;
    if (!rule.http.paths?.length) errors.push(required(`${path}.http.paths`));
    for (const [j, entry] of (rule.http.paths ?? []).entries()) {
      const at = `${path}.http.paths[${j}]`;
      const type = entry.pathType as string | undefined;
      if (!type) errors.push(required(`${at}.pathType`, 'pathType must be specified'));
      else if (!pathTypes.includes(type)) errors.push(notSupported(`${at}.pathType`, type, pathTypes));
      else if (type !== 'ImplementationSpecific' || entry.path)
        errors.push(...validatePath(entry.path ?? '', `${at}.path`, type));
      errors.push(...validateBackend(entry.backend, `${at}.backend`));
    }
  }
  if (defaultBackend) errors.push(...validateBackend(defaultBackend, 'spec.defaultBackend'));
  for (const [index, { hosts = [] }] of tls.entries())
    for (const [j, host] of hosts.entries()) {
      const check = host.startsWith('*') ? wildcardDns1123SubdomainFaults : dns1123SubdomainFaults;
      errors.push(...invalidValues(`spec.tls[${index}].hosts[${j}]`, host, check(host)));
    }
  if (ingressClassName !== undefined)
    errors.push(...invalidValues('spec.ingressClassName', ingressClassName, dns1123SubdomainFaults(ingressClassName)));
  return errors;
}

function validateHost(host: string, path: string): FieldError[] {
  if (parseIp(host)) return [invalidValue(path, host, 'must be a DNS name, not an IP address')];
  const check = host.includes('*') ? wildcardDns1123SubdomainFaults : dns1123SubdomainFaults;
  return invalidValues(path, host, check(host));
}

function validatePath(value: string, path: string, type: string): FieldError[] {
  if (!value.startsWith('/')) return [invalidValue(path, value, 'must be an absolute path')];
  if (type === 'ImplementationSpecific') return [];
  const errors = ['//', '/./', '/../', '%2f', '%2F']
    .filter((part) => value.includes(part))
    .map((part) => invalidValue(path, value, `must not contain '${part}'`));
  for (const end of ['/..', '/.'])
    if (value.endsWith(end)) errors.push(invalidValue(path, value, `cannot end with '${end}'`));
  return errors;
}

function validateBackend(backend: IngressBackend | undefined, path: string): FieldError[] {
  const { service, resource } = backend ?? {};
  if (service && resource) return [invalidValue(path, '', 'cannot set both resource and service backends')];
  if (resource) return [];
  if (!service) return [invalidValue(path, '', 'resource or service backend is required')];
  const errors: FieldError[] = [];
  if (!service.name) errors.push(required(`${path}.service.name`));
  else errors.push(...invalidValues(`${path}.service.name`, service.name, dns1035LabelFaults(service.name)));
  const { name, number } = service.port ?? {};
  if (name && number) errors.push(invalidValue(path, '', 'cannot set both port name & port number'));
  else if (name) errors.push(...invalidValues(`${path}.service.port.name`, name, portNameFaults(name)));
  else if (number) errors.push(...invalidValues(`${path}.service.port.number`, number, portNumberFaults(number)));
  else errors.push(required(path, 'port name or number is required'));
  return errors;
}
