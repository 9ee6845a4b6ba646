import { parseIp } from '../../../machinery/ip.ts';
import {
  dns1123LabelFaults,
  dns1123SubdomainFaults,
  labelValueFaults,
  qualifiedNameFaults,
} from '../../../machinery/text/names.ts';
import type { FieldError } from '../../errors.ts';
import { duplicate, invalidValue, invalidValues, required, sameValue, tooMany, unchanged } from '../../fields.ts';
import type { EndpointHints, EndpointSlice } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { sameStored } from '../../strategy.ts';
import { validateLabels } from '../../validation/metadata.ts';
import { fullyQualifiedName } from '../../validation/names.ts';
import { canonicalIp, forwardableIpFaults, ipWarnings, legacyIp } from '../../validation/network.ts';
import { choice, each, given, oneOfThese, type Rule, set, struct, text } from '../../validation/rules.ts';
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
    metadataOnUpdate: ['whole'],
    prepareForCreate: dropTopology,
    prepareForUpdate(next, old) {
      const { metadata, ...wanted } = next;
      const { metadata: before, ...was } = old;
      const isSame =
        sameStored('discovery.k8s.io', 'EndpointSlice', wanted, was) &&
        sameValue(metadata.labels ?? {}, before.labels ?? {});
      if (!isSame) metadata.generation = (before.generation ?? 0) + 1;
      if (!sameValue(next.endpoints ?? [], old.endpoints ?? [])) dropTopology(next);
    },
    validate: (s) => validate(s),
    validateUpdate: (next, old) => [
      ...validate(next, old),
      ...unchanged('addressType', next.addressType ?? '', old.addressType ?? ''),
    ],
    warnings: (s, old) => [
      ...(!old && s.addressType === 'FQDN' ? ['spec.addressType: FQDN endpoints are deprecated'] : []),
      ...(managers.includes(s.metadata.labels?.['endpointslice.kubernetes.io/managed-by'] ?? '')
        ? []
        : (s.endpoints ?? []).flatMap(({ addresses }, i) =>
            (addresses ?? []).flatMap((address, j) => ipWarnings(`endpoints[${i}].addresses[${j}]`, address)),
          )),
    ],
  },
};

const managers = ['endpointslice-controller.k8s.io', 'endpointslicemirroring-controller.k8s.io'];

/** Topology by labels was given up for `nodeName` and `zone`. */
function dropTopology(s: EndpointSlice): void {
  for (const endpoint of s.endpoints ?? []) delete endpoint.deprecatedTopology;
}

function validate(s: EndpointSlice, old?: EndpointSlice): FieldError[] {
  return [
    ...addressType(s.addressType, 'addressType'),
    ...ports(s.ports, 'ports'),
    // Endpoints that were accepted once may stay.
    ...(old && sameValue(s.endpoints ?? [], old.endpoints ?? []) ? [] : validateEndpoints(s)),
  ];
}

const addressType = choice('FQDN', 'IPv4', 'IPv6');
const label = text(dns1123LabelFaults);
const nodeName = text(dns1123SubdomainFaults);

const limited =
  (max: number, rule: Rule): Rule =>
  (list: readonly unknown[] | undefined, path) =>
    list && list.length > max ? [tooMany(path, list.length, max)] : rule(list, path);

const port = struct({
  name: [given(label), (value, path, { isRepeated }: Marked) => (isRepeated ? [duplicate(path, value)] : [])],
  protocol: (value, path) => (value === undefined ? [required(path)] : oneOfThese('SCTP', 'TCP', 'UDP')(value, path)),
  appProtocol: set(text(qualifiedNameFaults)),
});

const ports = limited(20_000, (list: readonly Named[] | undefined, path) =>
  each(port)(
    marked(list ?? [], ({ name }) => name ?? ''),
    path,
  ),
);

interface Named {
  readonly name?: string;
}
interface Marked {
  readonly isRepeated: boolean;
}

/** Each item as it is, and whether an earlier one has the same key. */
function marked<T extends object>(items: readonly T[], key: (item: T) => string): (T & Marked)[] {
  const seen = new Set<string>();
  return items.map((item) => {
    const isRepeated = seen.has(key(item));
    seen.add(key(item));
    return { ...item, isRepeated };
  });
}

/** Distinct names. */
const hints = (check: Rule): Rule =>
  limited(8, (list: readonly Named[] | undefined, path) =>
    each(struct({ name: [(value, at, { isRepeated }: Marked) => (isRepeated ? [duplicate(at, value)] : []), check] }))(
      marked(list ?? [], ({ name }) => name ?? ''),
      path,
    ),
  );

const endpointRules = struct({
  nodeName: set(nodeName),
  deprecatedTopology: [
    (topology: object | undefined, path) => {
      const count = Object.keys(topology ?? {}).length;
      return count > 16 ? [tooMany(path, count, 16)] : [];
    },
    validateLabels,
  ],
  hostname: set(label),
  hints: (value: EndpointHints | undefined, path) => {
    const zones = hints(text(labelValueFaults))(value?.forZones, `${path}.forZones`);
    const isTooMany = (value?.forZones?.length ?? 0) > 8;
    return isTooMany ? zones : [...zones, ...hints(nodeName)(value?.forNodes, `${path}.forNodes`)];
  },
});

function validateEndpoints(s: EndpointSlice): FieldError[] {
  const endpoints = s.endpoints ?? [];
  if (endpoints.length > 1000) return [tooMany('endpoints', endpoints.length, 1000)];
  return endpoints.flatMap((endpoint, index) => {
    const path = `endpoints[${index}]`;
    const addresses = endpoint.addresses ?? [];
    const at = `${path}.addresses`;
    return [
      ...(addresses.length ? [] : [required(at, 'must contain at least 1 address')]),
      ...(addresses.length > 100 ? [tooMany(at, addresses.length, 100)] : []),
      ...addresses.flatMap((address, i) => validateAddress(address, at, i, s.addressType)),
      ...endpointRules(endpoint, path),
    ];
  });
}

function validateAddress(address: string, path: string, index: number, type: string): FieldError[] {
  const at = `${path}[${index}]`;
  if (type === 'FQDN') return fullyQualifiedName(at, address);
  if (type !== 'IPv4' && type !== 'IPv6') return [];
  const errors = type === 'IPv4' ? legacyIp(at, address) : canonicalIp(at, address);
  if (errors.length) return errors;
  const isOther = type !== `IPv${parseIp(address)?.family}`;
  return [
    ...(isOther ? [invalidValue(path, address, `must be an ${type} address`)] : []),
    ...invalidValues(at, address, forwardableIpFaults(address)),
  ];
}
