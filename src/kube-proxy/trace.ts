// The path of a connection to a service, by the same decisions as the rules: addresses, firewall, rule, endpoints.

import type { EndpointSlice, Node, Service } from '../api/api.ts';
import { urlHost } from '../machinery/ip.ts';
import { chainNames } from './nftables.ts';
import { isWithin, type ServicePort, serviceNameLabel, servicePorts } from './service-ports.ts';

interface TraceInputs {
  readonly service: Service;
  readonly slices: readonly EndpointSlice[];
  readonly nodes: readonly Node[];
  /** Of the client. */
  readonly from?: string;
}

export interface PortTrace {
  readonly port: number;
  readonly protocol: string;
  readonly balancers: readonly string[];
  readonly externalIPs: readonly string[];
  readonly clusterIPs: readonly string[];
  /** 0: none. */
  readonly nodePort: number;
  /** Chains of nftables by which nodes bring traffic to endpoints. */
  readonly rules: ReturnType<typeof chainNames>;
  readonly keepsClientAddress: boolean;
  /** Why connections fail; undefined: they do not. */
  readonly refusal?: { readonly rule: string; readonly reason: string };
  readonly endpoints: readonly EndpointTrace[];
  /** With externalTrafficPolicy Local: the nodes that drop connections from outside. */
  readonly droppingNodes: readonly string[];
}

interface EndpointTrace {
  readonly address: string;
  readonly node: string;
  readonly isReady: boolean;
  /** Empty: the endpoint is no pod. */
  readonly pod: string;
}

export function traceService({ service, slices, nodes, from }: TraceInputs): PortTrace[] {
  const nodeNames = nodes.map(({ metadata }) => metadata.name).sort();
  const views = new Map(nodeNames.map((name) => [name, servicePorts([service], slices, name)]));
  const anywhere = servicePorts([service], slices, '');
  return anywhere.map((port, index) => {
    const refusal = refusalOf(port, from);
    const droppingNodes = port.keepsClientAddress
      ? nodeNames.filter((name) => views.get(name)?.[index]?.externalEndpoints.length === 0)
      : [];
    return {
      ...{ port: port.port, protocol: port.protocol, balancers: port.balancerIPs, clusterIPs: port.clusterIPs },
      externalIPs: port.externalIPs.filter((ip) => !port.balancerIPs.includes(ip)),
      nodePort: port.nodePort,
      keepsClientAddress: port.keepsClientAddress,
      rules: chainNames(port),
      ...(refusal && { refusal }),
      endpoints: endpointsOf(service, port, slices),
      droppingNodes,
    };
  });
}

function refusalOf(port: ServicePort, from: string | undefined): PortTrace['refusal'] {
  if (!port.hasAnyEndpoints) return { rule: 'no-endpoints', reason: 'the service has no endpoints that are ready' };
  if (from === undefined || port.sourceRanges === undefined || isWithin(from, port.sourceRanges)) return undefined;
  const reason = `${from} is in none of spec.loadBalancerSourceRanges, ${port.sourceRanges.join(', ')}`;
  return { rule: chainNames(port).firewall, reason };
}

function endpointsOf(service: Service, port: ServicePort, slices: readonly EndpointSlice[]): EndpointTrace[] {
  const portName = port.key.split(':')[1];
  return slices
    .filter(
      ({ metadata, addressType }) =>
        addressType === `IPv${port.family}` &&
        metadata.namespace === service.metadata.namespace &&
        metadata.labels?.[serviceNameLabel] === service.metadata.name,
    )
    .flatMap((slice) => {
      const target = slice.ports?.find(({ name }) => (name ?? '') === portName)?.port;
      if (!target) return [];
      return (slice.endpoints ?? []).map(({ addresses: [ip], conditions, nodeName, targetRef }) => ({
        address: `${urlHost(ip)}:${target}`,
        node: nodeName ?? '',
        isReady: conditions?.ready !== false,
        pod: targetRef?.name ?? '',
      }));
    })
    .sort((a, b) => (a.address < b.address ? -1 : 1));
}
