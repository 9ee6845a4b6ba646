import type { Client } from '../client/client.ts';
import { type Cidr, cidrContains, parseCidr, parseIp } from '../machinery/ip.ts';
import type { Site } from './nftables.ts';
import type { PacketFilter } from './packet-filter.ts';

interface Options extends Pick<Site, 'clusterCidrs' | 'dnsAddresses'> {
  readonly nodeNames: readonly string[];
}

/** Finds the ranges of the machine's pods and the devices that connect them; each once. */
export class SiteFinder {
  readonly #client: Client;
  readonly #options: Options;
  readonly #filter: PacketFilter;
  readonly #cidrs = new Map<string, readonly string[]>();
  readonly #devices = new Map<string, string>();

  constructor(client: Client, options: Options, filter: PacketFilter) {
    this.#client = client;
    this.#options = options;
    this.#filter = filter;
  }

  async find(ownAddresses: ReadonlySet<string>): Promise<Site> {
    const { nodeNames, clusterCidrs, dnsAddresses } = this.#options;
    for (const name of nodeNames) {
      if (this.#cidrs.has(name)) continue;
      const { podCIDRs = [] } = (await this.#client.get('nodes', { name })).spec ?? {};
      if (podCIDRs.length > 0) this.#cidrs.set(name, podCIDRs);
    }
    const nodeCidrs = [...this.#cidrs.values()].flat();
    for (const cidr of nodeCidrs) {
      if (this.#devices.has(cidr)) continue;
      const range = parseCidr(cidr);
      const address = [...ownAddresses].find((candidate) => range && contains(range, candidate));
      const device = address && (await this.#filter.deviceTo(address));
      if (device) this.#devices.set(cidr, device);
    }
    return { nodeCidrs, clusterCidrs, dnsAddresses, devices: [...new Set(this.#devices.values())] };
  }
}

function contains(range: Cidr, address: string): boolean {
  const parsed = parseIp(address);
  return parsed !== undefined && cidrContains(range, parsed);
}
