// Load balancers on any machine, from the nodes alone. With a range, a service gets an address of it, which the nodes
// announce (kube-proxy/announcer). Without one, a service has the addresses of the nodes.

import { announcedLoadBalancer, conditionOf, type EndpointSlice, type Node, type Service } from '../../api/api.ts';
import { keyOf, type Tools } from '../../client/client.ts';
import { formatIp, type IpRange, parseIp, parseIpRange, rangeContains } from '../../machinery/ip.ts';
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

function checkCommon({ metadata, spec }: Service): void {
  if (spec?.ipFamilies && !spec.ipFamilies.includes('IPv4'))
    throw new Error('load balancers have IPv4 addresses only: add IPv4 to spec.ipFamilies');
  if (metadata.annotations?.[sourceRangesAnnotation]?.trim())
    throw new Error(`the annotation ${sourceRangesAnnotation} is not supported: use spec.loadBalancerSourceRanges`);
}

interface Wanted {
  readonly address: string;
  /** The field or annotation. */
  readonly source: string;
}

function wantedAddress({ metadata, spec }: Service): Wanted | undefined {
  const annotation = metadata.annotations?.[addressAnnotation];
  const field = spec?.loadBalancerIP || undefined;
  if (annotation !== undefined && field !== undefined && annotation !== field)
    throw new Error(`spec.loadBalancerIP ${field} and the annotation ${addressAnnotation} ${annotation} differ`);
  const address = annotation ?? field;
  if (address === undefined) return undefined;
  const source = annotation === undefined ? 'spec.loadBalancerIP' : `the annotation ${addressAnnotation}`;
  if (parseIp(address)?.family !== 4) throw new Error(`${source}: "${address}" is no IPv4 address`);
  return { address, source };
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
  const wanted = wantedAddress(service);
  const address = wanted ? checked(wanted, ranges, texts, holders) : freeAddress(service, ranges, holders);
  if (address === undefined)
    throw new Error(
      `all addresses of ${texts.join(',')} are in use: give a larger --load-balancer-range, or delete a service`,
    );
  return {
    status: { ingress: [{ ip: address, ipMode: 'VIP' }] },
    annotations: { [announcedLoadBalancer]: 'true' },
  };
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
  const [current] = addressesOf(service);
  const ip = current === undefined ? undefined : parseIp(current);
  if (ip && !holders.has(current) && ranges.some((range) => rangeContains(range, ip))) return current;
  for (const { family, first, last } of ranges)
    for (let value = first; value <= last; value++) {
      const address = formatIp({ family, value });
      // Some clients take them for the address of a network, and for its broadcast.
      if (!/\.(0|255)$/.test(address) && !holders.has(address)) return address;
    }
  return undefined;
}

const internalAddress = ({ status }: Node): string | undefined =>
  status?.addresses?.find(({ type, address }) => type === 'InternalIP' && parseIp(address)?.family === 4)?.address;

const isReady = (node: Node): boolean => conditionOf(node, 'Ready')?.status === 'True';

const nodeState = (node: Node): string => `${internalAddress(node)} ${isReady(node)}`;

const keepsClientAddress = ({ spec }: Service): boolean => spec?.externalTrafficPolicy === 'Local';

const serviceOf = ({ metadata: { labels, namespace } }: EndpointSlice): string[] => {
  const name = labels?.[serviceNameLabel];
  return name ? [`${namespace}/${name}`] : [];
};

/** Nothing checks the health of these addresses, so those of nodes that cannot serve are left out. */
function ofNodes(service: Service, nodes: readonly Node[], { lister }: Tools): LoadBalancer {
  checkCommon(service);
  const serving = keepsClientAddress(service)
    ? nodesWithEndpoints(service, lister('endpointslices').list(service.metadata.namespace))
    : undefined;
  const addresses = nodes
    .filter((node) => isReady(node) && (serving?.has(node.metadata.name) ?? true))
    .flatMap((node) => internalAddress(node) ?? []);
  const wanted = wantedAddress(service);
  if (wanted && !nodes.some((node) => internalAddress(node) === wanted.address))
    throw new Error(
      `${wanted.address} of ${wanted.source} is the address of no node: start the control plane with --load-balancer-range for other addresses`,
    );
  const ingress = [...new Set(addresses)]
    .filter((ip) => wanted === undefined || wanted.address === ip)
    .sort()
    .map((ip) => ({ ip, ipMode: 'VIP' }));
  return { status: { ingress }, annotations: { [announcedLoadBalancer]: null } };
}

function nodesWithEndpoints(service: Service, slices: readonly EndpointSlice[]): ReadonlySet<string> {
  return new Set(
    slices
      .filter((slice) => slice.addressType === 'IPv4' && serviceOf(slice).includes(keyOf(service)))
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
