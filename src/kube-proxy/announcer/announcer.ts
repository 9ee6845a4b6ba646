// Announces load balancer addresses of a range on the network of the nodes: one node at a time has each of them, and
// another one takes it within a second when that node dies. Nodes send heartbeats to each other, so this works while no API server
// answers.

import {
  announcedLoadBalancer,
  type EndpointSlice,
  isExcludedFromBalancers,
  isNodeReady,
  type Node,
  type Service,
} from '../../api/api.ts';
import {
  type ComponentContext,
  createInformer,
  type EventRecorder,
  type Informer,
  type RunningComponent,
} from '../../client/client.ts';
import { serviceNameLabel } from '../service-ports.ts';
import { announcedAddresses, type ServiceAddress } from './announced-addresses.ts';
import { addressesToHold, type Decision, type Heartbeat, type Peer, silenceMs } from './election.ts';
import { type HeartbeatSocket, openHeartbeats } from './heartbeats.ts';
import {
  type Held,
  keepAddresses,
  type Network,
  networkOf,
  otherUser,
  ownNetworks,
  removeAddresses,
  tellNeighbours,
} from './interfaces.ts';

const heartbeatMs = 200;
/** Without other nodes. */
const aloneMs = 5_000;
/** The kernel removes an address this long after the last time that a node prolonged it. */
const lifetimeSeconds = 3;
const lifetimeAloneSeconds = 60;
const prolongMs = 1_000;
/** How long another machine may take to answer for an address. */
const answerMs = 300;
/** Between two questions whether the other machine still has an address. */
const takenMs = 5_000;
/** An event lives for an hour. */
const reportMs = 1_800_000;
const retryMs = 1_000;

interface AnnouncerOptions {
  readonly nodeName: string;
  readonly nodeIP: string;
  readonly services: Informer<Service>;
  readonly slices: Informer<EndpointSlice>;
  readonly events: EventRecorder;
}

export function startAnnouncer(context: ComponentContext, options: AnnouncerOptions): RunningComponent {
  const announcer = new Announcer(context, options);
  const running = announcer.run();
  return {
    health: () => announcer.problem,
    async stop() {
      announcer.stop();
      await running;
    },
  };
}

class Announcer {
  readonly #context: ComponentContext;
  readonly #options: AnnouncerOptions;
  readonly #stopping = new AbortController();
  readonly #heartbeats = new Map<string, Heartbeat>();
  readonly #held = new Map<string, Held & { reportedMs: number }>();
  /** Addresses that machines outside of the cluster have, and when that was seen. */
  readonly #taken = new Map<string, number>();
  /** Addresses for which no node has a network, with a report of it. */
  readonly #homeless = new Set<string>();
  #nodes: Informer<Node> | undefined;
  #socket: HeartbeatSocket | undefined;
  #sinceMs = 0;
  #stepMs = Number.NEGATIVE_INFINITY;
  /** Planned time between the last two steps. */
  #waitMs = 0;
  #isConnected = false;
  /** Ends when the interfaces have the addresses of the last decision. */
  #changing: Promise<void> | undefined;
  /** Of the last change, until the next step. */
  #failure: unknown;
  #prolongedMs = Number.NEGATIVE_INFINITY;
  #addresses: readonly ServiceAddress[] = [];
  #isDirty = true;
  #wake = Promise.withResolvers<void>();
  problem: string | undefined;

  constructor(context: ComponentContext, options: AnnouncerOptions) {
    this.#context = context;
    this.#options = options;
  }

  stop(): void {
    this.#stopping.abort();
    this.#wake.resolve();
  }

