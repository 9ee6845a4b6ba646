// Routes to the pods of other machines: through the machine itself where it is on the same network, otherwise through a
// VXLAN tunnel (RFC 7348). Linux' MAC addresses of tunnel ends follow from the nodes' names, so nothing else is shared.

import { createHash } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { cidrContains, parseCidr } from '../../machinery/ip.ts';
import { must } from '../../machinery/must.ts';
import { run } from '../processes/process.ts';

export interface RemoteNode {
  readonly name: string;
  /** Of the machine, one or one of each family: that of its tunnel first. */
  readonly addresses: readonly string[];
  /** Ranges of its pods. */
  readonly cidrs: readonly string[];
}

interface PodRoutesOptions {
  /** The same on every machine of a cluster, and different for other clusters: names the tunnel. */
  readonly clusterId: string;
  /** Ranges of the cluster's pods: other routes in them are removed. */
  readonly clusterCidrs: readonly string[];
  readonly nodeName: string;
  /** Address of this machine. */
  readonly nodeIP: string;
}

/** Marks the routes of Coracle (`proto` of ip-route). */
const routeProtocol = 88;
/** The port that Linux and flannel use for VXLAN. */
const vxlanPort = 8472;
const vxlanOverhead = { 4: 50, 6: 70 } as const;
const familyOf = (text: string) => (isIPv6(text.split('/')[0]) ? 6 : 4);

/** The way to a machine, as `ip route get` answers. */
export interface Way {
  readonly device: string;
  /** Whether a router is between. */
  readonly isRouted: boolean;
}

interface Route {
  readonly cidr: string;
  readonly via: string;
  readonly device: string;
  readonly isTunneled: boolean;
}

interface TunnelEnd {
  readonly mac: string;
  readonly address: string;
  /** First addresses of its pod ranges: the tunnel's next hops. */
  readonly hops: readonly string[];
}

interface RoutePlan {
  readonly routes: readonly Route[];
  readonly ends: readonly TunnelEnd[];
}

/** The routes to all nodes; nodes without a known way are left out. */
export function planRoutes(nodes: readonly RemoteNode[], ways: ReadonlyMap<string, Way>, tunnel: string): RoutePlan {
  const routes: Route[] = [];
  const ends: TunnelEnd[] = [];
  for (const { name, addresses, cidrs } of nodes) {
    const [end] = addresses;
    const hops: string[] = [];
    for (const cidr of cidrs) {
      const via = addresses.find((address) => familyOf(address) === familyOf(cidr));
      const way = via === undefined ? undefined : ways.get(via);
      if (via !== undefined && way && !way.isRouted) routes.push({ cidr, via, device: way.device, isTunneled: false });
      else if (ways.has(end)) {
        hops.push(baseOf(cidr));
        routes.push({ cidr, via: baseOf(cidr), device: tunnel, isTunneled: true });
      }
    }
    if (hops.length) ends.push({ mac: tunnelMac(name), address: end, hops });
  }
  return { routes, ends };
}

const baseOf = (cidr: string): string => cidr.split('/')[0];

/** Locally administered, and the same on every machine. */
export function tunnelMac(node: string): string {
  const hash = createHash('sha256').update(`vxlan ${node}`).digest('hex');
  return `02:${must(hash.slice(0, 10).match(/../g), 'hash').join(':')}`;
}

export class PodRoutes {
  readonly #options: PodRoutesOptions;
  readonly #tunnel: string;
  #ownCidrs: readonly string[] = [];
  #hasTunnel = false;

  constructor(options: PodRoutesOptions) {
    this.#options = options;
    this.#tunnel = tunnelName(options.clusterId);
  }

