// Load balancers on any machine, from the nodes alone. With a range, a service gets an address of it, which the nodes
// announce (kube-proxy/announcer). Without one, a service has the addresses of the nodes.

import { announcedLoadBalancer, type EndpointSlice, isNodeReady, type Node, type Service } from '../../api/api.ts';
import { keyOf, type Tools } from '../../client/client.ts';
import { familyOf, formatIp, type IpRange, parseIp, parseIpRange, rangeContains } from '../../machinery/ip.ts';
import { must } from '../../machinery/must.ts';
import type { CloudProvider, LoadBalancer } from '../provider.ts';
import { wantsLoadBalancer } from '../services/services.ts';
import { takenPorts } from './taken-ports.ts';

export interface LocalConfig {
  /** Addresses, such as 192.0.2.200-192.0.2.220; empty: services have the addresses of the nodes. */
  readonly ranges: readonly string[];
  /** Ports of nodes that no service gets, with their use. */
  readonly reservedPorts: ReadonlyMap<number, string>;
}

/** A wanted address, in place of the deprecated field spec.loadBalancerIP. */
const addressAnnotation = 'coracle.local/load-balancer-ip';
/** Kubernetes' old form of spec.loadBalancerSourceRanges, which kube-proxy does not read. */
const sourceRangesAnnotation = 'service.beta.kubernetes.io/load-balancer-source-ranges';

const serviceNameLabel = 'kubernetes.io/service-name';

export function localProvider({ ranges, reservedPorts }: LocalConfig): CloudProvider {
  const parsed = ranges.map((text) => must(parseIpRange(text), text));
  const common = {
    exists: async ({ status, metadata }: Service) =>
      (status?.loadBalancer?.ingress?.length ?? 0) > 0 || metadata.annotations?.[announcedLoadBalancer] !== undefined,
    // Addresses are recorded in the services alone.
    async remove() {},
    ownAnnotations: [announcedLoadBalancer],
  };
  if (parsed.length > 0) {
    const ensure = async (service: Service, _nodes: readonly Node[], tools: Tools) =>
      fromRange(service, parsed, ranges, tools);
    return { name: 'local', loadBalancers: { ...common, ensure, update: async () => undefined } };
  }
  return {
    name: 'local',
    loadBalancers: {
      ...common,
      reads: ['endpointslices'],
      triggers: [
        {
          resource: 'nodes',
          keys: (_node, { lister }) => lister('services').list().filter(wantsLoadBalancer).map(keyOf),
          matters: (next: Node, old: Node) => nodeState(next) !== nodeState(old),
        },
        {
          resource: 'endpointslices',
          keys: (slice: EndpointSlice, { lister }) =>
            serviceOf(slice).filter((key) => {
              const service = lister('services').get(key);
              return service && wantsLoadBalancer(service) && keepsClientAddress(service);
            }),
        },
      ],
      async ensure(service, nodes, tools) {
        await checkPorts(service, reservedPorts, tools);
        return ofNodes(service, nodes, tools);
      },
      update: async (service, nodes, tools) => ofNodes(service, nodes, tools),
    },
  };
}

type Family = 4 | 6;

/** Those of the service, its first one first. */
const familiesOf = ({ spec }: Service): readonly Family[] =>
  spec?.ipFamilies?.length ? spec.ipFamilies.map((name) => (name === 'IPv6' ? 6 : 4)) : [4];

function checkCommon({ metadata }: Service): void {
  if (metadata.annotations?.[sourceRangesAnnotation]?.trim())
    throw new Error(`the annotation ${sourceRangesAnnotation} is not supported: use spec.loadBalancerSourceRanges`);
}

interface Wanted {
  readonly address: string;
  /** The field or annotation. */
  readonly source: string;
}

/** The annotation may have an address of each family, with a comma between. */
function wantedAddresses(service: Service): ReadonlyMap<Family, Wanted> {
  const { metadata, spec } = service;
  const annotation = metadata.annotations?.[addressAnnotation];
  const field = spec?.loadBalancerIP || undefined;
  if (annotation !== undefined && field !== undefined && annotation !== field)
    throw new Error(`spec.loadBalancerIP ${field} and the annotation ${addressAnnotation} ${annotation} differ`);
  const address = annotation ?? field;
  const wanted = new Map<Family, Wanted>();
  if (address === undefined) return wanted;
  const source = annotation === undefined ? 'spec.loadBalancerIP' : `the annotation ${addressAnnotation}`;
  for (const text of address.split(',').map((part) => part.trim())) {
    const family = parseIp(text)?.family;
    if (!family) throw new Error(`${source}: "${text}" is no IP address`);
    if (!familiesOf(service).includes(family))
      throw new Error(`${source}: the service has no IPv${family} address, so it cannot have ${text}`);
    if (wanted.has(family)) throw new Error(`${source}: "${address}" has two IPv${family} addresses`);
    wanted.set(family, { address: text, source });
  }
  return wanted;
}

const addressesOf = ({ status }: Service): readonly string[] =>
  (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []);