  async run(): Promise<void> {
    const { signal } = this.#stopping;
    const { services, slices } = this.#options;
    const unwatch = [
      services.handle((next, old) => {
        if (isAnnounced(next) || isAnnounced(old)) this.#changed();
      }),
      slices.handle((next, old) => {
        const { namespace, labels } = (next ?? old)?.metadata ?? {};
        const isOf = ({ service, nodes }: ServiceAddress) =>
          nodes && service.metadata.namespace === namespace && service.metadata.name === labels?.[serviceNameLabel];
        if (this.#addresses.some(isOf)) this.#changed();
      }),
    ];
    while (!signal.aborted) {
      this.#wake = Promise.withResolvers();
      let waitMs: number | undefined;
      try {
        waitMs = await this.#step();
        this.problem = undefined;
      } catch (error) {
        this.problem = `load balancer addresses cannot be announced: ${(error as Error).message}`;
        this.#context.logger.warn('load balancer addresses not announced', { error: (error as Error).message });
        waitMs = retryMs;
      }
      this.#waitMs = waitMs ?? 0;
      await this.#sleep(waitMs);
    }
    for (const stop of unwatch) stop();
    await this.#changing;
    await this.#leave();
  }

  /** Undefined: until the next change. */
  async #step(): Promise<number | undefined> {
    const { services, slices, nodeName } = this.#options;
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure) throw failure;
    if (this.#isDirty) {
      this.#isDirty = false;
      this.#addresses = announcedAddresses(services.list().filter(isAnnounced), slices.list());
    }
    if (this.#addresses.length === 0) {
      await this.#changing;
      await this.#hold([], []);
      return undefined;
    }
    const nodes = await this.#begin();
    const networks = ownNetworks();
    const nowMs = this.#listen(networks);
    const peers = nodes.list().flatMap((node) => this.#peerOf(node) ?? []);
    const own = nodes.get(nodeName);
    const wanted = addressesToHold({
      nowMs,
      sinceMs: this.#sinceMs,
      self: {
        name: nodeName,
        isIncluded: own !== undefined && !isExcludedFromBalancers(own),
        networks: networks.map(({ cidr }) => cidr),
        holds: new Set(this.#held.keys()),
      },
      peers,
      addresses: this.#addresses,
    });
    this.#reportHomeless(networks, peers);
    if (peers.length === 0) {
      await this.#changing;
      await this.#hold(wanted, networks);
      return aloneMs;
    }
    this.#change(wanted, networks);
    await this.#send(peers, networks);
    return heartbeatMs;
  }

  /** Beside the heartbeats, which slow commands must not delay: a node that is silent for long loses its addresses. */
  #change(wanted: readonly Decision[], networks: readonly Network[]): void {
    this.#changing ??= this.#hold(wanted, networks, true)
      .catch((error) => {
        this.#failure = error;
      })
      .finally(() => {
        this.#changing = undefined;
      });
  }

  /** After a pause of this process or of its network, other nodes may hold its addresses. */
  #listen(networks: readonly Network[]): number {
    const nowMs = this.#context.clock.monotonic();
    const isConnected = this.#addresses.some(({ ip }) => networkOf(ip, networks));
    if (nowMs - this.#stepMs >= this.#waitMs + silenceMs || (isConnected && !this.#isConnected)) this.#sinceMs = nowMs;
    this.#stepMs = nowMs;
    this.#isConnected = isConnected;
    return nowMs;
  }

  /** The watch of nodes and the socket begin with the first address. */
  async #begin(): Promise<Informer<Node>> {
    if (!this.#nodes) {
      this.#nodes = createInformer(this.#context, 'nodes');
      this.#nodes.handle(() => this.#wake.resolve());
    }
    await Promise.race([this.#nodes.synced(), aborted(this.#stopping.signal)]);
    this.#socket ??= await openHeartbeats(
      this.#options.nodeIP,
      () => this.#context.clock.monotonic(),
      (name, from, heartbeat) => this.#receive(name, from, heartbeat),
    );
    return this.#nodes;
  }

