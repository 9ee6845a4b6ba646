// Service traffic through the kernel's nftables: a map lookup, then a random endpoint. Each change is one atomic
// transaction of the differences. https://kubernetes.io/docs/reference/networking/virtual-ips/#proxy-mode-nftables

import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { urlHost } from '../machinery/ip.ts';
import type { Logger } from '../machinery/logger.ts';
import { must } from '../machinery/must.ts';
import type { ProxyBackend } from './backend.ts';
import { changedTargets, dropFlows, type UdpTargets, udpTargets } from './conntrack.ts';
import { run } from './run.ts';
import { type Endpoint, type Family, isOfFamily, isWithin, type ServicePort } from './service-ports.ts';

export interface NftablesOptions {
  /** Name of the table, one for each cluster on the machine. */
  readonly table: string;
  readonly family: Family;
  /** Pod addresses, of any family: traffic to a cluster IP from other sources is masqueraded. */
  readonly clusterCidrs: readonly string[];
  /** Of any family. */
  readonly nodeIPs: readonly string[];
  readonly logger: Logger;
}

/** Set on packets that must leave with the node's address. The kubelet of Kubernetes uses the same bit. */
const masqueradeMark = '0x4000';

/** The chain for addresses of the service ranges that no service has: traffic to them must not leave the machine. */
const unallocated = 'unallocated-cluster-ips';

/** The names of a family in rules. */
const ofFamily = {
  4: { ip: 'ip', addressType: 'ipv4_addr', bridgeSetting: 'bridge-nf-call-iptables', loopback: ['127.0.0.1'] },
  // The kernel has no way back for connections from ::1 that leave the machine.
  6: { ip: 'ip6', addressType: 'ipv6_addr', bridgeSetting: 'bridge-nf-call-ip6tables', loopback: [] },
} as const;

/** The desired contents: chains with their rules, map elements with their verdicts. */
interface Ruleset {
  readonly chains: ReadonlyMap<string, readonly string[]>;
  readonly elements: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** Affinity sets by name, with their timeout in seconds. */
  readonly affinity: ReadonlyMap<string, number>;
}

const empty: Ruleset = { chains: new Map([[unallocated, []]]), elements: new Map(), affinity: new Map() };

export async function createNftablesBackend(options: NftablesOptions): Promise<ProxyBackend> {
  const { family } = options;
  const { ip } = ofFamily[family];
  const nodeIPs = options.nodeIPs.filter((address) => isOfFamily(address, family));
  const table = `${ip} ${options.table}`;
  // Only a dry run: the frame takes effect with the first services, in one transaction, so that the rules of the
  // previous run serve until then.
  let first = frame(table, { ...options, nodeIPs }, await bridgedPacketsAreSeen(family));
  await run('nft', ['--check', '-f', '-'], first);
  let applied = empty;
  let udp: UdpTargets = new Map();
  const routed = new Set<string>();
  return {
    name: 'nftables',
    async sync(allPorts, allCidrs) {
      const ports = allPorts.filter((port) => port.family === family);
      const serviceCidrs = allCidrs.filter((cidr) => isOfFamily(cidr, family));
      const wanted = ruleset(ports, nodeIPs, serviceCidrs);
      const script = first + transaction(table, applied, wanted);
      if (script !== '') await run('nft', ['-f', '-'], script);
      first = '';
      for (const range of serviceCidrs) {
        if (!routed.has(range)) await ensureRoute(range, family, options.logger);
        routed.add(range);
      }
      applied = wanted;
      const targets = udpTargets(ports, nodeIPs);
      await dropFlows(changedTargets(udp, targets), family, options.logger);
      udp = targets;
    },
    remove: () =>
      run('nft', ['delete', 'table', ...table.split(' ')]).then(
        () => {},
        () => {},
      ),
  };
}

/**
 * Whether netfilter sees packets between two ports of a bridge. If not, replies of a pod on the same bridge would not
 * be translated back, so all traffic is masqueraded.
 */
async function bridgedPacketsAreSeen(family: Family): Promise<boolean> {
  const file = `/proc/sys/net/bridge/${ofFamily[family].bridgeSetting}`;
  await writeFile(file, '1').catch(() => {});
  return (await readFile(file, 'utf8').catch(() => '0')).trim() === '1';
}

