import { parseIp } from '../../../machinery/ip.ts';
import { dns1123LabelFaults, dns1123SubdomainFaults, qualifiedNameFaults } from '../../../machinery/names.ts';
import type { FieldError } from '../../errors.ts';
import {
  duplicate,
  immutableField,
  invalidValue,
  invalidValues,
  notSupported,
  oneOf,
  required,
  tooMany,
} from '../../fields.ts';
import type { EndpointSlice } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { forwardableIpFaults, ipMessage } from '../../validation/network.ts';
import { unset } from '../cells.ts';

const shown = 3;
const some = (items: readonly string[]) =>
  items.length > shown ? `${items.slice(0, shown).join(',')} + ${items.length - shown} more...` : items.join(',');

export const endpointSlice: KindBehaviour<EndpointSlice> = {
  hasGeneration: true,
  cells: {
    AddressType: (s) => s.addressType ?? '',
    Ports: (s) =>
      s.ports?.length
        ? some(s.ports.map(({ name, port }) => (port !== undefined ? String(port) : name || '*')))
        : unset,
    Endpoints: (s) => {
      const addresses = (s.endpoints ?? []).flatMap((endpoint) => endpoint.addresses ?? []);
      return addresses.length ? some(addresses) : unset;
    },
  },
  strategy: {
    setDefaults(s) {
      for (const port of s.ports ?? []) {
        port.name ??= '';
        port.protocol ??= 'TCP';
      }
    },
    validate,
    warnings: (s) => (s.addressType === 'FQDN' ? ['spec.addressType: FQDN endpoints are deprecated'] : []),
    validateUpdate: (next, old) =>
      next.addressType === old.addressType ? [] : [immutableField('addressType', next.addressType)],
  },
};

const addressTypes = ['FQDN', 'IPv4', 'IPv6'];

function validate(s: EndpointSlice): FieldError[] {
  const errors: FieldError[] = [];
  if (!s.addressType) errors.push(required('addressType'));
  else if (!addressTypes.includes(s.addressType)) errors.push(notSupported('addressType', s.addressType, addressTypes));
  const endpoints = s.endpoints ?? [];
  if (endpoints.length > 1000) return [...errors, tooMany('endpoints', endpoints.length, 1000)];
  for (const [index, endpoint] of endpoints.entries()) {
    const path = `endpoints[${index}]`;
    const addresses = endpoint.addresses ?? [];
    if (!addresses.length) errors.push(required(`${path}.addresses`, 'must contain at least 1 address'));
    else if (addresses.length > 100) errors.push(tooMany(`${path}.addresses`, addresses.length, 100));
    for (const [i, address] of addresses.entries())
      errors.push(...validateAddress(address, `${path}.addresses[${i}]`, s.addressType));
    if (endpoint.nodeName)
      errors.push(...invalidValues(`${path}.nodeName`, endpoint.nodeName, dns1123SubdomainFaults(endpoint.nodeName)));
    if (endpoint.hostname)
      errors.push(...invalidValues(`${path}.hostname`, endpoint.hostname, dns1123LabelFaults(endpoint.hostname)));
  }
  return [...errors, ...validatePorts(s)];
}

function validateAddress(address: string, path: string, type: string): FieldError[] {
  if (!addressTypes.includes(type)) return [];
  if (type === 'FQDN') return invalidValues(path, address, dns1123SubdomainFaults(address));
  const ip = parseIp(address);
  if (!ip) return [invalidValue(path, address, ipMessage)];
  if (type === `IPv${ip.family}`) return invalidValues(path, address, forwardableIpFaults(address));
  return [invalidValue(path, address, `must be an ${type} address`)];
}

function validatePorts(s: EndpointSlice): FieldError[] {
  const errors: FieldError[] = [];
  const names = new Set<string>();
  for (const [index, port] of (s.ports ?? []).entries()) {
    const path = `ports[${index}]`;
    const name = port.name ?? '';
    if (name) errors.push(...invalidValues(`${path}.name`, name, dns1123LabelFaults(name)));
    if (names.has(name)) errors.push(duplicate(`${path}.name`, name));
    names.add(name);
    errors.push(...oneOf(`${path}.protocol`, port.protocol, ['SCTP', 'TCP', 'UDP']));
    if (port.appProtocol)
      errors.push(...invalidValues(`${path}.appProtocol`, port.appProtocol, qualifiedNameFaults(port.appProtocol)));
  }
  return errors;
}