  #receive(name: string, from: string, heartbeat: Heartbeat): void {
    const node = this.#nodes?.get(name);
    // No other machine may speak for a node.
    if (!node || addressOf(node) !== from) return;
    this.#heartbeats.set(name, heartbeat);
    if (heartbeat.atMs === Number.NEGATIVE_INFINITY) this.#wake.resolve();
  }

  #peerOf(node: Node): Peer | undefined {
    const { name } = node.metadata;
    const address = addressOf(node);
    if (!address || name === this.#options.nodeName || address === this.#options.nodeIP) return undefined;
    return {
      name,
      address,
      isReady: isNodeReady(node),
      isIncluded: !isExcludedFromBalancers(node),
      heartbeat: this.#heartbeats.get(name),
    };
  }

  async #hold(wanted: readonly Decision[], networks: readonly Network[], hasPeers = false): Promise<void> {
    const sinceMs = this.#sinceMs;
    const homes = new Map(wanted.map(({ ip }) => [ip, networkOf(ip, networks)]));
    // An address is lost with its interface, too.
    const lost = [...this.#held.values()].filter(({ ip, network }) => homes.get(ip)?.device !== network.device);
    for (const { ip } of lost) this.#held.delete(ip);
    await removeAddresses(lost);
    for (const { ip } of lost) this.#context.logger.info('load balancer address given up', { address: ip });
    const gained = await this.#untaken(
      wanted.flatMap(({ ip }) => {
        const network = this.#held.has(ip) ? undefined : homes.get(ip);
        return network ? [{ ip, network, reportedMs: Number.NEGATIVE_INFINITY }] : [];
      }),
    );
    // This process was paused meanwhile.
    if (this.#sinceMs !== sinceMs) return;
    const nowMs = this.#context.clock.monotonic();
    const lifetime = hasPeers ? lifetimeSeconds : lifetimeAloneSeconds;
    const isDue = nowMs - this.#prolongedMs >= (hasPeers ? prolongMs : (lifetimeAloneSeconds * 1_000) / 3);
    await keepAddresses([...(isDue ? this.#held.values() : []), ...gained], lifetime);
    if (isDue) this.#prolongedMs = nowMs;
    for (const held of gained) this.#held.set(held.ip, held);
    const contested = wanted.flatMap(({ ip, isContested }) => (isContested ? (this.#held.get(ip) ?? []) : []));
    await tellNeighbours([...new Set([...gained, ...contested])], lifetime);
    this.#reportHeld(nowMs);
  }

  /** Without the addresses that another machine has, such as one outside of the cluster. */
  async #untaken<T extends Held>(gained: readonly T[]): Promise<T[]> {
    const { clock } = this.#context;
    const { nodeName, events } = this.#options;
    const free = await Promise.all(
      gained.map(async (each) => {
        const { ip } = each;
        // It moves from a node of the cluster, and every moment counts.
        if ([...this.#heartbeats.values()].some(({ holds }) => holds.has(ip))) return [each];
        const seenMs = this.#taken.get(ip);
        if (seenMs !== undefined && clock.monotonic() - seenMs < takenMs) return [];
        const user = await otherUser(each, () => clock.sleep(answerMs));
        if (user === undefined) {
          this.#taken.delete(ip);
          return [each];
        }
        this.#taken.set(ip, clock.monotonic());
        const service = this.#addresses.find((address) => address.ip === ip)?.service;
        const message = `node ${nodeName} does not announce ${ip}: a machine with the hardware address ${user} has it. Take it from that machine, or out of --load-balancer-range`;
        if (service) events.event(service, 'Warning', 'LoadBalancerAddressInUse', message);
        return [];
      }),
    );
    return free.flat();
  }

  #reportHeld(nowMs: number): void {
    const { nodeName, events } = this.#options;
    for (const held of this.#held.values()) {
      if (nowMs - held.reportedMs < reportMs) continue;
      held.reportedMs = nowMs;
      const { ip, network } = held;
      this.#context.logger.info('load balancer address announced', { address: ip, device: network.device });
      const service = this.#addresses.find((address) => address.ip === ip)?.service;
      const message = `node ${nodeName} announces ${ip} on ${network.device}`;
      if (service) events.event(service, 'Normal', 'LoadBalancerAddressAnnounced', message);
    }
  }

  /** An address that no node can announce reaches a node only by a route that the user makes. */
  #reportHomeless(networks: readonly Network[], peers: readonly Peer[]): void {
    const all = [...networks, ...peers.flatMap(({ heartbeat }) => heartbeat?.networks ?? []).map((cidr) => ({ cidr }))];
    for (const { ip, service } of this.#addresses) {
      if (this.#homeless.has(ip) || networkOf(ip, all as Network[])) continue;
      this.#homeless.add(ip);
      const message = `${ip} is in no network of node ${this.#options.nodeName}, which cannot announce it: use a --load-balancer-range in the network of the nodes, or route it to them`;
      this.#options.events.event(service, 'Warning', 'LoadBalancerAddressNotAnnounced', message);
    }
  }

  async #send(peers: readonly Peer[], networks: readonly Network[], leaves = false): Promise<void> {
    // While it listens after a pause, a node has no address: the kernel has removed them, or the next change does.
    const isListening = peers.length > 0 && this.#context.clock.monotonic() - this.#sinceMs < silenceMs;
    const message = {
      node: this.#options.nodeName,
      networks: networks.map(({ cidr }) => cidr),
      holds: isListening ? [] : [...this.#held.keys()],
      leaves,
    };
    await this.#socket?.send(
      peers.map(({ address }) => address),
      message,
    );
  }

  async #leave(): Promise<void> {
    const peers = this.#nodes?.list().flatMap((node) => this.#peerOf(node) ?? []) ?? [];
    await removeAddresses([...this.#held.values()]);
    this.#held.clear();
    await this.#send(peers, [], true);
    this.#socket?.close();
    await this.#nodes?.stop();
  }

  #changed(): void {
    this.#isDirty = true;
    this.#wake.resolve();
  }

  async #sleep(ms: number | undefined): Promise<void> {
    if (ms === undefined) return this.#wake.promise;
    const pause = new AbortController();
    const slept = this.#context.clock.sleep(ms, pause.signal).catch(() => {});
    await Promise.race([slept, this.#wake.promise]);
    pause.abort();
  }
}

const addressOf = ({ status }: Node): string | undefined =>
  status?.addresses?.find(({ type }) => type === 'InternalIP')?.address;

const isAnnounced = (service: Service | undefined): boolean =>
  service?.metadata.annotations?.[announcedLoadBalancer] !== undefined;

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
