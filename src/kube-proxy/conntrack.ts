// UDP flows that the kernel still translates to an endpoint that is gone. A client that keeps its port would send to it
// for as long as it sends: https://kubernetes.io/docs/reference/networking/virtual-ips/ and KEP-1669 for those that end.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Logger } from '../machinery/logger.ts';
import { run } from './run.ts';
import type { Family, ServicePort } from './service-ports.ts';

/** A destination of clients, and where their packets go. */
interface Flow {
  readonly address: string;
  readonly port: number;
  readonly endpoint: string;
  readonly endpointPort: number;
}

/** Destinations (address and port) with their endpoints (address and port). */
export type UdpTargets = ReadonlyMap<string, ReadonlySet<string>>;

const pairOf = (address: string, port: number): string => `${address} ${port}`;

/** Where UDP to services may go: to each endpoint that serves, also to one that ends. */
export function udpTargets(ports: readonly ServicePort[], nodeIPs: readonly string[]): UdpTargets {
  const targets = new Map<string, ReadonlySet<string>>();
  for (const { protocol, port, clusterIPs, externalIPs, nodePort, servingEndpoints } of ports) {
    if (protocol !== 'udp') continue;
    const endpoints = new Set(servingEndpoints.map((endpoint) => pairOf(endpoint.ip, endpoint.port)));
    for (const ip of [...clusterIPs, ...externalIPs]) targets.set(pairOf(ip, port), endpoints);
    if (nodePort > 0) for (const ip of nodeIPs) targets.set(pairOf(ip, nodePort), endpoints);
  }
  return targets;
}

/** The destinations that lost an endpoint or are new: a flow from before leads nowhere. Those gone have no endpoints. */
export function changedTargets(from: UdpTargets, to: UdpTargets): UdpTargets {
  const changed = new Map<string, ReadonlySet<string>>();
  for (const [target, endpoints] of from)
    if (!to.get(target)?.isSupersetOf(endpoints)) changed.set(target, to.get(target) ?? new Set());
  for (const [target, endpoints] of to) if (!from.get(target)?.size) changed.set(target, endpoints);
  return changed;
}

/**
 * The flow of a line of `conntrack -L`, which has the addresses of the request and then those of the reply:
 * `udp 17 30 src=CLIENT dst=ADDRESS sport=N dport=PORT [UNREPLIED] src=ENDPOINT dst=CLIENT sport=PORT dport=N`.
 */
export function parseFlow(line: string): Flow | undefined {
  const found = /^udp .*? dst=(\S+) sport=\d+ dport=(\d+) .*?src=(\S+) dst=\S+ sport=(\d+) dport=\d+/.exec(line);
  return found
    ? { address: found[1], port: Number(found[2]), endpoint: found[3], endpointPort: Number(found[4]) }
    : undefined;
}

/** Whether a flow leads to an endpoint that its destination does not have. */
export function isStale({ address, port, endpoint, endpointPort }: Flow, targets: UdpTargets): boolean {
  const endpoints = targets.get(pairOf(address, port));
  return endpoints !== undefined && !endpoints.has(pairOf(endpoint, endpointPort));
}

/** Drops the stale flows to these destinations. Without the program conntrack they stay until they end. */
export async function dropFlows(targets: UdpTargets, family: Family, logger: Logger): Promise<void> {
  if (targets.size === 0) return;
  const ofFamily = ['-f', `ipv${family}`, '-p', 'udp'];
  try {
    for (const flow of await staleFlows(ofFamily, targets)) {
      const to = ['--orig-dst', flow.address, '--orig-port-dst', String(flow.port)];
      const from = ['--reply-src', flow.endpoint, '--reply-port-src', String(flow.endpointPort)];
      // It may have ended meanwhile, which is an error of the program.
      await run('conntrack', ['-D', ...ofFamily, ...to, ...from]).catch(() => {});
    }
  } catch (error) {
    logger.warn('UDP clients of services may be sent to endpoints that are gone', { error: String(error) });
  }
}

/** One for each destination and endpoint. Any number of flows may be listed: each is looked at as it comes. */
async function staleFlows(ofFamily: readonly string[], targets: UdpTargets): Promise<Iterable<Flow>> {
  const child = spawn('conntrack', ['-L', ...ofFamily], { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise<void>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`conntrack -L: exit code ${code}`))));
  });
  const stale = new Map<string, Flow>();
  const read = async () => {
    for await (const line of createInterface({ input: child.stdout })) {
      const flow = parseFlow(line);
      if (flow && isStale(flow, targets)) stale.set(Object.values(flow).join(' '), flow);
    }
  };
  await Promise.all([ended, read()]);
  return stale.values();
}
