// The pods' network of one node: a bridge that has the first address of the pod range, and a veth pair for each pod.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import type { Logger } from '../../machinery/logger.ts';
import { must } from '../../machinery/must.ts';
import { quote, run } from '../processes/process.ts';
import { RuntimeError } from '../runtime-error.ts';
import { type HostPortForward, hostPortRules } from './host-port-rules.ts';
import { masquerade, stopMasquerade } from './masquerade.ts';
import { PodAddresses } from './pod-addresses.ts';

interface PodNetworkOptions {
  /** At most 15 characters, different for each node on a machine. */
  readonly bridge: string;
  /** Network namespace of the bridge, as a file; default: the process's. */
  readonly namespace?: string;
  /** Addresses that pods reach as themselves; towards others they have the node's. The pod ranges always belong to it. */
  readonly clusterCidrs?: readonly string[];
  readonly logger: Logger;
}

export class PodNetwork {
  readonly #options: PodNetworkOptions;
  readonly #namespace: string;
  /** Packets that leave the machine must fit its network. */
  readonly #mtu = mtuOfDefaultRoute();
  #addresses?: PodAddresses;
  #cidrs: readonly string[] = [];
  #hostPorts: readonly HostPortForward[] = [];
  #applied: Promise<void> = Promise.resolve();

  constructor(options: PodNetworkOptions) {
    this.#options = options;
    this.#namespace = options.namespace ?? `/proc/${process.pid}/ns/net`;
  }

  get problem(): string | undefined {
    return this.#addresses ? undefined : 'no pod CIDR has been assigned to the node yet';
  }