/** Without a default route, the host has no route to a cluster IP, so packets would not reach the rules. */
async function ensureRoute(serviceCidr: string, family: Family, logger: Logger): Promise<void> {
  const [file, anyDefault] =
    family === 4 ? ['route', /^\S+\t00000000\t/m] : ['ipv6_route', /^0{32} 00 .* (?!lo$)\S+$/m];
  const routes = await readFile(`/proc/net/${file}`, 'utf8').catch(() => '');
  if (anyDefault.test(routes)) return;
  await run('ip', [`-${family}`, 'route', 'replace', serviceCidr, 'dev', 'lo']).catch((error) =>
    logger.warn('no route to services', { error: String(error) }),
  );
}

const familyWord = (address: string) => ofFamily[isOfFamily(address, 6) ? 6 : 4].ip;

/** Hooks and their maps: the same for every cluster, independent of its services. */
function frame(table: string, { family, clusterCidrs, nodeIPs }: NftablesOptions, bridgesAreSeen: boolean): string {
  const elements = (list: readonly string[]) => (list.join('') ? `elements = { ${list.join(', ')} }` : '');
  const { ip, addressType, loopback } = ofFamily[family];
  const pods = clusterCidrs.find((cidr) => isOfFamily(cidr, family)) ?? '';
  const outside = bridgesAreSeen && pods ? `${ip} saddr != ${pods} ` : '';
  return `
add table ${table}
delete table ${table}
table ${table} {
  map service-ips { type ${addressType} . inet_proto . inet_service : verdict; }
  map service-nodeports { type inet_proto . inet_service : verdict; }
  map no-endpoints { type ${addressType} . inet_proto . inet_service : verdict; }
  map no-endpoint-nodeports { type inet_proto . inet_service : verdict; }
  map firewall-ips { type ${addressType} . inet_proto . inet_service : verdict; }
  set cluster-ips { type ${addressType}; }
  set announced-ips { type ${addressType}; }
  set pod-ips { type ${addressType}; flags interval; ${elements([pods])} }
  set nodeport-ips { type ${addressType}; ${elements([...new Set([...nodeIPs, ...loopback])])} }
  chain mark-for-masquerade { meta mark set meta mark or ${masqueradeMark}; }
  chain refuse { reject; }
  chain services {
    ${ip} daddr @cluster-ips ${outside}jump mark-for-masquerade
    ${ip} daddr . meta l4proto . th dport vmap @service-ips
    ${ip} daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports
  }
  chain firewall { ${ip} daddr . meta l4proto . th dport vmap @firewall-ips; }
  chain without-endpoints {
    ${ip} daddr . meta l4proto . th dport vmap @no-endpoints
    ${ip} daddr @nodeport-ips meta l4proto . th dport vmap @no-endpoint-nodeports
  }
  chain ${unallocated} { }
  chain cluster-ips-check { ${ip} daddr @cluster-ips reject; jump ${unallocated}; }
  chain nat-prerouting { type nat hook prerouting priority dstnat; policy accept; jump services; }
  chain nat-output { type nat hook output priority -100; policy accept; jump services; }
  chain nat-postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    meta mark and ${masqueradeMark} == 0 return
    meta mark set meta mark xor ${masqueradeMark}
    masquerade fully-random
  }
  chain filter-prerouting { type filter hook prerouting priority dstnat - 10; policy accept; ct state new jump firewall; ct state new jump without-endpoints; }
  chain filter-output { type filter hook output priority -90; policy accept; ct state new jump without-endpoints; ct state new jump cluster-ips-check; }
  chain filter-forward {
    type filter hook forward priority filter; policy accept;
    ${ip} saddr @pod-ips ct state invalid drop
    ${ip} daddr @pod-ips ct state invalid drop
    ct state new jump cluster-ips-check
  }
  chain filter-output-early { type filter hook output priority -110; policy accept; ct state new jump firewall; }
  chain filter-input { type filter hook input priority filter; policy accept; ${ip} daddr @announced-ips meta l4proto { tcp, udp, sctp } ct state new reject; }
}
`;
}

const shortHash = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 10);
const nameOf = (prefix: string, key: string) =>
  `${prefix}-${shortHash(key)}-${key.replace(/[^a-z0-9-]/g, '-').slice(0, 60)}`;

/** Chains of a port; those of traffic from outside exist only where it is needed. */
export const chainNames = ({ key }: Pick<ServicePort, 'key'>) => ({
  inside: nameOf('service', key),
  outside: nameOf('external', key),
  firewall: nameOf('firewall', key),
});

