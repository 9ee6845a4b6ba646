// The records of a cluster: https://github.com/kubernetes/dns/blob/master/docs/specification.md (1.1.0). Pure.

import { isIPv4, isIPv6 } from 'node:net';
import type { EndpointSlice, Service } from '../api/api.ts';
import { formatIp } from '../machinery/ip.ts';

export type DnsRecord = { readonly name: string } & (
  | { readonly type: 'A' | 'AAAA' | 'CNAME' | 'TXT' | 'PTR'; readonly data: string }
  | { readonly type: 'SRV'; readonly data: SrvData }
);

interface SrvData {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly target: string;
}

/** `exists`: the name exists, possibly without a record of the requested type (NODATA, not NXDOMAIN). */
interface Lookup {
  readonly exists: boolean;
  readonly answers: readonly DnsRecord[];
  readonly additional: readonly DnsRecord[];
}

const nothing: Lookup = { exists: false, answers: [], additional: [] };
const serviceNameLabel = 'kubernetes.io/service-name';

const clusterIPsOf = ({ clusterIPs, clusterIP }: Service['spec']): readonly string[] =>
  clusterIPs ?? (clusterIP ? [clusterIP] : []);

export interface ClusterView {
  service(namespace: string, name: string): Service | undefined;
  hasNamespace(name: string): boolean;
  slices(namespace: string, service: string): readonly EndpointSlice[];
  /** Service and its namespace by cluster IP. */
  byClusterIP(ip: string): Service | undefined;
  byEndpointIP(ip: string): { slice: EndpointSlice; hostname: string } | undefined;
}

/** The service of a slice. */
export const serviceOf = (slice: EndpointSlice): string | undefined => slice.metadata.labels?.[serviceNameLabel];

const typeOf = (ip: string) => (ip.includes(':') ? 'AAAA' : 'A');
const addresses = (name: string, ips: readonly string[]): DnsRecord[] =>
  ips.map((ip) => ({ name, type: typeOf(ip), data: ip }));

/** The label of an endpoint: its hostname, or its address with dashes. A label must not end with one (RFC 1123). */
const endpointLabel = (hostname: string | undefined, ip: string): string =>
  hostname || ip.replaceAll(/[.:]/g, '-').replace(/-$/, '-0');

/** All records of a name below the cluster's domain. `name` is in lower case and ends with the domain. */
export function lookup(name: string, domain: string, view: ClusterView): Lookup {
  if (name === domain) return { exists: true, answers: [], additional: [] };
  const labels = name
    .slice(0, -(domain.length + 1))
    .split('.')
    .reverse();
  const [kind, namespace, first, ...rest] = labels;
  if (kind === 'dns-version' && labels.length === 1)
    return { exists: true, answers: [{ name, type: 'TXT', data: '1.1.0' }], additional: [] };
  if (kind !== 'svc' && kind !== 'pod') return nothing;
  if (namespace === undefined) return { exists: true, answers: [], additional: [] };
  if (!view.hasNamespace(namespace)) return nothing;
  if (first === undefined) return { exists: true, answers: [], additional: [] };
  return kind === 'pod' ? podRecords(name, first, rest) : serviceRecords(name, namespace, first, rest, domain, view);
}

/** 10-244-0-5.default.pod.cluster.local is 10.244.0.5, whether there is such a pod or not. */
function podRecords(name: string, label: string, rest: readonly string[]): Lookup {
  if (rest.length > 0) return nothing;
  const v4 = label.replaceAll('-', '.');
  if (isIPv4(v4)) return { exists: true, answers: addresses(name, [v4]), additional: [] };
  const v6 = label.replaceAll('-', ':');
  if (isIPv6(v6)) return { exists: true, answers: addresses(name, [v6]), additional: [] };
  return nothing;
}

