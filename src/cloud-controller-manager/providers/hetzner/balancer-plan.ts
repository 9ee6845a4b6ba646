// The load balancer that a service asks for, and the changes that lead to it.

import type { Service } from '../../../api/api.ts';
import { CloudError } from '../../provider.ts';
import type { Balancer, BalancerService } from './hetzner-api.ts';

export interface BalancerDefaults {
  readonly location?: string;
  readonly networkZone?: string;
  readonly type: string;
  /** Of the servers. */
  readonly network?: number;
}

export interface WantedBalancer {
  /** Left out: one that belongs to the service alone. */
  readonly name?: string;
  readonly location?: string;
  readonly networkZone?: string;
  /** Left out: it keeps the type that it has. */
  readonly type?: string;
  readonly algorithm: string;
  readonly usesPrivateIP: boolean;
  readonly services: readonly BalancerService[];
  readonly ipMode: 'VIP' | 'Proxy';
  readonly hostname?: string;
  readonly hasIPv6: boolean;
  readonly hasPrivateIngress: boolean;
}

const domain = 'load-balancer.hetzner.cloud/';
/** Of Hetzner's own cloud-controller-manager; those that it has beside these are refused. */
const supported = [
  ...['name', 'location', 'network-zone', 'type', 'algorithm-type', 'use-private-ip', 'uses-proxyprotocol'],
  ...['hostname', 'ipv6-disabled', 'disable-private-ingress'],
];
const algorithms = ['round_robin', 'least_connections'];

/** Throws with a text for the user. */
export function wantedBalancer(service: Service, defaults: BalancerDefaults): WantedBalancer {
  checkService(service);
  const text = (name: string) => service.metadata.annotations?.[domain + name] || undefined;
  const flag = (name: string, fallback: boolean) => {
    const value = text(name);
    if (value === undefined) return fallback;
    if (value === 'true' || value === 'false') return value === 'true';
    throw new CloudError(`the annotation ${domain}${name} must be true or false`);
  };
  const algorithm = text('algorithm-type') ?? 'round_robin';
  if (!algorithms.includes(algorithm))
    throw new CloudError(`the annotation ${domain}algorithm-type must be one of ${algorithms.join(', ')}`);
  const usesPrivateIP = flag('use-private-ip', defaults.network !== undefined);
  if (usesPrivateIP && defaults.network === undefined)
    throw new CloudError(`the annotation ${domain}use-private-ip needs a network in the file of --cloud-config`);
  const proxyprotocol = flag('uses-proxyprotocol', false);
  const [name, hostname, type] = ['name', 'hostname', 'type'].map(text);
  return {
    ...(name !== undefined && { name }),
    ...(hostname !== undefined && { hostname }),
    ...(type !== undefined && { type }),
    ...place(text('location'), text('network-zone'), defaults),
    ...{ algorithm, usesPrivateIP },
    services: (service.spec?.ports ?? []).map((port) => serviceOf(port, service, proxyprotocol)),
    ipMode: proxyprotocol ? 'Proxy' : 'VIP',
    hasIPv6: !flag('ipv6-disabled', false),
    hasPrivateIngress: !flag('disable-private-ingress', false),
  };
}

function place(
  location: string | undefined,
  networkZone: string | undefined,
  defaults: BalancerDefaults,
): Pick<WantedBalancer, 'location' | 'networkZone'> {
  if (location && networkZone)
    throw new CloudError(`give one of the annotations ${domain}location and ${domain}network-zone`);
  if (location) return { location };
  if (networkZone) return { networkZone };
  if (defaults.location) return { location: defaults.location };
  return defaults.networkZone ? { networkZone: defaults.networkZone } : {};
}

