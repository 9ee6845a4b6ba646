import { parseIp } from '../../../machinery/ip.ts';
import { dns1123LabelFaults, dns1123SubdomainFaults, qualifiedNameFaults } from '../../../machinery/text/names.ts';
import type { FieldError } from '../../errors.ts';
import { invalidValues, required, sameValue } from '../../fields.ts';
import type { EndpointSubset, Endpoints } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { forwardableIpFaults, ipWarnings, legacyIp, portNumber, withoutZeros } from '../../validation/network.ts';
import { choice, given, set, struct, text } from '../../validation/rules.ts';
import { none } from '../cells.ts';

/** Addresses in a cell before "+ n more". */
const shown = 3;

export const endpoints: KindBehaviour<Endpoints> = {
  storagePrefix: 'services/endpoints',
  deprecation: 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
  cells: { Endpoints: (e) => addressesText(e.subsets ?? []) },
  strategy: {
    allowCreateOnUpdate: true,
    setDefaults(e) {
      for (const subset of e.subsets ?? []) for (const port of subset.ports ?? []) port.protocol ??= 'TCP';
    },
    metadataOnUpdate: ['change', 'whole'],
    validate: (e) => validate(e),
    // Values that were accepted once may stay.
    validateUpdate: (next, old) => (sameValue(next.subsets ?? [], old.subsets ?? []) ? [] : validate(next)),
    warnings: (e) => [
      'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
      ...(e.subsets ?? []).flatMap((subset, index) =>
        (['addresses', 'notReadyAddresses'] as const).flatMap((list) =>
          (subset[list] ?? []).flatMap(({ ip }, i) => ipWarnings(`subsets[${index}].${list}[${i}].ip`, ip)),
        ),
      ),
    ],
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

const address = struct({
  hostname: given(text(dns1123LabelFaults)),
  nodeName: set(text(dns1123SubdomainFaults)),
});

function validateAddress(endpoint: { ip?: string }, path: string): readonly FieldError[] {
  const { ip = '' } = endpoint;
  const plain = withoutZeros(ip);
  const faults = parseIp(plain) ? forwardableIpFaults(plain) : ['must be a valid IP address'];
  return [...legacyIp(`${path}.ip`, ip), ...address(endpoint, path), ...invalidValues(`${path}.ip`, ip, faults)];
}

const portRules = struct({
  port: portNumber,
  protocol: choice('SCTP', 'TCP', 'UDP'),
  appProtocol: set(text(qualifiedNameFaults)),
});
const label = text(dns1123LabelFaults);

function validateSubset(subset: EndpointSubset, path: string): FieldError[] {
  const { addresses = [], notReadyAddresses = [], ports = [] } = subset;
  const errors: FieldError[] = [];
  if (!addresses.length && !notReadyAddresses.length)
    errors.push(required(path, 'must specify `addresses` or `notReadyAddresses`'));
  for (const [field, list] of Object.entries({ addresses, notReadyAddresses }))
    for (const [index, endpoint] of list.entries())
      errors.push(...validateAddress(endpoint, `${path}.${field}[${index}]`));
  for (const [index, port] of ports.entries()) {
    const at = `${path}.ports[${index}]`;
    if (ports.length > 1 && !port.name) errors.push(required(`${at}.name`));
    else if (port.name) errors.push(...label(port.name, `${at}.name`));
    errors.push(...portRules({ ...port, port: port.port ?? 0 }, at));
  }
  return errors;
}

const validate = (e: Endpoints): FieldError[] =>
  (e.subsets ?? []).flatMap((subset, index) => validateSubset(subset, `subsets[${index}]`));
