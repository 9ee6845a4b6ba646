// UDP of host ports through this process. A flow is one client's address and port, and has its own socket. The source of
// a datagram can be forged, so all flows together are bounded, and the flow without traffic for the longest time ends.

import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { Clock, Timer } from '../../machinery/time/clock.ts';

/** Timeout of idle clients; conntrack's value for streams is 120 s. */
const idleMs = 120_000;
const mostFlows = 2_048;
/** Datagrams that one socket has still to send; more are dropped, as UDP may be. */
const mostQueuedBytes = 1 << 20;

interface Flow {
  readonly socket: Socket;
  timer?: Timer;
  end(): void;
}

interface UdpTarget {
  readonly port: number;
  readonly address: string;
}

export class UdpRelays {
  readonly #clock: Clock;
  readonly #most: number;
  /** Of all ports, the flow with the latest traffic last. */
  readonly #flows = new Set<Flow>();

  constructor(clock: Clock, most = mostFlows) {
    this.#clock = clock;
    this.#most = most;
  }

  /** Relays until the result is called. Rejects if the address is taken. */
  async open(port: number, hostIP: string, pod: UdpTarget): Promise<() => void> {
    const server = createSocket(isIPv6(hostIP) ? { type: 'udp6', ipv6Only: true } : { type: 'udp4' });
    const own = new Map<string, Flow>();
    server.on('message', (data, sender) => this.receive(data, sender, { server, own, pod }));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.bind({ port, address: hostIP || undefined }, resolve);
    });
    server.on('error', () => {}); // a later error concerns one datagram
    return () => {
      for (const flow of own.values()) flow.end();
      server.close();
    };
  }

  receive(data: Buffer, { address, port }: UdpTarget, relay: Relay): void {
    if (port === 0) return; // nothing can be sent there
    const key = `${address} ${port}`;
    let flow = relay.own.get(key);
    if (!flow) relay.own.set(key, (flow = this.#open(key, { address, port }, relay)));
    this.#flows.delete(flow);
    this.#flows.add(flow);
    flow.timer?.cancel();
    flow.timer = this.#clock.after(idleMs, flow.end, { background: true });
    send(flow.socket, data, relay.pod);
  }

  #open(key: string, client: UdpTarget, { server, own, pod }: Relay): Flow {
    const socket = createSocket(isIPv6(pod.address) ? 'udp6' : 'udp4');
    const flow: Flow = {
      socket,
      end: () => {
        if (!this.#flows.delete(flow)) return;
        flow.timer?.cancel();
        socket.close();
        own.delete(key);
      },
    };
    socket.on('message', (answer) => send(server, answer, client));
    socket.on('error', flow.end);
    if (this.#flows.size >= this.#most) this.#flows.values().next().value?.end();
    this.#flows.add(flow);
    return flow;
  }
}

interface Relay {
  readonly server: Socket;
  readonly own: Map<string, Flow>;
  readonly pod: UdpTarget;
}

/** A datagram that cannot be sent is lost; its error is no error of the socket. */
function send(socket: Socket, data: Buffer, { port, address }: UdpTarget): void {
  if (socket.getSendQueueSize() < mostQueuedBytes) socket.send(data, port, address, () => {});
}
