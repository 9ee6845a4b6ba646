// Service traffic through this process, where there is no nftables or no privilege for it: the service's addresses
// are bound to the loopback interface, and every connection is passed on to an endpoint. Clients are seen with the
// node's address.

import { createHash } from 'node:crypto';
import net from 'node:net';
import { Shares } from '../machinery/shares.ts';
import type { Clock } from '../machinery/time/clock.ts';
import { once } from '../machinery/time/once.ts';
import type { ProxyBackend } from './backend.ts';
import { run } from './run.ts';
import type { Endpoint, ServicePort } from './service-ports.ts';
import { Balancer, type BalancerOptions, type Listener, type Wanted } from './userspace-balancer.ts';
import { UdpFlows } from './userspace-udp.ts';

interface UserspaceOptions extends BalancerOptions {
  /** Label of this proxy's addresses on the loopback interface. */
  readonly label: string;
}

const connectTimeoutMs = 5_000;
/** Endpoints that are tried for one connection. */
const mostTried = 16;
/** TCP connections of all services, two descriptors each, and those of one client. */
const mostConnections = 4_096;
const mostOfOne = 1_024;

/** A label begins with its interface's name and has at most 15 characters. */
export const addressLabel = (clusterName: string): string =>
  `lo:${createHash('sha256').update(clusterName).digest('hex').slice(0, 10)}`;

export function createUserspaceBackend(options: UserspaceOptions): ProxyBackend {
  const { label } = options;
  const listeners = new Map<string, Listener>();
  const addresses = new Set<string>();
  const connections = new Shares(mostConnections, mostOfOne);
  const flows = new UdpFlows(options.clock);
  const adopted = once(adopt);

  async function sync(ports: readonly ServicePort[]): Promise<void> {
    const wanted = new Map([...wantedListeners(ports)].map((w) => [`${w.protocol} ${w.ip} ${w.port}`, w]));
    const ips = new Set(ports.flatMap((p) => [...p.clusterIPs, ...p.externalIPs]));
    await adopted();
    for (const ip of ips) if (!addresses.has(ip)) await bind(ip);
    for (const [key, listener] of listeners)
      if (!wanted.has(key)) {
        listener.close();
        listeners.delete(key);
      }
    for (const [key, want] of wanted) {
      const existing = listeners.get(key);
      if (existing) existing.update(want);
      else await open(key, want);
    }
    for (const ip of addresses) if (!ips.has(ip)) await unbind(ip);
  }

  async function open(key: string, want: Wanted): Promise<void> {
    try {
      const isTcp = want.protocol === 'tcp';
      listeners.set(key, isTcp ? await listenTcp(want, connections, options) : await flows.listen(want, options));
    } catch (error) {
      // A port that another program of the machine has: the service works but for this one address.
      options.logger.warn('cannot listen for a service', { address: `${want.ip}:${want.port}`, error: String(error) });
    }
  }

  /** Adopts addresses of a killed proxy, so that they are kept or removed like new ones. */
  async function adopt(): Promise<void> {
    const listed = await run('ip', ['-o', '-4', 'addr', 'show', 'dev', 'lo', 'label', label]).catch(() => '');
    for (const [, ip] of listed.matchAll(/ inet ([\d.]+)\//g)) addresses.add(ip);
  }

  async function bind(ip: string): Promise<void> {
    await run('ip', ['addr', 'replace', `${ip}/32`, 'dev', 'lo', 'label', label]);
    addresses.add(ip);
  }

  async function unbind(ip: string): Promise<void> {
    addresses.delete(ip);
    await run('ip', ['addr', 'del', `${ip}/32`, 'dev', 'lo']).catch(() => {}); // already removed
  }

  return { name: 'userspace', sync, remove: () => sync([]) };
}

/** Without endpoints there is no listener, and the kernel refuses the connection. */
function* wantedListeners(ports: readonly ServicePort[]): Generator<Wanted> {
  for (const {
    protocol,
    port,
    nodePort,
    clusterIPs,
    externalIPs,
    endpoints,
    externalEndpoints,
    affinitySeconds,
    balancerIPs,
    sourceRanges,
  } of ports) {
    if (protocol === 'sctp') continue; // Node has no SCTP: such services need nftables
    for (const ip of clusterIPs) if (endpoints.length > 0) yield { protocol, ip, port, endpoints, affinitySeconds };
    for (const ip of externalIPs)
      if (externalEndpoints.length > 0)
        yield {
          ...{ protocol, ip, port, endpoints: externalEndpoints, affinitySeconds },
          sourceRanges: balancerIPs.includes(ip) ? sourceRanges : undefined,
        };
    if (nodePort > 0 && externalEndpoints.length > 0)
      yield { protocol, ip: '0.0.0.0', port: nodePort, endpoints: externalEndpoints, affinitySeconds };
  }
}

function listenTcp(want: Wanted, connections: Shares, options: UserspaceOptions): Promise<Listener> {
  const balancer = new Balancer(want, options);
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
    const { remoteAddress = '' } = client;
    client.on('error', () => client.destroy());
    if (!balancer.accepts(remoteAddress)) return void client.destroy();
    if (!connections.take(remoteAddress)) return void client.resetAndDestroy();
    client.once('close', () => connections.release(remoteAddress));
    void connectAny(balancer.choose(remoteAddress), options.clock).then(
      (target) => join(client, target),
      () => client.resetAndDestroy(),
    );
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(want.port, want.ip, () => {
      server.off('error', reject);
      server.on('error', (error) => options.logger.warn('service listener failed', { error: String(error) }));
      resolve({
        update: (wanted) => balancer.update(wanted),
        // Open connections continue.
        close: () => void server.close(),
      });
    });
  });
}

/** The first endpoint that accepts the connection; unreachable ones are skipped. */
async function connectAny(endpoints: Iterable<Endpoint>, clock: Clock): Promise<net.Socket> {
  let last: unknown = new Error('no endpoints');
  let tried = 0;
  for (const endpoint of endpoints) {
    if (++tried > mostTried) break;
    try {
      return await connect(endpoint, clock);
    } catch (error) {
      last = error;
    }
  }
  throw last;
}

function connect({ ip, port }: Endpoint, clock: Clock): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: ip, port, allowHalfOpen: true, noDelay: true });
    const timer = clock.after(connectTimeoutMs, () => socket.destroy(new Error('connect timed out')));
    socket.once('connect', () => {
      timer.cancel();
      socket.off('error', reject);
      resolve(socket);
    });
    socket.once('error', (error) => {
      timer.cancel();
      reject(error);
    });
  });
}

function join(client: net.Socket, target: net.Socket): void {
  if (client.destroyed) return void target.destroy();
  client.setNoDelay(true);
  target.on('error', () => client.destroy());
  client.on('close', () => target.destroy());
  target.on('close', () => client.destroy());
  client.pipe(target);
  target.pipe(client);
}