/** The rules of the services, as chains and elements. */
export function ruleset(
  ports: readonly ServicePort[],
  nodeIPs: readonly string[] = [],
  serviceCidrs: readonly string[] = [],
): Ruleset {
  const drops = serviceCidrs.map((range) => `${familyWord(range)} daddr ${range} drop`);
  const chains = new Map<string, readonly string[]>([[unallocated, drops]]);
  const elements = new Map<string, Map<string, string>>(
    [
      ...['service-ips', 'service-nodeports', 'no-endpoints', 'no-endpoint-nodeports'],
      ...['firewall-ips', 'cluster-ips', 'announced-ips'],
    ].map((name) => [name, new Map()]),
  );
  const affinity = new Map<string, number>();
  const put = (map: string, key: string, verdict: string) => void must(elements.get(map), map).set(key, verdict);
  for (const port of ports) {
    const at = (ip: string) => `${ip} . ${port.protocol} . ${port.port}`;
    for (const ip of port.clusterIPs) put('cluster-ips', ip, '');
    const inside = balance(port, port.endpoints, 'service', chains, affinity);
    for (const ip of port.clusterIPs)
      put(inside ? 'service-ips' : 'no-endpoints', at(ip), inside ? `goto ${inside}` : withoutEndpoints(port));
    if (port.nodePort === 0 && port.externalIPs.length === 0) continue;
    if (port.isAnnounced) for (const ip of port.balancerIPs) if (!nodeIPs.includes(ip)) put('announced-ips', ip, '');
    if (port.sourceRanges)
      for (const ip of port.balancerIPs) put('firewall-ips', at(ip), `goto ${firewall(port, nodeIPs, chains)}`);
    const outside = external(port, chains, affinity);
    for (const ip of port.externalIPs)
      put(outside ? 'service-ips' : 'no-endpoints', at(ip), outside ? `goto ${outside}` : withoutEndpoints(port));
    if (port.nodePort > 0)
      put(
        outside ? 'service-nodeports' : 'no-endpoint-nodeports',
        `${port.protocol} . ${port.nodePort}`,
        outside ? `goto ${outside}` : withoutEndpoints(port),
      );
  }
  return { chains, elements, affinity };
}

/** A policy that excludes the endpoints drops connections; without any endpoint they are refused. */
const withoutEndpoints = ({ hasAnyEndpoints }: ServicePort) => (hasAnyEndpoints ? 'drop' : 'goto refuse');

/** Drops clients that are in none of the source ranges. */
function firewall(port: ServicePort, nodeIPs: readonly string[], chains: Map<string, readonly string[]>): string {
  const name = chainNames(port).firewall;
  const ranges = port.sourceRanges ?? [];
  // A node that has the address uses it as the source for connections to it.
  const own = nodeIPs.some((ip) => isWithin(ip, ranges)) ? port.balancerIPs : [];
  // One rule for each: the ranges of a set must not overlap.
  chains.set(name, [
    ...[...ranges, ...own].map((range) => `${ofFamily[port.family].ip} saddr ${range} return`),
    'drop',
  ]);
  return name;
}

/** Traffic from outside: masqueraded, unless the service preserves the client's address. */
function external(
  port: ServicePort,
  chains: Map<string, readonly string[]>,
  affinity: Map<string, number>,
): string | undefined {
  const name = chainNames(port).outside;
  if (port.keepsClientAddress) {
    const rules = keepingAddress(port, chains, affinity);
    if (rules) chains.set(name, rules);
    return rules && name;
  }
  const target = sameEndpoints(port.endpoints, port.externalEndpoints)
    ? chainNames(port).inside
    : balance(port, port.externalEndpoints, 'local', chains, affinity);
  if (!target || port.externalEndpoints.length === 0) return undefined;
  chains.set(name, ['jump mark-for-masquerade', `goto ${target}`]);
  return name;
}

const sameEndpoints = (a: readonly Endpoint[], b: readonly Endpoint[]) => a.length === b.length;

/**
 * externalTrafficPolicy Local: clients outside reach the endpoints of this node. Pods and the node itself reach all, as
 * if they came from outside through a load balancer.
 */
