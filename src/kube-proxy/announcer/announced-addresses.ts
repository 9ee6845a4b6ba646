import type { EndpointSlice, Service } from '../../api/api.ts';
import { serviceNameLabel, servicePorts } from '../service-ports.ts';
import type { AnnouncedAddress } from './election.ts';

/** An address, with the service that has it. */
export interface ServiceAddress extends AnnouncedAddress {
  readonly service: Service;
}

/** The addresses that the nodes announce, and the nodes that may hold each. */
export function announcedAddresses(services: readonly Service[], slices: readonly EndpointSlice[]): ServiceAddress[] {
  return services.flatMap((service) => {
    const ports = servicePorts([service], [], '').filter(({ isAnnounced }) => isAnnounced);
    const ips = new Set(ports.flatMap(({ balancerIPs }) => balancerIPs));
    if (ips.size === 0) return [];
    const nodes = ports.some(({ keepsClientAddress }) => keepsClientAddress)
      ? nodesWithEndpoints(service, slices)
      : undefined;
    return [...ips].map((ip) => ({ ip, nodes, service }));
  });
}

function nodesWithEndpoints({ metadata }: Service, slices: readonly EndpointSlice[]): ReadonlySet<string> {
  return new Set(
    slices
      .filter(
        (slice) =>
          slice.metadata.namespace === metadata.namespace &&
          slice.metadata.labels?.[serviceNameLabel] === metadata.name,
      )
      .flatMap(({ endpoints }) => endpoints ?? [])
      .filter(({ conditions }) => conditions?.ready !== false)
      .flatMap(({ nodeName }) => nodeName ?? []),
  );
}