function serviceRecords(
  name: string,
  namespace: string,
  serviceName: string,
  rest: readonly string[],
  domain: string,
  view: ClusterView,
): Lookup {
  const service = view.service(namespace, serviceName);
  if (!service) return nothing;
  const { spec } = service;
  if (spec.type === 'ExternalName')
    return rest.length === 0
      ? { exists: true, answers: [{ name, type: 'CNAME', data: spec.externalName ?? '' }], additional: [] }
      : nothing;
  const host = `${serviceName}.${namespace}.svc.${domain}`;
  const isHeadless = spec.clusterIP === 'None';
  const endpoints = isHeadless ? endpointsOf(service, view) : [];
  if (rest.length === 0) {
    const ips = isHeadless ? endpoints.map((e) => e.ip) : clusterIPsOf(spec);
    const srv = isHeadless ? [] : portRecords(name, service, host);
    return {
      exists: !isHeadless || endpoints.length > 0,
      answers: [...addresses(name, [...new Set(ips)]), ...srv],
      additional: addresses(host, isHeadless ? [] : ips),
    };
  }
  // _port._protocol.service: SRV of one port.
  const [last, port] = rest;
  if (rest.length === 2 && last.startsWith('_') && port.startsWith('_'))
    return isHeadless
      ? headlessPort(name, host, port.slice(1), last.slice(1), endpoints)
      : namedPort(name, service, host, port.slice(1), last.slice(1));
  if (rest.length !== 1 || !isHeadless) return nothing;
  const own = endpoints.filter((e) => e.label === last);
  return {
    exists: own.length > 0,
    answers: addresses(
      name,
      own.map((e) => e.ip),
    ),
    additional: [],
  };
}

const srvOf = (name: string, target: string, port: number): DnsRecord => ({
  name,
  type: 'SRV',
  data: { priority: 0, weight: 100, port, target },
});

const portRecords = (name: string, { spec }: Service, host: string): DnsRecord[] =>
  (spec.ports ?? []).map((p) => srvOf(name, host, p.port));

function namedPort(name: string, { spec }: Service, host: string, portName: string, protocol: string): Lookup {
  const ports = (spec.ports ?? []).filter(
    (p) => p.name === portName && (p.protocol ?? 'TCP').toLowerCase() === protocol,
  );
  return {
    exists: ports.length > 0,
    answers: ports.map((p) => srvOf(name, host, p.port)),
    additional: addresses(host, clusterIPsOf(spec)),
  };
}

interface HeadlessEndpoint {
  readonly ip: string;
  readonly label: string;
  readonly ports: readonly { readonly name: string; readonly protocol: string; readonly port: number }[];
}

/** Endpoints of headless services: the ready ones, or all with publishNotReadyAddresses. */
function endpointsOf({ metadata, spec }: Service, view: ClusterView): HeadlessEndpoint[] {
  return view.slices(metadata.namespace ?? '', metadata.name).flatMap((slice) => {
    const ports = (slice.ports ?? []).flatMap((p) =>
      p.port ? [{ name: p.name ?? '', protocol: (p.protocol ?? 'TCP').toLowerCase(), port: p.port }] : [],
    );
    return (slice.endpoints ?? [])
      .filter((e) => e.conditions?.ready !== false || spec.publishNotReadyAddresses)
      .flatMap((e) => e.addresses.map((ip) => ({ ip, label: endpointLabel(e.hostname, ip), ports })));
  });
}

function headlessPort(
  name: string,
  host: string,
  portName: string,
  protocol: string,
  endpoints: readonly HeadlessEndpoint[],
): Lookup {
  const answers: DnsRecord[] = [];
  const additional: DnsRecord[] = [];
  const targets = new Set<string>();
  for (const { ip, label, ports } of endpoints)
    for (const port of ports)
      if (port.name === portName && port.protocol === protocol) {
        const target = `${label}.${host}`;
        // An endpoint with a hostname has it in both families.
        if (!targets.has(target)) answers.push(srvOf(name, target, port.port));
        targets.add(target);
        additional.push(...addresses(target, [ip]));
      }
  return { exists: answers.length > 0, answers, additional };
}

/** The address of 4.3.2.1.in-addr.arpa, or of 32 hexadecimal digits before ip6.arpa (RFC 3596, section 2.5). */
function reversed(name: string): string | undefined {
  const v4 = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\.in-addr\.arpa$/.exec(name);
  if (v4) return v4.slice(1).reverse().join('.');
  if (!/^([0-9a-f]\.){32}ip6\.arpa$/.test(name)) return undefined;
  const digits = name.slice(0, 64).split('.').reverse().join('');
  return formatIp({ family: 6, value: BigInt(`0x${digits}`) });
}

/** The PTR record; undefined when the name is no address or the address is not the cluster's. */
export function reverse(name: string, domain: string, view: ClusterView): DnsRecord | undefined {
  const ip = reversed(name);
  if (ip === undefined) return undefined;
  const service = view.byClusterIP(ip);
  if (service)
    return { name, type: 'PTR', data: `${service.metadata.name}.${service.metadata.namespace}.svc.${domain}` };
  const endpoint = view.byEndpointIP(ip);
  if (!endpoint) return undefined;
  const { slice, hostname } = endpoint;
  return {
    name,
    type: 'PTR',
    data: `${endpointLabel(hostname, ip)}.${serviceOf(slice)}.${slice.metadata.namespace}.svc.${domain}`,
  };
}
