// A local way to the API servers: connections to a port of this machine go to one of them that answers. TLS passes
// through unchanged, so clients check the server's certificate themselves.

import * as https from 'node:https';
import { type AddressInfo, connect, createServer, isIPv6, type Socket } from 'node:net';
import type { Logger } from '../../machinery/logger.ts';
import type { Clock } from '../../machinery/time/clock.ts';

export interface Balancer {
  /** URL of the local port. */
  readonly url: string;
  /** Server that new connections go to, as host:port. */
  readonly current: string;
  /** That no server answers, and since when; undefined while one does. */
  readonly problem: string | undefined;
  /** The servers from now on, as host:port. */
  use(servers: readonly string[]): void;
  stop(): Promise<void>;
}

const connectMs = 2_000;
const probeEveryMs = 2_000;
/** With one server there is no other choice: the result is for users alone. */
const probeAloneMs = 10_000;
const probeMs = 3_000;

interface Options {
  readonly servers: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
}

export async function startBalancer(options: Options): Promise<Balancer> {
  const balancer = new LocalBalancer(options);
  await balancer.listen();
  return balancer;
}

/** Host and port of a URL or of a text host:port; the port defaults to HTTPS'. */
export function hostAndPort(server: string): string {
  const { hostname, port } = new URL(server.includes('://') ? server : `https://${server}`);
  return `${hostname}:${port || 443}`;
}

function addressOf(server: string): { host: string; port: number } {
  const at = server.lastIndexOf(':');
  return { host: server.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(server.slice(at + 1)) };
}

class LocalBalancer implements Balancer {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => void this.#serve(client));
  readonly #stopping = new AbortController();
  /** Open connections by server, as pairs of client and upstream sockets. */
  readonly #open = new Map<string, Set<Socket>>();
  #servers: readonly string[];
  #first = 0;
  /** Probes in a row without an answer, and the time of the first of them. */
  #failures = 0;
  #failingMs = 0;
  #probing: Promise<void> = Promise.resolve();

  constructor({ servers, clock, logger }: Options) {
    this.#servers = servers;
    this.#clock = clock;
    this.#logger = logger;
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get current(): string {
    return this.#servers[this.#first % this.#servers.length];
  }

  get problem(): string | undefined {
    if (this.#failures < this.#servers.length) return undefined;
    const seconds = Math.round((this.#clock.monotonic() - this.#failingMs) / 1000);
    return `no API server has answered for ${seconds} s (${this.#servers.join(', ')})`;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(0, '127.0.0.1', resolve);
    });
    this.#probing = this.#probe();
  }

  use(servers: readonly string[]): void {
    if (servers.length === 0 || servers.join() === this.#servers.join()) return;
    const { current } = this;
    this.#servers = servers;
    this.#first = Math.max(servers.indexOf(current), 0);
    if (!servers.includes(current)) this.#leave(current);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const server of [...this.#open.keys()]) this.#leave(server);
    await Promise.all([closed, this.#probing]);
  }

  async #serve(client: Socket): Promise<void> {
    client.on('error', () => client.destroy());
    for (let tries = 0; tries < this.#servers.length; tries++) {
      const server = this.current;
      const upstream = await open(server);
      if (upstream && !this.#stopping.signal.aborted) return this.#join(client, upstream, server);
      upstream?.destroy();
      this.#next(server, 'it accepts no connection');
    }
    client.destroy();
  }

  #join(client: Socket, upstream: Socket, server: string): void {
    const sockets = this.#open.get(server) ?? new Set();
    this.#open.set(server, sockets);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ]) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  }

  /** The next server is the first choice, unless another connection has changed it already. */
  #next(from: string, reason: string): void {
    if (this.current !== from || this.#servers.length < 2) return;
    this.#first = (this.#first + 1) % this.#servers.length;
    this.#logger.warn('API server is left for another', { from, to: this.current, reason });
  }

  /** A server that hangs, or is cut off, keeps its connections: they are ended when it does not answer. */
  async #probe(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const isAlone = this.#servers.length < 2 && this.#failures === 0;
      await this.#clock.sleep(isAlone ? probeAloneMs : probeEveryMs, signal).catch(() => {});
      if (signal.aborted) return;
      const server = this.current;
      const isUp = await answers(server);
      if (signal.aborted) return;
      this.#note(isUp, server);
      if (isUp || this.#servers.length < 2) continue;
      this.#next(server, 'it does not answer');
      this.#leave(server);
    }
  }

  /** The machine's parts repeat their requests: one line has the reason of the failures, and one their end. */
  #note(isUp: boolean, server: string): void {
    const hadProblem = this.problem !== undefined;
    if (!isUp && this.#failures++ === 0) this.#failingMs = this.#clock.monotonic();
    if (!isUp && !hadProblem && this.problem !== undefined)
      this.#logger.error('no API server answers: pods keep running, and changes wait', { servers: this.#servers });
    if (!isUp) return;
    if (hadProblem)
      this.#logger.info('an API server answers again', {
        server,
        afterSeconds: Math.round((this.#clock.monotonic() - this.#failingMs) / 1000),
      });
    this.#failures = 0;
  }

  #leave(server: string): void {
    for (const socket of this.#open.get(server) ?? []) socket.destroy();
    this.#open.delete(server);
  }
}

function open(server: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ ...addressOf(server), allowHalfOpen: true });
    const fail = () => {
      socket.destroy();
      resolve(undefined);
    };
    socket.setTimeout(connectMs, fail);
    socket.once('error', fail);
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.removeListener('error', fail);
      resolve(socket);
    });
  });
}

/** Any HTTP answer: whether a client trusts it is the client's business. */
function answers(server: string): Promise<boolean> {
  const { host, port } = addressOf(server);
  return new Promise((resolve) => {
    const request = https.get(
      {
        host,
        port,
        path: '/livez',
        agent: false,
        rejectUnauthorized: false,
        timeout: probeMs,
        ...(isIPv6(host) && { family: 6 }),
      },
      (response) => {
        response.resume();
        resolve((response.statusCode ?? 500) < 500);
      },
    );
    request.on('timeout', () => request.destroy(new Error('no answer')));
    request.on('error', () => resolve(false));
  });
}
