// From Services and EndpointSlices to the ports to program. Pure.
// https://kubernetes.io/docs/reference/networking/virtual-ips/

import { announcedLoadBalancer, type EndpointSlice, type Service } from '../api/api.ts';
import { cidrContains, parseCidr, parseIp } from '../machinery/ip.ts';

/** Of addresses. */
export type Family = 4 | 6;

/** Whether an address or a range belongs to a family. */
export const isOfFamily = (address: string, family: Family): boolean => address.includes(':') === (family === 6);

export interface Endpoint {
  readonly ip: string;
  readonly port: number;
  readonly isLocal: boolean;
}

/** One port of one service in one family, with all data for its traffic. */
export interface ServicePort {
  /** namespace/name:port name */
  readonly key: string;
  readonly family: Family;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly port: number;
  /** Addresses that mean this service on every node: cluster IPs. */
  readonly clusterIPs: readonly string[];
  /** External and load balancer addresses. */
  readonly externalIPs: readonly string[];
  /** The addresses of load balancers among them. */
  readonly balancerIPs: readonly string[];
  /** Clients that may use the load balancer addresses; undefined: all. */
  readonly sourceRanges: readonly string[] | undefined;
  /** Whether nodes take the load balancer addresses as their own: other ports of them must not reach the node. */
  readonly isAnnounced: boolean;
  /** 0: none. */
  readonly nodePort: number;
  /** Seconds that a client keeps its endpoint; 0: each connection is independent. */
  readonly affinitySeconds: number;
  /** For traffic to a cluster IP. */
  readonly endpoints: readonly Endpoint[];
  /** On all nodes, without regard to policies. */
  readonly allEndpoints: readonly Endpoint[];
  /** On all nodes: every one that serves, also those that end while others are ready. */
  readonly servingEndpoints: readonly Endpoint[];
  /** For traffic from outside: those of this node alone with externalTrafficPolicy Local. */
  readonly externalEndpoints: readonly Endpoint[];
  /** externalTrafficPolicy Local: the client's address is kept. */
  readonly keepsClientAddress: boolean;
  /** Whether the service has endpoints on any node: with none, connections are refused, else they are dropped. */
  readonly hasAnyEndpoints: boolean;
}

/** Whether an address is in one of the ranges. */
export function isWithin(address: string, ranges: readonly string[]): boolean {
  const ip = parseIp(address);
  return (
    ip !== undefined &&
    ranges.some((range) => {
      const cidr = parseCidr(range);
      return cidr !== undefined && cidrContains(cidr, ip);
    })
  );
}

export const serviceNameLabel = 'kubernetes.io/service-name';

/** Every service port, in a stable order: for each family in which the service has a cluster IP. */
export function servicePorts(
  services: readonly Service[],
  slices: readonly EndpointSlice[],
  nodeName: string,
): ServicePort[] {
  const byService = new Map<string, EndpointSlice[]>();
  for (const slice of slices) {
    const name = slice.metadata.labels?.[serviceNameLabel];
    if (!name || slice.addressType === 'FQDN' || !isForProxy(slice)) continue;
    const key = `${slice.metadata.namespace}/${name}`;
    const list = byService.get(key);
    if (list) list.push(slice);
    else byService.set(key, [slice]);
  }
  return services
    .filter(isProxied)
    .flatMap((service) => {
      const own = byService.get(`${service.metadata.namespace}/${service.metadata.name}`) ?? [];
      return families
        .filter((family) => clusterIPsOf(service, family).length > 0)
        .flatMap((family) => portsOf(service, family, own, nodeName));
    })
    .sort((a, b) => a.family - b.family || (a.key < b.key ? -1 : 1));
}

const families = [4, 6] as const;

const clusterIPsOf = ({ spec }: Service, family: Family): string[] =>
  (spec.clusterIPs ?? [spec.clusterIP]).filter((ip) => ip !== undefined && isOfFamily(ip, family)) as string[];

/** Labels, of any value, on services and slices that another proxy handles, or none. */
const notForProxy = ['service.kubernetes.io/service-proxy-name', 'service.kubernetes.io/headless'];

const isForProxy = ({ metadata }: Pick<Service | EndpointSlice, 'metadata'>): boolean =>
  notForProxy.every((label) => metadata.labels?.[label] === undefined);

function isProxied({ metadata, spec }: Service): boolean {
  return (
    isForProxy({ metadata }) && spec.type !== 'ExternalName' && Boolean(spec.clusterIP) && spec.clusterIP !== 'None'
  );
}

