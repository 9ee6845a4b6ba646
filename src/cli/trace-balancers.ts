// The load balancers of a service, and who has their addresses: the nodes, a cloud, or another controller.

import { announcedLoadBalancer, type Event, type Node, type Service } from '../api/api.ts';

interface BalancerTrace {
  /** IP address or name; '' while there is none. */
  readonly address: string;
  readonly origin: string;
}

/** Events of Kubernetes' service controller. */
const syncReasons = ['SyncLoadBalancerFailed', 'EnsuringLoadBalancer', 'UpdateLoadBalancerFailed'];

/** `announced`: the newest report of each address that a node announces. `events`: of the service. */
export function traceBalancers(
  { metadata, spec, status }: Service,
  nodes: readonly Node[],
  announced: Readonly<Record<string, string>>,
  events: readonly Event[],
): BalancerTrace[] {
  if (spec?.type !== 'LoadBalancer') return [];
  const ingress = status?.loadBalancer?.ingress ?? [];
  if (ingress.length === 0) return [{ address: '', origin: pending(spec.loadBalancerClass, events) }];
  const nodeOf = new Map(
    nodes.flatMap((node) =>
      (node.status?.addresses ?? []).map(({ address }) => [address, node.metadata.name] as const),
    ),
  );
  const isAnnounced = metadata.annotations?.[announcedLoadBalancer] !== undefined;
  const cloud = spec.loadBalancerClass ? `of the class ${spec.loadBalancerClass}` : 'of the cloud';
  return ingress.map(({ ip, hostname, ipMode, ports }) => {
    const faults = (ports ?? []).flatMap(({ port, protocol, error }) =>
      error ? [`${port}/${protocol}: ${error}`] : [],
    );
    const inside =
      hostname || ipMode === 'Proxy' ? 'connections from inside go through it too' : 'connections from inside skip it';
    const node = ip && nodeOf.get(ip);
    const own = ip && (announced[ip] ?? (node && `address of node ${node}`));
    if (!own && isAnnounced) return { address: ip ?? '', origin: 'no node has announced it within the last hour' };
    const text = own || `${cloud}, leads to node ports; ${inside}`;
    return { address: ip ?? hostname ?? '', origin: [text, ...faults].join('; ') };
  });
}

const timeOf = (event: Event): string => event.lastTimestamp ?? event.metadata.creationTimestamp ?? '';

/** An event lives for an hour. */
function pending(loadBalancerClass: string | undefined, events: readonly Event[]): string {
  if (loadBalancerClass) return `pending: the controller of the class ${loadBalancerClass} gives the address`;
  const [newest] = events
    .filter(({ reason }) => syncReasons.includes(reason ?? ''))
    .sort((a, b) => (timeOf(a) < timeOf(b) ? 1 : -1));
  return newest ? `pending: ${newest.message}` : 'pending: no cloud-controller-manager has begun with it';
}