  /** Sets the routes to these nodes, and removes those to others. `ownCidrs` are this node's pod ranges. */
  async apply(ownCidrs: readonly string[], nodes: readonly RemoteNode[]): Promise<void> {
    const ways = await waysTo([...new Set(nodes.flatMap(({ addresses }) => addresses))]);
    const plan = planRoutes(nodes, ways, this.#tunnel);
    if (plan.ends.length) await this.#ensureTunnel(ownCidrs);
    await this.#setRoutes(plan.routes);
    if (this.#hasTunnel) await this.#setEnds(plan.ends);
  }

  async #ensureTunnel(ownCidrs: readonly string[]): Promise<void> {
    if (this.#hasTunnel && ownCidrs.join() === this.#ownCidrs.join()) return;
    const { nodeName, nodeIP } = this.#options;
    const name = this.#tunnel;
    if ((await run('ip', ['link', 'show', 'dev', name])).code !== 0) {
      const { device } = must((await waysTo([nodeIP])).get(nodeIP), nodeIP);
      const mtu = (await mtuOf(await deviceOf(nodeIP, device))) - vxlanOverhead[familyOf(nodeIP)];
      const type = ['type', 'vxlan', 'id', String(vniOf(name)), 'local', nodeIP, 'dstport', String(vxlanPort)];
      await mustRun(['link', 'add', name, 'address', tunnelMac(nodeName), 'mtu', String(mtu), ...type, 'nolearning']);
    }
    await mustRun(['link', 'set', 'dev', name, 'up']);
    for (const cidr of ownCidrs) {
      const [prefix, ...more] = familyOf(cidr) === 6 ? ['128', 'nodad'] : ['32'];
      await mustRun(['addr', 'replace', `${baseOf(cidr)}/${prefix}`, 'dev', name, ...more]);
    }
    this.#hasTunnel = true;
    this.#ownCidrs = ownCidrs;
  }

  async #setRoutes(routes: readonly Route[]): Promise<void> {
    for (const family of [4, 6] as const) {
      const wanted = routes.filter(({ cidr }) => familyOf(cidr) === family);
      const current = await this.#currentRoutes(family);
      const keys = new Set(wanted.map(keyOf));
      const lines = [
        ...current
          .filter((route) => !keys.has(keyOf(route)))
          .map(({ cidr }) => `route del ${cidr} proto ${routeProtocol}`),
        ...wanted
          .filter((route) => !current.some((has) => keyOf(has) === keyOf(route)))
          .map(
            ({ cidr, via, device, isTunneled }) =>
              `route replace ${cidr} via ${via} dev ${device} proto ${routeProtocol}${isTunneled ? ' onlink' : ''}`,
          ),
      ];
      await batch(['ip', `-${family}`], lines);
    }
  }

  async #currentRoutes(family: 4 | 6): Promise<Omit<Route, 'isTunneled'>[]> {
    const { code, stdout } = await run('ip', [`-${family}`, '-j', 'route', 'show', 'proto', String(routeProtocol)]);
    if (code !== 0) return [];
    const found = (JSON.parse(stdout || '[]') as { dst: string; gateway?: string; dev: string }[]).map(
      ({ dst, gateway = '', dev }) => ({
        cidr: dst.includes('/') ? dst : `${dst}/${family === 6 ? 128 : 32}`,
        via: gateway,
        device: dev,
      }),
    );
    // Other clusters of this machine have other ranges.
    return found.filter(({ cidr }) => this.#options.clusterCidrs.some((range) => contains(range, cidr)));
  }

  async #setEnds(ends: readonly TunnelEnd[]): Promise<void> {
    const name = this.#tunnel;
    const { stdout } = await run('bridge', ['-j', 'fdb', 'show', 'dev', name]);
    const existing = JSON.parse(stdout || '[]') as { mac: string; dst?: string }[];
    const macs = new Set(ends.map(({ mac, address }) => `${mac} ${address}`));
    const stale = existing.filter(({ mac, dst }) => dst && !macs.has(`${mac} ${dst}`));
    await batch(
      ['bridge'],
      [
        ...stale.map(({ mac, dst }) => `fdb del ${mac} dev ${name} dst ${dst}`),
        ...ends.map(({ mac, address }) => `fdb replace ${mac} dev ${name} dst ${address}`),
      ],
    );
    await batch(
      ['ip'],
      ends.flatMap(({ mac, hops }) =>
        hops.map((hop) => `neigh replace ${hop} lladdr ${mac} dev ${name} nud permanent`),
      ),
    );
  }
}

function contains(range: string, cidr: string): boolean {
  const [outer, inner] = [parseCidr(range), parseCidr(cidr)];
  return outer !== undefined && inner !== undefined && cidrContains(outer, { family: inner.family, value: inner.base });
}

const keyOf = ({ cidr, via, device }: Pick<Route, 'cidr' | 'via' | 'device'>) => `${cidr} ${via} ${device}`;

const hashOf = (text: string) => createHash('sha256').update(text).digest();
const tunnelName = (cluster: string): string => `corvx${hashOf(cluster).toString('hex').slice(0, 8)}`;
/** 24 bits; 0 is no network. */
const vniOf = (tunnel: string): number => (hashOf(tunnel).readUIntBE(0, 3) % 0xfffffe) + 1;

/** Removes the routes and the tunnel of a cluster from this machine. */
export async function removePodRoutes(cluster: Pick<PodRoutesOptions, 'clusterId' | 'clusterCidrs'>): Promise<void> {
  await new PodRoutes({ ...cluster, nodeName: '', nodeIP: '' }).apply([], []);
  await run('ip', ['link', 'del', 'dev', tunnelName(cluster.clusterId)]);
}

interface RouteAnswer {
  readonly dst: string;
  readonly dev: string;
  readonly gateway?: string;
}

/** One process for all addresses. Addresses without a route are missing. */
async function waysTo(addresses: readonly string[]): Promise<Map<string, Way>> {
  const ways = new Map<string, Way>();
  if (addresses.length === 0) return ways;
  const lines = addresses.map((address) => `route get ${address}\n`).join('');
  const { stdout } = await run('ip', ['-j', '-force', '-batch', '-'], lines);
  for (const line of stdout.split('\n')) {
    if (!line.startsWith('[')) continue;
    for (const { dst, dev, gateway } of JSON.parse(line) as RouteAnswer[])
      if (dst) ways.set(dst, { device: dev, isRouted: gateway !== undefined });
  }
  return ways;
}

interface LinkAnswer {
  readonly ifname: string;
  readonly mtu: number;
  readonly addr_info?: readonly { readonly local?: string }[];
}

/** The device that has the address: the way to an own address is lo. */
async function deviceOf(address: string, fallback: string): Promise<string> {
  const { stdout } = await run('ip', ['-j', 'addr', 'show']);
  const links = JSON.parse(stdout || '[]') as LinkAnswer[];
  return links.find(({ addr_info = [] }) => addr_info.some(({ local }) => local === address))?.ifname ?? fallback;
}

async function mtuOf(device: string): Promise<number> {
  const { stdout } = await run('ip', ['-j', 'link', 'show', 'dev', device]);
  const [link] = JSON.parse(stdout || '[]') as LinkAnswer[];
  return link?.mtu ?? 1500;
}

async function mustRun(args: readonly string[]): Promise<void> {
  const { code, stderr } = await run('ip', args);
  if (code !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr.trim()}`);
}

async function batch([program, ...options]: readonly string[], lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  const { code, stderr } = await run(program, [...options, '-force', '-batch', '-'], `${lines.join('\n')}\n`);
  if (code !== 0) throw new Error(`${program}: ${stderr.trim()}`);
}
