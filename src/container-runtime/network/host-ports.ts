// hostPort: forwards connections from a port of this machine to the pod. The relay is in user space: it holds the port,
// works without nftables, and from the machine itself, where rules alone would need route_localnet. Rules take the
// connections of others before they reach the relay (host-port-rules.ts).

import { connect, createServer, isIPv6, type Server } from 'node:net';
import { must } from '../../machinery/must.ts';
import { Shares } from '../../machinery/shares.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import type { SandboxConfig } from '../interface.ts';
import { RuntimeError } from '../runtime-error.ts';
import type { HostPortForward } from './host-port-rules.ts';
import { UdpRelays } from './udp-relay.ts';

type Mapping = NonNullable<SandboxConfig['portMappings']>[number];

/** Connections of all ports, and those of one client's address among them: each has two descriptors of this process. */
const mostConnections = 4_096;
const mostOfOne = 1_024;

export class HostPorts {
  readonly #udp: UdpRelays;
  readonly #connections = new Shares(mostConnections, mostOfOne);
  readonly #relays = new Map<string, (() => void)[]>();
  readonly #forwards = new Map<string, readonly HostPortForward[]>();
  readonly #setRules: (forwards: readonly HostPortForward[]) => Promise<void>;

  /** `setRules` replaces the rules of the packet filter, where there is one. */
  constructor(clock: Clock, setRules: (forwards: readonly HostPortForward[]) => Promise<void>) {
    this.#udp = new UdpRelays(clock);
    this.#setRules = setRules;
  }

  /** Rejects with RuntimeError('sandbox') when a port is taken; then none is open. */
  async open(id: string, mappings: readonly Mapping[], podIps: readonly string[]): Promise<void> {
    const opened: (() => void)[] = [];
    this.#relays.set(id, opened);
    for (const mapping of mappings) {
      if (!mapping.hostPort) continue;
      try {
        for (const relay of this.#relaysOf(mapping, podIps)) opened.push(await relay());
      } catch (error) {
        this.#end(id);
        const { hostPort, protocol } = mapping;
        throw new RuntimeError('sandbox', `cannot open hostPort ${hostPort}/${protocol}: ${(error as Error).message}`);
      }
    }
    const forwards = mappings.flatMap(({ protocol, hostPort, hostIP = '', containerPort }) =>
      hostPort && protocol !== 'SCTP'
        ? podIps.map((podIp) => ({ protocol, hostPort, hostIP, containerPort, podIp }))
        : [],
    );
    if (forwards.length === 0) return;
    this.#forwards.set(id, forwards);
    await this.#apply();
  }

  async close(id: string): Promise<void> {
    this.#end(id);
    if (this.#forwards.delete(id)) await this.#apply();
  }

  /** The process ends, and the pods stay: so do their rules. */
  closeAll(): void {
    for (const id of [...this.#relays.keys()]) this.#end(id);
  }

  #apply(): Promise<void> {
    return this.#setRules([...this.#forwards.values()].flat());
  }

  #end(id: string): void {
    for (const close of this.#relays.get(id) ?? []) close();
    this.#relays.delete(id);
  }

  #relaysOf(mapping: Mapping, podIps: readonly string[]): (() => Promise<() => void>)[] {
    const { protocol, hostIP = '' } = mapping;
    if (protocol === 'SCTP') throw new Error('SCTP is not supported by the native runtime');
    // An address of the machine leads to the pod's address of the same family, if it has one.
    const target = podIps.find((ip) => hostIP !== '' && isIPv6(ip) === isIPv6(hostIP)) ?? podIps[0];
    if (protocol === 'TCP') return [() => relayTcp(mapping, target, this.#connections)];
    const all = hostIP === '' && podIps.some((ip) => isIPv6(ip)) ? ['0.0.0.0', '::'] : [hostIP];
    const pod = { port: mapping.containerPort, address: target };
    return all.map((host) => () => this.#udp.open(must(mapping.hostPort, 'hostPort'), host, pod));
  }
}

function relayTcp(
  { hostPort, containerPort, hostIP }: Mapping,
  podIp: string,
  connections: Shares,
): Promise<() => void> {
  const open = new Set<{ destroy(): void }>();
  const server: Server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
    const address = client.remoteAddress ?? '';
    if (!connections.take(address)) return void client.destroy();
    client.once('close', () => connections.release(address));
    const pod = connect({ host: podIp, port: containerPort, allowHalfOpen: true });
    for (const [socket, other] of [
      [client, pod],
      [pod, client],
    ]) {
      open.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        open.delete(socket);
        other.destroy();
      });
    }
    client.pipe(pod);
    pod.pipe(client);
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: hostIP || undefined, port: hostPort }, () => {
      server.on('error', () => {}); // a later error concerns one connection
      resolve(() => {
        server.close();
        for (const socket of open) socket.destroy();
      });
    });
  });
}
