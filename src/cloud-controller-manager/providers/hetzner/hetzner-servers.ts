// The machines of Hetzner Cloud, and the routes of one of its networks.

import type { Node, NodeAddress } from '../../../api/api.ts';
import type { Clock } from '../../../machinery/time/clock.ts';
import { CloudError, type Instance, type Instances, type Routes } from '../../provider.ts';
import type { HetznerApi, Server } from './hetzner-api.ts';

/** Servers are listed again after this time: one request in place of one for each node. */
const freshMs = 10_000;
const prefix = 'hcloud://';

/** The old names of data centres, which volumes and users have as zones. New locations have one zone of their name. */
const zones: Readonly<Record<string, string>> = {
  nbg1: 'nbg1-dc3',
  hel1: 'hel1-dc2',
  fsn1: 'fsn1-dc14',
  ash: 'ash-dc1',
  hil: 'hil-dc1',
  sin: 'sin-dc1',
};

/** Undefined for a node without an id. Throws for one of another cloud. */
export function serverIdOf({ metadata, spec }: Node): number | undefined {
  if (!spec?.providerID) return undefined;
  const id = Number(spec.providerID.slice(prefix.length));
  if (spec.providerID.startsWith(prefix) && /\/\/[1-9]\d*$/.test(spec.providerID) && Number.isSafeInteger(id))
    return id;
  throw new CloudError(`${spec.providerID} of node ${metadata.name} is no server of Hetzner Cloud (${prefix}ID)`);
}

export class Servers implements Instances {
  readonly #api: HetznerApi;
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #network: number | undefined;
  #listed: { readonly atMs: number; readonly servers: Promise<readonly Server[]> } | undefined;
  /** A server of the cluster was found, so the token is for its project. */
  #isRightProject = false;

  constructor(api: HetznerApi, clock: Pick<Clock, 'monotonic'>, network: number | undefined) {
    this.#api = api;
    this.#clock = clock;
    this.#network = network;
  }

  /** At most ten seconds old. */
  list(): Promise<readonly Server[]> {
    const nowMs = this.#clock.monotonic();
    if (this.#listed && nowMs - this.#listed.atMs < freshMs) return this.#listed.servers;
    const listed = { atMs: nowMs, servers: this.#api.servers() };
    this.#listed = listed;
    listed.servers.catch(() => {
      if (this.#listed === listed) this.#listed = undefined;
    });
    return listed.servers;
  }

  async find(node: Node): Promise<Instance | undefined> {
    const server = await this.#server(node);
    if (server) {
      this.#isRightProject = true;
      return this.#instanceOf(server);
    }
    // A token of another project must not delete all nodes that are not Ready.
    if (!this.#isRightProject)
      throw new CloudError(
        `the project has no server of node ${node.metadata.name}, and none of other nodes so far: check that tokenFile is for the cluster's project`,
      );
    return undefined;
  }

  /** The list may be older than the server: only an answer about this one counts as missing. */
  async #server(node: Node): Promise<Server | undefined> {
    const id = serverIdOf(node);
    const { name } = node.metadata;
    const isIt = (server: Server) => (id === undefined ? server.name === name : server.id === id);
    const listed = (await this.list()).find(isIt);
    if (listed) return listed;
    return id === undefined ? (await this.#api.servers(name)).find(isIt) : this.#api.server(id);
  }

  #instanceOf(server: Server): Instance {
    const { id, name, type, location, status } = server;
    const internal = privateAddress(server, this.#network);
    const addresses: NodeAddress[] = [
      { type: 'Hostname', address: name },
      ...(server.publicIPv4 ? [{ type: 'ExternalIP', address: server.publicIPv4 }] : []),
      ...(internal ? [{ type: 'InternalIP', address: internal }] : []),
    ];
    return {
      ...{ providerID: `${prefix}${id}`, isShutDown: status === 'off', addresses, type, region: location },
      zone: zones[location] ?? location,
      labels: { 'instance.hetzner.cloud/provided-by': 'cloud' },
    };
  }
}

const privateAddress = ({ privateNets }: Server, network: number | undefined): string | undefined =>
  network === undefined ? undefined : privateNets.find((net) => net.network === network)?.ip;

/** The node of a server may have another name. */
function namesOf(nodes: readonly Node[]): (server: Server) => string {
  const byId = new Map(nodes.map((node) => [node.spec?.providerID, node.metadata.name]));
  return ({ id, name }) => byId.get(`${prefix}${id}`) ?? name;
}

/** A route leads to the private address of a server. */
export const routesOf = (api: HetznerApi, servers: Servers, network: number): Routes => ({
  async list(nodes) {
    const nameOf = namesOf(nodes);
    const byAddress = new Map(
      (await servers.list()).map((server) => [privateAddress(server, network), nameOf(server)]),
    );
    return (await api.network(network)).map(({ destination, gateway }) => ({
      ...{ name: `${gateway}-${destination}`, destinationCIDR: destination, targetNode: byAddress.get(gateway) ?? '' },
      isBlackhole: !byAddress.has(gateway),
    }));
  },
  async create(_nameHint, { targetNode, targetAddresses = [], destinationCIDR }) {
    if (destinationCIDR.includes(':')) throw new CloudError("Hetzner Cloud's networks have no IPv6");
    const internal = targetAddresses.filter(({ type }) => type === 'InternalIP').map(({ address }) => address);
    const addresses = (await servers.list()).flatMap((server) => privateAddress(server, network) ?? []);
    const gateway = internal.find((address) => addresses.includes(address));
    if (!gateway) throw new CloudError(`node ${targetNode} has no address in the network ${network}`);
    // A range leads to one server: a route to another one is older.
    for (const route of await api.network(network))
      if (route.destination === destinationCIDR && route.gateway !== gateway)
        await api.act('networks', network, 'delete_route', route);
    await api.act('networks', network, 'add_route', { destination: destinationCIDR, gateway });
  },
  async remove({ destinationCIDR }) {
    for (const route of await api.network(network))
      if (route.destination === destinationCIDR) await api.act('networks', network, 'delete_route', route);
  },
});