function fromRange(service: Service, ranges: readonly IpRange[], texts: readonly string[], tools: Tools): LoadBalancer {
  checkCommon(service);
  const holders = new Map<string, string>();
  for (const each of tools.lister('services').list())
    if (keyOf(each) !== keyOf(service))
      for (const address of [...addressesOf(each), ...(each.spec?.externalIPs ?? [])])
        holders.set(address, keyOf(each));
  const wanted = wantedAddresses(service);
  const ingress = rangedFamilies(service, ranges).map((family) => {
    const own = ranges.filter((range) => range.family === family);
    const asked = wanted.get(family);
    const ip = asked ? checked(asked, own, texts, holders) : freeAddress(service, own, holders);
    if (ip === undefined)
      throw new Error(
        `all addresses of ${texts.join(',')} are in use: give a larger --load-balancer-range, or delete a service`,
      );
    return { ip, ipMode: 'VIP' };
  });
  return { status: { ingress }, annotations: { [announcedLoadBalancer]: 'true' } };
}

/** The families of the service that have a range. */
function rangedFamilies(service: Service, ranges: readonly IpRange[]): readonly Family[] {
  const families = familiesOf(service);
  const found = families.filter((family) => ranges.some((range) => range.family === family));
  const isEnough = found.length >= (service.spec?.ipFamilyPolicy === 'RequireDualStack' ? families.length : 1);
  const missing = families.find((family) => !found.includes(family));
  if (!isEnough)
    throw new Error(`the service needs an IPv${missing} address, and --load-balancer-range has none of that family`);
  return found;
}

function checked(
  { address, source }: Wanted,
  ranges: readonly IpRange[],
  texts: readonly string[],
  holders: ReadonlyMap<string, string>,
): string {
  if (!ranges.some((range) => rangeContains(range, must(parseIp(address), address))))
    throw new Error(`${address} of ${source} is not in the range of load balancers, ${texts.join(',')}`);
  const holder = holders.get(address);
  if (holder) throw new Error(`${address} of ${source} is the address of service ${holder}`);
  return address;
}

/** The one that it has, else the first that no other service has. */
function freeAddress(
  service: Service,
  ranges: readonly IpRange[],
  holders: ReadonlyMap<string, string>,
): string | undefined {
  const current = addressesOf(service).find((address) => {
    const ip = parseIp(address);
    return ip && !holders.has(address) && ranges.some((range) => rangeContains(range, ip));
  });
  if (current !== undefined) return current;
  for (const { family, first, last } of ranges)
    for (let value = first; value <= last; value++) {
      const address = formatIp({ family, value });
      // Some clients take them for the address of a network, and for its broadcast; in IPv6 any router has the first.
      if (!/(\.(0|255)|::)$/.test(address) && !holders.has(address)) return address;
    }
  return undefined;
}

const internalAddresses = ({ status }: Node): readonly string[] =>
  (status?.addresses ?? []).flatMap(({ type, address }) => (type === 'InternalIP' ? [address] : []));

const nodeState = (node: Node): string => `${internalAddresses(node)} ${isNodeReady(node)}`;

const keepsClientAddress = ({ spec }: Service): boolean => spec?.externalTrafficPolicy === 'Local';

const serviceOf = ({ metadata: { labels, namespace } }: EndpointSlice): string[] => {
  const name = labels?.[serviceNameLabel];
  return name ? [`${namespace}/${name}`] : [];
};

/** Nothing checks the health of these addresses, so those of nodes that cannot serve are left out. */
function ofNodes(service: Service, nodes: readonly Node[], { lister }: Tools): LoadBalancer {
  checkCommon(service);
  const slices = lister('endpointslices').list(service.metadata.namespace);
  const wanted = wantedAddresses(service);
  for (const { address, source } of wanted.values())
    if (!nodes.some((node) => internalAddresses(node).includes(address)))
      throw new Error(
        `${address} of ${source} is the address of no node: start the control plane with --load-balancer-range for other addresses`,
      );
  const ingress = familiesOf(service).flatMap((family) => {
    const serving = keepsClientAddress(service) ? nodesWithEndpoints(service, family, slices) : undefined;
    const addresses = nodes
      .filter((node) => isNodeReady(node) && (serving?.has(node.metadata.name) ?? true))
      .flatMap((node) => internalAddresses(node).find((address) => familyOf(address) === family) ?? []);
    return [...new Set(addresses)]
      .filter((ip) => wanted.size === 0 || wanted.get(family)?.address === ip)
      .sort()
      .map((ip) => ({ ip, ipMode: 'VIP' }));
  });
  return { status: { ingress }, annotations: { [announcedLoadBalancer]: null } };
}

function nodesWithEndpoints(service: Service, family: Family, slices: readonly EndpointSlice[]): ReadonlySet<string> {
  return new Set(
    slices
      .filter((slice) => slice.addressType === `IPv${family}` && serviceOf(slice).includes(keyOf(service)))
      .flatMap(({ endpoints }) => endpoints ?? [])
      .filter(({ conditions }) => conditions?.ready !== false)
      .flatMap(({ nodeName }) => nodeName ?? []),
  );
}

async function checkPorts(
  service: Service,
  reserved: ReadonlyMap<number, string>,
  { lister, client }: Tools,
): Promise<void> {
  const pods = (await client.list('pods')).items;
  const taken = takenPorts({ service, services: lister('services').list(), pods, reserved });
  if (taken.length > 0) throw new Error(`ports of the nodes are in use: ${taken.join('; ')}`);
}