function checkService({ metadata, spec }: Service): void {
  const foreign = Object.keys(metadata.annotations ?? {}).find(
    (key) => key.startsWith(domain) && !supported.includes(key.slice(domain.length)),
  );
  if (foreign) throw new CloudError(`the annotation ${foreign} is not supported: remove it`);
  if (spec?.loadBalancerIP)
    throw new CloudError('spec.loadBalancerIP is not supported: Hetzner Cloud gives the address');
  if (spec?.loadBalancerSourceRanges?.length)
    throw new CloudError("spec.loadBalancerSourceRanges is not supported: Hetzner's load balancers accept all clients");
}

type Port = NonNullable<NonNullable<Service['spec']>['ports']>[number];

function serviceOf(
  { port, protocol = 'TCP', nodePort }: Port,
  { spec }: Service,
  proxyprotocol: boolean,
): BalancerService {
  if (protocol !== 'TCP') throw new CloudError(`port ${port}/${protocol}: Hetzner's load balancers have TCP only`);
  if (!nodePort) throw new CloudError(`port ${port} has no node port: set spec.allocateLoadBalancerNodePorts to true`);
  const times = { interval: 15, timeout: 10, retries: 3 };
  const health = spec?.healthCheckNodePort;
  return {
    ...{ protocol: 'tcp', listen_port: port, destination_port: nodePort, proxyprotocol },
    // kube-proxy answers there whether the node has endpoints.
    health_check: health
      ? { protocol: 'http', port: health, ...times, http: { path: '/healthz', status_codes: ['200'] } }
      : { protocol: 'tcp', port: nodePort, ...times },
  };
}

interface Change {
  readonly action: string;
  readonly body: object;
}

/** The requests that make an existing load balancer the wanted one, but for its targets. */
export function changesTo(existing: Balancer, wanted: WantedBalancer, network: number | undefined): Change[] {
  const changes: Change[] = [];
  if (wanted.algorithm !== existing.algorithm)
    changes.push({ action: 'change_algorithm', body: { type: wanted.algorithm } });
  if (wanted.type && wanted.type !== existing.type)
    changes.push({ action: 'change_type', body: { load_balancer_type: wanted.type } });
  if (wanted.usesPrivateIP && network !== undefined && !existing.privateNets.some((net) => net.network === network))
    changes.push({ action: 'attach_to_network', body: { network } });
  const ports = new Set(wanted.services.map(({ listen_port }) => listen_port));
  for (const { listen_port } of existing.services)
    if (!ports.has(listen_port)) changes.push({ action: 'delete_service', body: { listen_port } });
  for (const service of wanted.services) {
    const found = existing.services.find(({ listen_port }) => listen_port === service.listen_port);
    if (!found) changes.push({ action: 'add_service', body: service });
    else if (!includes(found, service)) changes.push({ action: 'update_service', body: service });
  }
  return changes;
}

/** Whether an answer has all values of a request; it has more fields. */
function includes(found: unknown, wanted: unknown): boolean {
  if (typeof wanted !== 'object' || wanted === null) return found === wanted;
  if (typeof found !== 'object' || found === null) return false;
  const fields = new Map(Object.entries(found));
  return Object.entries(wanted).every(([key, value]) => includes(fields.get(key), value));
}

/** Servers that are not of the service leave first: a load balancer has a limit of targets. */
export function targetChanges(existing: Balancer, servers: readonly number[], usesPrivateIP: boolean): Change[] {
  const isWanted = (target: Balancer['servers'][number]) =>
    servers.includes(target.id) && target.usesPrivateIP === usesPrivateIP;
  const kept = new Set(existing.servers.filter(isWanted).map(({ id }) => id));
  const target = (id: number) => ({ type: 'server', server: { id } });
  return [
    ...existing.servers
      .filter((each) => !isWanted(each))
      .map(({ id }) => ({ action: 'remove_target', body: target(id) })),
    ...servers
      .filter((id) => !kept.has(id))
      .map((id) => ({ action: 'add_target', body: { ...target(id), use_private_ip: usesPrivateIP } })),
  ];
}
