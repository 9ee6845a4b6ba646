// UDP flows of services through this process. A flow is one client's address and port at one address of a service, and
// has its own socket. The source of a datagram can be forged, so there is a bound for all flows, and the flow
// without traffic for the longest time ends first.

import dgram from 'node:dgram';
import type { Clock, Timer } from '../machinery/time/clock.ts';
import type { Endpoint } from './service-ports.ts';
import { Balancer, type BalancerOptions, type Listener, type Wanted } from './userspace-balancer.ts';

/** The kernel's timeout of idle UDP flows. */
const idleMs = 120_000;
const mostFlows = 2_048;
/** Datagrams that one socket has still to send; more are dropped, as UDP may be. */
const mostQueuedBytes = 1 << 20;

interface Flow {
  readonly socket: dgram.Socket;
  readonly endpoint: Endpoint;
  timer?: Timer;
  end(): void;
}

export class UdpFlows {
  readonly #clock: Clock;
  /** Of all listeners, the flow with the latest traffic last. */
  readonly #flows = new Set<Flow>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async listen(want: Wanted, options: BalancerOptions): Promise<Listener> {
    const balancer = new Balancer(want, options);
    const server = dgram.createSocket('udp4');
    const own = new Map<string, Flow>();
    server.on('message', (message, { address, port }) => {
      // Nothing can be sent to port 0.
      if (port === 0 || !balancer.accepts(address)) return;
      const key = `${address} ${port}`;
      let flow = own.get(key);
      if (!flow) {
        const [endpoint] = balancer.choose(address);
        flow = this.#open(
          endpoint,
          (answer) => send(server, answer, port, address),
          () => own.delete(key),
        );
        own.set(key, flow);
      }
      this.#use(flow);
      send(flow.socket, message, flow.endpoint.port, flow.endpoint.ip);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.bind(want.port, want.ip, resolve);
    });
    server.on('error', (error) => options.logger.warn('service listener failed', { error: String(error) }));
    return {
      update(wanted) {
        balancer.update(wanted);
        const served = new Set(wanted.endpoints.map(({ ip, port }) => `${ip} ${port}`));
        for (const flow of own.values()) if (!served.has(`${flow.endpoint.ip} ${flow.endpoint.port}`)) flow.end();
      },
      close() {
        for (const flow of own.values()) flow.end();
        server.close();
      },
    };
  }

  #open(endpoint: Endpoint, answered: (answer: Buffer) => void, ended: () => void): Flow {
    const socket = dgram.createSocket('udp4');
    const flow: Flow = {
      socket,
      endpoint,
      end: () => {
        if (!this.#flows.delete(flow)) return;
        flow.timer?.cancel();
        socket.close();
        ended();
      },
    };
    socket.on('message', answered);
    socket.on('error', flow.end);
    if (this.#flows.size >= mostFlows) this.#flows.values().next().value?.end();
    this.#flows.add(flow);
    return flow;
  }

  #use(flow: Flow): void {
    this.#flows.delete(flow);
    this.#flows.add(flow);
    flow.timer?.cancel();
    flow.timer = this.#clock.after(idleMs, flow.end, { background: true });
  }
}

/** A datagram that cannot be sent is lost; its error is no error of the socket. */
function send(socket: dgram.Socket, message: Buffer, port: number, address: string): void {
  if (socket.getSendQueueSize() < mostQueuedBytes) socket.send(message, port, address, () => {});
}
