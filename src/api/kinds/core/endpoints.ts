import { parseIp } from '../../../machinery/ip.ts';
import { dns1123LabelFaults, portNumberFaults } from '../../../machinery/names.ts';
import type { FieldError } from '../../errors.ts';
import { invalidValue, invalidValues, oneOf, required } from '../../fields.ts';
import type { EndpointSubset, Endpoints } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { forwardableIpFaults, ipMessage } from '../../validation/network.ts';
import { none } from '../cells.ts';

/** How many addresses a cell shows before it says how many more there are. */
const shown = 3;

export const endpoints: KindBehaviour<Endpoints> = {
  cells: { Endpoints: (e) => addressesText(e.subsets ?? []) },
  strategy: {
    allowCreateOnUpdate: false,
    setDefaults(e) {
      for (const subset of e.subsets ?? []) for (const port of subset.ports ?? []) port.protocol ??= 'TCP';
    },
    validate: (e) => (e.subsets ?? []).flatMap((subset, index) => validateSubset(subset, `subsets[${index}]`)),
    warnings: () => ['v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice'],
  },
};

function addressesText(subsets: readonly EndpointSubset[]): string {
  const all = subsets.flatMap((subset) =>
    subset.ports?.length
      ? subset.ports.flatMap((port) => (subset.addresses ?? []).map(({ ip }) => joinHostPort(ip, port.port)))
      : (subset.addresses ?? []).map(({ ip }) => ip),
  );
  if (!all.length) return none;
  const more = all.length - shown;
  return `${all.slice(0, shown).join(',')}${more > 0 ? ` + ${more} more...` : ''}`;
}

const joinHostPort = (host: string, port: number) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`);

function validateSubset(subset: EndpointSubset, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const { addresses = [], notReadyAddresses = [], ports = [] } = subset;
  if (!addresses.length && !notReadyAddresses.length)
    errors.push(required(path, 'must specify `addresses` or `notReadyAddresses`'));
  for (const [field, list] of Object.entries({ addresses, notReadyAddresses }))
    for (const [index, { ip }] of list.entries()) {
      const at = `${path}.${field}[${index}].ip`;
      if (!parseIp(ip))
        errors.push(invalidValue(at, ip, ipMessage), invalidValue(at, ip, 'must be a valid IP address'));
      else errors.push(...invalidValues(at, ip, forwardableIpFaults(ip)));
    }
  for (const [index, port] of ports.entries()) {
    const at = `${path}.ports[${index}]`;
    if (ports.length > 1 && !port.name) errors.push(required(`${at}.name`));
    else if (port.name) errors.push(...invalidValues(`${at}.name`, port.name, dns1123LabelFaults(port.name)));
    errors.push(...invalidValues(`${at}.port`, port.port, portNumberFaults(port.port)));
    errors.push(...oneOf(`${at}.protocol`, port.protocol, ['TCP', 'UDP', 'SCTP']));
  }
  return errors;
}
