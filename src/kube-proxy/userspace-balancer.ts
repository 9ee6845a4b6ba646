// Chooses endpoints for the clients of one address of a service.

import type { Logger } from '../machinery/logger.ts';
import type { Random } from '../machinery/random.ts';
import type { Clock } from '../machinery/time/clock.ts';
import { type Endpoint, isWithin } from './service-ports.ts';

export interface BalancerOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface Listener {
  update(wanted: Wanted): void;
  close(): void;
}

export interface Wanted {
  readonly protocol: 'tcp' | 'udp';
  readonly ip: string;
  readonly port: number;
  readonly endpoints: readonly Endpoint[];
  readonly affinitySeconds: number;
  /** Clients that are accepted; undefined: all. */
  readonly sourceRanges?: readonly string[] | undefined;
}

/** Clients with affinity of one address. The ones without traffic for the longest time lose it first. */
const mostClients = 10_000;

export class Balancer {
  readonly #random: Random;
  readonly #clock: Clock;
  /** The client that came last is the last one. */
  readonly #clients = new Map<string, { endpoint: Endpoint; usedMs: number }>();
  #wanted: Wanted;

  constructor(wanted: Wanted, { random, clock }: BalancerOptions) {
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
  *choose(client: string): Generator<Endpoint, void> {
    const { endpoints } = this.#wanted;
    const start = this.#random.int(endpoints.length);
    const chosen = this.#remember(client, endpoints[start]);
    yield chosen;
    for (let i = 0; i < endpoints.length; i++) {
      const endpoint = endpoints[(start + i) % endpoints.length];
      if (endpoint !== chosen) yield endpoint;
    }
  }

  /** The recorded endpoint of a client with affinity, if it is still there, or else the given one. */
  #remember(client: string, other: Endpoint): Endpoint {
    const { endpoints, affinitySeconds } = this.#wanted;
    if (affinitySeconds === 0) return other;
    const now = this.#clock.monotonic();
    const recorded = this.#clients.get(client);
    const sticky =
      recorded && now - recorded.usedMs < affinitySeconds * 1000
        ? endpoints.find((e) => e.ip === recorded.endpoint.ip && e.port === recorded.endpoint.port)
        : undefined;
    const endpoint = sticky ?? other;
    this.#clients.delete(client);
    this.#clients.set(client, { endpoint, usedMs: now });
    const [oldest] = this.#clients.keys();
    if (this.#clients.size > mostClients && oldest !== undefined) this.#clients.delete(oldest);
    return endpoint;
  }
}