function portsOf(
  service: Service,
  family: Family,
  allSlices: readonly EndpointSlice[],
  nodeName: string,
): ServicePort[] {
  const { metadata, spec, status } = service;
  const slices = allSlices.filter(({ addressType }) => addressType === `IPv${family}`);
  const own = (addresses: readonly (string | undefined)[] = []) =>
    addresses.filter((ip): ip is string => ip !== undefined && ip !== '' && isOfFamily(ip, family));
  const balancers = own((status?.loadBalancer?.ingress ?? []).filter((i) => i.ipMode !== 'Proxy').map((i) => i.ip));
  const ranges = spec.loadBalancerSourceRanges ?? [];
  return (spec.ports ?? []).map((port) => {
    const all = endpointsOf(slices, port.name ?? '', nodeName);
    const plain = ({ ip, port, isLocal }: Candidate): Endpoint => ({ ip, port, isLocal });
    const local = (only: boolean) => usable(only ? all.filter((e) => e.isLocal) : all).map(plain);
    const keepsClientAddress = spec.externalTrafficPolicy === 'Local';
    const affinity =
      spec.sessionAffinity === 'ClientIP' ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10800) : 0;
    return {
      key: `${metadata.namespace}/${metadata.name}:${port.name ?? ''}`,
      family,
      protocol: (port.protocol ?? 'TCP').toLowerCase() as ServicePort['protocol'],
      port: port.port,
      clusterIPs: clusterIPsOf(service, family),
      externalIPs: [...new Set([...own(spec.externalIPs), ...balancers])],
      balancerIPs: balancers,
      sourceRanges: ranges.length > 0 ? own(ranges.map((range) => range.trim())) : undefined,
      isAnnounced: metadata.annotations?.[announcedLoadBalancer] !== undefined,
      nodePort: port.nodePort ?? 0,
      affinitySeconds: affinity,
      endpoints: local(spec.internalTrafficPolicy === 'Local'),
      allEndpoints: local(false),
      servingEndpoints: all.filter(({ ready, serving }) => ready || serving).map(plain),
      externalEndpoints: local(keepsClientAddress),
      keepsClientAddress,
      hasAnyEndpoints: usable(all).length > 0,
    };
  });
}

interface Candidate extends Endpoint {
  readonly ready: boolean;
  readonly serving: boolean;
}

function endpointsOf(slices: readonly EndpointSlice[], portName: string, nodeName: string): Candidate[] {
  const found = new Map<string, Candidate>();
  for (const slice of slices) {
    const port = slice.ports?.find((p) => (p.name ?? '') === portName)?.port;
    if (!port) continue;
    for (const { addresses, conditions, nodeName: on } of slice.endpoints ?? []) {
      const ready = conditions?.ready !== false;
      const serving = conditions?.serving ?? ready;
      found.set(`${addresses[0]}:${port}`, { ip: addresses[0], port, isLocal: on === nodeName, ready, serving });
    }
  }
  return [...found.values()].sort((a, b) => (a.ip === b.ip ? a.port - b.port : a.ip < b.ip ? -1 : 1));
}

/** The ready ones; without any, the terminating ones that still serve (KEP-1669). */
function usable(all: readonly Candidate[]): readonly Candidate[] {
  const ready = all.filter((e) => e.ready);
  return ready.length > 0 ? ready : all.filter((e) => e.serving);
}

/** The health check of a service whose load balancer must find the nodes with endpoints. */
export interface HealthCheck {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly port: number;
  /** Ready ones on this node. */
  readonly localEndpoints: number;
}

/** Of the services with externalTrafficPolicy Local and a health check port. */
export function healthChecks(
  services: readonly Service[],
  slices: readonly EndpointSlice[],
  nodeName: string,
): HealthCheck[] {
  return services.filter(isForProxy).flatMap(({ metadata: { namespace = '', name, uid }, spec }) => {
    const port = spec.healthCheckNodePort;
    if (!port || spec.type !== 'LoadBalancer' || spec.externalTrafficPolicy !== 'Local') return [];
    const addresses = slices
      .filter(isForProxy)
      .filter(({ metadata }) => metadata.namespace === namespace && metadata.labels?.[serviceNameLabel] === name)
      .flatMap(({ endpoints }) => endpoints ?? [])
      .filter((endpoint) => endpoint.nodeName === nodeName && endpoint.conditions?.ready !== false)
      .map((endpoint) => endpoint.addresses[0]);
    return [{ namespace, name, uid, port, localEndpoints: new Set(addresses).size }];
  });
}