  /** Makes the bridge, or finds it. `inUse` are the addresses of pods that are there already. */
  async configure(cidrs: readonly string[], inUse: readonly string[]): Promise<void> {
    if (cidrs.length === 0 || cidrs.join() === this.#cidrs.join()) return;
    const { bridge } = this.#options;
    const addresses = new PodAddresses(cidrs);
    addresses.reserve(inUse);
    const hash = createHash('sha256').update(bridge).digest('hex');
    // A fixed address: otherwise the bridge takes that of a port, and changes it as pods come and go.
    const mac = `02:${must(hash.slice(0, 10).match(/../g), 'hash').join(':')}`;
    if ((await this.#host('ip', ['link', 'show', 'dev', bridge])).code !== 0)
      await this.#mustHost('ip', ['link', 'add', 'name', bridge, 'address', mac, 'type', 'bridge']);
    await this.#mustHost('ip', ['link', 'set', 'dev', bridge, 'up']);
    for (const { family, address, prefix } of addresses.gateways) {
      const nodad = family === 6 ? ['nodad'] : [];
      await this.#mustHost('ip', ['addr', 'replace', `${address}/${prefix}`, 'dev', bridge, ...nodad]);
    }
    const six = addresses.gateways.some(({ family }) => family === 6);
    await this.#host('sh', ['-c', six ? `${forwarding}; ${forwardingSix(bridge)}` : forwarding]);
    this.#addresses = addresses;
    this.#cidrs = cidrs;
    await this.#masquerade(cidrs);
  }

  /**
   * Allocates a pod's addresses, and returns the commands to connect it: for the shell and then for `ip` inside its
   * namespace, and a shell script outside. The caller runs both, to set up a pod with one process instead of five.
   */
  plan(id: string): { ips: readonly string[]; settings: string; inside: string; outside: string } {
    if (!this.#addresses) throw new RuntimeError('sandbox', `network is not ready: ${this.problem}`);
    const ips = this.#addresses.allocate();
    const veth = vethOf(id);
    const inside = [
      `link add eth0 mtu ${this.#mtu} type veth peer name ${veth} mtu ${this.#mtu} netns ${this.#namespace}`,
      'link set eth0 up',
      'link set lo up',
    ];
    for (const [i, { family, address, prefix }] of this.#addresses.gateways.entries()) {
      inside.push(`addr add ${ips[i]}/${prefix} dev eth0${family === 6 ? ' nodad' : ''}`);
      inside.push(`route add default via ${address} dev eth0`);
    }
    // Hairpin: a pod's connection to itself through its service returns on the same port.
    const outside = [
      `link set ${veth} master ${this.#options.bridge} up`,
      `link set ${veth} type bridge_slave hairpin on`,
    ];
    const enter = this.#options.namespace ? `nsenter --net=${quote(this.#namespace)} ` : '';
    const settings = ips.some((ip) => ip.includes(':')) ? podSettings : '';
    return { ips, settings, inside: batch(inside), outside: `${enter}ip -batch - <<'END'\n${batch(outside)}END\n` };
  }

  async detach(id: string, ips: readonly string[]): Promise<void> {
    await this.#host('ip', ['link', 'del', 'dev', vethOf(id)]);
    this.#addresses?.release(ips);
  }

  /** Replaces the rules of hostPorts. One call at a time counts: a later one has all that an earlier one had. */
  setHostPorts(forwards: readonly HostPortForward[]): Promise<void> {
    this.#hostPorts = forwards;
    this.#applied = this.#applied.then(() => this.#applyHostPorts(forwards));
    return this.#applied;
  }

  async #applyHostPorts(forwards: readonly HostPortForward[]): Promise<void> {
    if (forwards !== this.#hostPorts || !existsSync('/usr/sbin/nft')) return;
    const script = hostPortRules(this.#portTable, forwards, this.#cidrs);
    const { code, stderr } = await this.#host('nft', ['-f', '-'], script);
    if (code !== 0) this.#options.logger.warn('rules of host ports not set', { reason: stderr.trim() });
  }

  /** Removes bridge and rules. */
  async destroy(): Promise<void> {
    await this.#host('ip', ['link', 'del', 'dev', this.#options.bridge]);
    await stopMasquerade(this.#host.bind(this), this.#options.bridge);
    if (existsSync('/usr/sbin/nft')) await this.#host('nft', ['delete', 'table', 'inet', this.#portTable]);
  }

  get #portTable(): string {
    return `coracle-${this.#options.bridge}-host-ports`;
  }

  async #masquerade(pods: readonly string[]): Promise<void> {
    const { bridge, clusterCidrs = [], logger } = this.#options;
    const host = this.#host.bind(this);
    const problem = await masquerade(host, { bridge, pods, cluster: clusterCidrs });
    if (problem !== undefined) logger.warn('pods reach only this machine and each other', { reason: problem });
  }

  #host(command: string, args: readonly string[], input?: string) {
    if (!this.#options.namespace) return run(command, args, input);
    return run('nsenter', [`--net=${this.#namespace}`, command, ...args], input);
  }

  async #mustHost(command: string, args: readonly string[], input?: string): Promise<void> {
    const { code, stderr } = await this.#host(command, args, input);
    if (code !== 0) throw new RuntimeError('sandbox', `${command} ${args.join(' ')}: ${stderr.trim()}`);
  }
}

function mtuOfDefaultRoute(): number {
  try {
    const lines = (file: string) => readFileSync(`/proc/net/${file}`, 'utf8').split('\n');
    const isDefault = ([, destination, , , , , , mask]: string[]) => destination === '00000000' && mask === '00000000';
    const four = lines('route')
      .map((line) => line.split('\t'))
      .find(isDefault)?.[0];
    const six = () => lines('ipv6_route').flatMap((line) => /^0{32} 00 .* (?!lo$)(\S+)$/.exec(line)?.[1] ?? [])[0];
    return Number(readFileSync(`/sys/class/net/${must(four ?? six(), 'default route')}/mtu`, 'utf8'));
  } catch {
    return 1500; // no route to anywhere
  }
}

/** Interface names have at most 15 characters. */
const vethOf = (id: string) => `veth${id.slice(0, 10)}`;

const batch = (lines: readonly string[]) => `${lines.join('\n')}\n`;

const forwarding = 'echo 1 >/proc/sys/net/ipv4/ip_forward';

/**
 * A machine that forwards ignores router advertisements, and would lose the default route that it has from one, unless
 * accept_ra is 2. Pods must not advertise routes to the machine.
 */
const forwardingSix = (bridge: string) => `cd /proc/sys/net/ipv6/conf || exit
[ "$(cat all/forwarding)" = 1 ] || for file in */accept_ra; do
  case $file in all/*|default/*|lo/*|cor*|veth*|cni*|docker*|br-*|virbr*) continue ;; esac
  [ "$(cat "$file")" != 1 ] || echo 2 >"$file"
done
echo 0 >${quote(bridge)}/accept_ra
echo 1 >all/forwarding`;

/** A pod must not accept routes from the others on its bridge. A machine may have switched IPv6 off by default. */
const podSettings = `for setting in accept_ra disable_ipv6; do echo 0 >/proc/sys/net/ipv6/conf/default/$setting; done
`;
