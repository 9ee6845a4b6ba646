// The members of an etcd cluster as its client sees them: one is used, and left for another when it stops answering.

import * as grpc from '@grpc/grpc-js';
import type { Clock, Timer } from '../../machinery/time/clock.ts';
import { connect, type Endpoint, methods, unary } from './proto.ts';

interface EndpointsOptions {
  readonly clock: Clock;
  /** Client URLs. A function is called whenever the connection to a member ends: members change. */
  readonly urls: readonly string[] | (() => readonly string[]);
  /** Read for each new connection: a renewal changes its fields. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string } | undefined;
}

/** A connection to one member. */
export interface Link {
  readonly endpoint: Endpoint;
  /** Aborts when the member is left: calls that still wait for it have lost their answers. */
  readonly left: AbortSignal;
}

/** A member without an answer for this long is left: it is paused, cut off from the others, or its machine is gone. */
const probeTimeoutMs = 1_000;
const probeEveryMs = 500;
const connectTimeoutMs = 2_000;
const probe = { key: Buffer.from('coracle/health'), limit: 1 };

export class Endpoints {
  readonly #clock: Clock;
  readonly #urls: () => readonly string[];
  readonly #tls: EndpointsOptions['tls'];
  readonly #connections = new Map<string, Endpoint>();
  /** With the former certificate: their calls go on. */
  readonly #former: Endpoint[] = [];
  #cert: string | undefined;
  #current: Link;
  #leave = new AbortController();
  #timer: Timer | undefined;
  #closed = false;

  constructor({ clock, urls, tls }: EndpointsOptions) {
    this.#clock = clock;
    this.#urls = typeof urls === 'function' ? urls : () => urls;
    this.#tls = tls;
    this.#cert = tls?.cert;
    this.#current = this.#linkTo(this.#urls()[0]);
    this.#schedule();
  }

  get count(): number {
    return this.#urls().length;
  }

  get current(): Link {
    if (this.#tls?.cert !== this.#cert && !this.#closed) {
      this.#cert = this.#tls?.cert;
      this.#former.push(...this.#connections.values());
      this.#connections.clear();
      this.#current = this.#linkTo(this.#current.endpoint.address);
    }
    return this.#current;
  }

  /** Uses another member from now on. No effect when the link was left already. */
  leave(link: Link): void {
    if (link !== this.#current || this.#closed) return;
    const urls = this.#urls();
    const at = urls.indexOf(link.endpoint.address);
    const left = this.#leave;
    this.#current = this.#linkTo(urls[(at + 1) % urls.length] ?? link.endpoint.address);
    this.#dropUnused(urls);
    left.abort();
  }

  /** Resolves once the connection is made; rejects when it cannot be. Nothing was sent then. */
  connected({ endpoint: { address, client } }: Link): Promise<void> | undefined {
    if (client.getChannel().getConnectivityState(false) === grpc.connectivityState.READY) return undefined;
    const timeoutMs = this.count > 1 ? probeTimeoutMs : connectTimeoutMs;
    return new Promise((resolve, reject) => {
      client.waitForReady(this.#clock.now() + timeoutMs, (error) => {
        const details = `${address} cannot be reached`;
        if (error) reject(Object.assign(new Error(details), { code: grpc.status.UNAVAILABLE, details }));
        else resolve();
      });
    });
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#leave.abort();
    for (const { client } of [...this.#connections.values(), ...this.#former]) client.close();
  }

  #linkTo(url: string): Link {
    const endpoint = this.#connections.get(url) ?? connect(url, this.#tls);
    this.#connections.set(url, endpoint);
    this.#leave = new AbortController();
    return { endpoint, left: this.#leave.signal };
  }

  /** Of members that left the cluster. */
  #dropUnused(urls: readonly string[]): void {
    for (const [url, endpoint] of this.#connections) {
      if (urls.includes(url) || endpoint === this.#current.endpoint) continue;
      endpoint.client.close();
      this.#connections.delete(url);
    }
  }

  #schedule(): void {
    if (!this.#closed) this.#timer = this.#clock.after(probeEveryMs, () => void this.#probe(), { background: true });
  }

  /** A read with the consent of a quorum. With one member there is no other to go to. */
  async #probe(): Promise<void> {
    const link = this.current;
    if (this.count > 1) {
      const options = { deadlineMs: this.#clock.now() + probeTimeoutMs, needsLeader: true };
      await unary(link.endpoint, methods.range, probe, options).catch(() => this.leave(link));
    }
    this.#schedule();
  }
}
