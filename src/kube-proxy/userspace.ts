// Service traffic through this process, where there is no nftables or no privilege for it: the service's addresses
// are bound to the loopback interface, and every connection is passed on to an endpoint. Clients are seen with the
// node's address.

import { createHash } from 'node:crypto';
import dgram from 'node:dgram';
import net from 'node:net';
import type { Logger } from '../machinery/logger.ts';
import type { Random } from '../machinery/random.ts';
import type { Clock, Timer } from '../machinery/time/clock.ts';
import { once } from '../machinery/time/once.ts';
import type { ProxyBackend } from './backend.ts';
import { run } from './run.ts';
import { type Endpoint, isWithin, type ServicePort } from './service-ports.ts';

export interface UserspaceOptions {
  /** Label of this proxy's addresses on the loopback interface. */
  readonly label: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** The kernel's timeout of idle UDP flows. */
const udpIdleMs = 120_000;
const connectTimeoutMs = 5_000;

interface Listener {
  update(wanted: Wanted): void;
  close(): void;
}

interface Wanted {
  readonly protocol: 'tcp' | 'udp';
  readonly ip: string;
  readonly port: number;
  readonly endpoints: readonly Endpoint[];
  readonly affinitySeconds: number;
  /** Clients that are accepted; undefined: all. */
  readonly sourceRanges?: readonly string[] | undefined;
}

/** A label begins with its interface's name and has at most 15 characters. */
export const addressLabel = (clusterName: string): string =>
  `lo:${createHash('sha256').update(clusterName).digest('hex').slice(0, 10)}`;

export function createUserspaceBackend(options: UserspaceOptions): ProxyBackend {
  const { label } = options;
  const listeners = new Map<string, Listener>();
  const addresses = new Set<string>();
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
      listeners.set(key, want.protocol === 'tcp' ? await listenTcp(want, options) : await listenUdp(want, options));
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

/** Chooses an endpoint for a client. */
class Balancer {
  readonly #random: Random;
  readonly #clock: Clock;
  readonly #clients = new Map<string, { endpoint: Endpoint; usedMs: number }>();
  #wanted: Wanted;

  constructor(wanted: Wanted, { random, clock }: UserspaceOptions) {
    this.#random = random;
    this.#clock = clock;
    this.#wanted = wanted;
  }

  update(wanted: Wanted): void {
    this.#wanted = wanted;
  }

  accepts(client: string): boolean {
    const { sourceRanges } = this.#wanted;
    return sourceRanges === undefined || isWithin(client, sourceRanges);
  }

  /** Endpoints to try, the chosen one first. */
  choose(client: string): readonly Endpoint[] {
    const { endpoints, affinitySeconds } = this.#wanted;
    const start = this.#random.int(endpoints.length);
    const order = endpoints.map((_, i) => endpoints[(start + i) % endpoints.length]);
    if (affinitySeconds === 0) return order;
    const now = this.#clock.monotonic();
    const recorded = this.#clients.get(client);
    const sticky =
      recorded && now - recorded.usedMs < affinitySeconds * 1000
        ? endpoints.find((e) => e.ip === recorded.endpoint.ip && e.port === recorded.endpoint.port)
        : undefined;
    const endpoint = sticky ?? order[0];
    this.#clients.set(client, { endpoint, usedMs: now });
    return [endpoint, ...order.filter((e) => e !== endpoint)];
  }
}

function listenTcp(want: Wanted, options: UserspaceOptions): Promise<Listener> {
  const balancer = new Balancer(want, options);
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
    client.on('error', () => client.destroy());
    if (!balancer.accepts(client.remoteAddress ?? '')) return void client.destroy();
    void connectAny(balancer.choose(client.remoteAddress ?? ''), options.clock).then(
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
        // Connections that are under way go on.
        close: () => void server.close(),
      });
    });
  });
}

/** The first endpoint that accepts the connection; unreachable ones are skipped. */
async function connectAny(endpoints: readonly Endpoint[], clock: Clock): Promise<net.Socket> {
  let last: unknown = new Error('no endpoints');
  for (const endpoint of endpoints) {
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
  client.setNoDelay(true);
  target.on('error', () => client.destroy());
  client.on('close', () => target.destroy());
  target.on('close', () => client.destroy());
  client.pipe(target);
  target.pipe(client);
}

async function listenUdp(want: Wanted, options: UserspaceOptions): Promise<Listener> {
  const balancer = new Balancer(want, options);
  const server = dgram.createSocket('udp4');
  const flows = new Map<string, { socket: dgram.Socket; endpoint: Endpoint; timer: Timer }>();
  const end = (key: string) => {
    const flow = flows.get(key);
    flows.delete(key);
    flow?.timer.cancel();
    flow?.socket.close();
  };
  server.on('message', (message, { address, port }) => {
    if (!balancer.accepts(address)) return;
    const key = `${address} ${port}`;
    let flow = flows.get(key);
    if (!flow) {
      const [endpoint] = balancer.choose(address);
      const socket = dgram.createSocket('udp4');
      socket.on('message', (answer) => server.send(answer, port, address));
      socket.on('error', () => end(key));
      flow = { socket, endpoint, timer: { cancel() {} } };
      flows.set(key, flow);
    }
    flow.timer.cancel();
    flow.timer = options.clock.after(udpIdleMs, () => end(key), { background: true });
    flow.socket.send(message, flow.endpoint.port, flow.endpoint.ip);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.bind(want.port, want.ip, resolve);
  });
  server.on('error', (error) => options.logger.warn('service listener failed', { error: String(error) }));
  return {
    update(wanted) {
      balancer.update(wanted);
      for (const [key, { endpoint }] of flows)
        if (!wanted.endpoints.some((e) => e.ip === endpoint.ip && e.port === endpoint.port)) end(key);
    },
    close() {
      for (const key of [...flows.keys()]) end(key);
      server.close();
    },
  };
}