function keepingAddress(
  port: ServicePort,
  chains: Map<string, readonly string[]>,
  affinity: Map<string, number>,
): string[] | undefined {
  const all = sameEndpoints(port.endpoints, port.allEndpoints)
    ? chainNames(port).inside
    : balance(port, port.allEndpoints, 'all', chains, affinity);
  if (!all || port.allEndpoints.length === 0) return undefined;
  const local = balance(port, port.externalEndpoints, 'local', chains, affinity);
  return [
    `${ofFamily[port.family].ip} saddr @pod-ips goto ${all}`,
    // A node that has the address uses it as the source.
    'fib saddr type local jump mark-for-masquerade',
    `fib saddr type local goto ${all}`,
    local ? `goto ${local}` : 'drop',
  ];
}

/** A chain that picks an endpoint; undefined when there is none. */
function balance(
  port: ServicePort,
  endpoints: readonly Endpoint[],
  prefix: string,
  chains: Map<string, readonly string[]>,
  affinity: Map<string, number>,
): string | undefined {
  if (endpoints.length === 0) return undefined;
  const name = nameOf(prefix, port.key);
  const targets = endpoints.map((endpoint) => endpointChain(port, endpoint, chains, affinity));
  const sticky =
    port.affinitySeconds > 0
      ? targets.map(
          (target) => `${ofFamily[port.family].ip} saddr @${target.replace('endpoint-', 'affinity-')} goto ${target}`,
        )
      : [];
  const pick =
    targets.length === 1
      ? `goto ${targets[0]}`
      : `numgen random mod ${targets.length} vmap { ${targets.map((target, i) => `${i} : goto ${target}`).join(', ')} }`;
  chains.set(name, [...sticky, pick]);
  return name;
}

function endpointChain(
  port: ServicePort,
  { ip, port: target }: Endpoint,
  chains: Map<string, readonly string[]>,
  affinity: Map<string, number>,
): string {
  const key = `${port.key} ${ip} ${target}`;
  const name = `endpoint-${shortHash(key)}-${ip.replaceAll(/[.:]/g, '-')}-${target}`;
  const { ip: word } = ofFamily[port.family];
  const rules = [`${word} saddr ${ip} jump mark-for-masquerade`]; // a pod that reaches itself must get answers through the node
  if (port.affinitySeconds > 0) {
    const set = name.replace('endpoint-', 'affinity-');
    affinity.set(set, port.affinitySeconds);
    rules.push(`update @${set} { ${word} saddr }`);
  }
  rules.push(`meta l4proto ${port.protocol} dnat to ${urlHost(ip)}:${target}`);
  chains.set(name, rules);
  return name;
}

/** One script for all differences: additions before their references, removals after. */
export function transaction(table: string, from: Ruleset, to: Ruleset): string {
  const lines: string[] = [];
  const addressType = table.startsWith('ip6 ') ? 'ipv6_addr' : 'ipv4_addr';
  for (const [name, seconds] of to.affinity)
    if (!from.affinity.has(name))
      lines.push(`add set ${table} ${name} { type ${addressType}; flags dynamic,timeout; timeout ${seconds}s; }`);
  const changed = [...to.chains].filter(([name, rules]) => from.chains.get(name)?.join('\n') !== rules.join('\n'));
  for (const [name] of changed) lines.push(`add chain ${table} ${name}`);
  for (const [name] of changed) if (from.chains.has(name)) lines.push(`flush chain ${table} ${name}`);
  for (const [name, rules] of changed) for (const rule of rules) lines.push(`add rule ${table} ${name} ${rule}`);
  const removed: string[] = [];
  const added: string[] = [];
  for (const [map, wanted] of to.elements) {
    const had = from.elements.get(map) ?? new Map<string, string>();
    const write = (key: string, verdict: string) => (verdict ? `${key} : ${verdict}` : key);
    for (const [key, verdict] of had)
      if (wanted.get(key) !== verdict) removed.push(`delete element ${table} ${map} { ${write(key, verdict)} }`);
    for (const [key, verdict] of wanted)
      if (had.get(key) !== verdict) added.push(`add element ${table} ${map} { ${write(key, verdict)} }`);
  }
  lines.push(...removed, ...added);
  const gone = [...from.chains.keys()].filter((name) => !to.chains.has(name));
  for (const name of gone) lines.push(`flush chain ${table} ${name}`);
  for (const name of gone) lines.push(`delete chain ${table} ${name}`);
  for (const name of from.affinity.keys()) if (!to.affinity.has(name)) lines.push(`delete set ${table} ${name}`);
  return lines.length > 0 ? `${lines.join('\n')}\n` : '';
}
