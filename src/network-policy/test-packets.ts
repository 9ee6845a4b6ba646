// Runs the rules of a Ruleset on a packet, for tests without a kernel. It reads the expressions that nftables.ts
// writes, and rejects all others.

import { parseIp } from '../machinery/ip.ts';
import { must } from '../machinery/must.ts';
import type { Ruleset } from './nftables.ts';
import type { Protocol } from './permissions.ts';

/** The first packet of a connection. */
export interface Packet {
  readonly from: string;
  readonly to: string;
  readonly protocol: Protocol | 'icmp';
  readonly port: number;
  /** The destination before DNAT. */
  readonly original?: { readonly address: string; readonly port: number };
}

type Verdict = 'accept' | 'drop' | undefined;

export function passes(rules: Ruleset, packet: Packet): boolean {
  const bases = [...rules.chains].filter(([, { hook }]) => hook !== undefined);
  const priority = ([, { hook = '' }]: (typeof bases)[number]) => Number(/priority (-?\d+)/.exec(hook)?.[1]);
  return bases
    .toSorted((a, b) => priority(a) - priority(b))
    .every(([name]) => runChain(rules, name, packet) !== 'drop');
}

function runChain(rules: Ruleset, name: string, packet: Packet): Verdict {
  for (const rule of must(rules.chains.get(name), name).rules) {
    const verdict = rest(rules, rule.trim(), packet);
    if (verdict === 'end') return undefined;
    if (verdict) return verdict;
  }
  return undefined;
}

type Step = readonly [RegExp, (found: RegExpExecArray) => boolean];

function rest(rules: Ruleset, text: string, packet: Packet): Verdict | 'end' {
  if (text === 'accept' || text === 'drop') return text;
  const jump = /^(jump|goto) (\S+)$/.exec(text);
  if (jump) return runChain(rules, jump[2], packet) ?? (jump[1] === 'goto' ? 'end' : undefined);
  const { family } = must(parseIp(packet.from), packet.from);
  const isOf = (ip: string) => (ip === 'ip') === (family === 4);
  const address = (side: string) => (side === 'saddr' ? packet.from : packet.to);
  const vmap = /^(ip6?) (saddr|daddr) vmap @(\S+)$/.exec(text);
  if (vmap) {
    const verdict = isOf(vmap[1]) && must(rules.sets.get(vmap[3]), vmap[3]).elements.get(address(vmap[2]));
    return verdict ? rest(rules, verdict, packet) : undefined;
  }
  const steps: readonly Step[] = [
    [/^ct state established,related /, () => false],
    [/^icmpv6 type \{[^}]*\} /, () => false],
    [/^iifname "[^"]*" oifname "[^"]*" /, () => true],
    [/^fib daddr type \{ broadcast, multicast \} /, () => /^(22[4-9]|23\d|255)\.|^ff/.test(packet.to)],
    [
      /^(ip6?) saddr \. \1 daddr @(\S+) /,
      ([, ip, set]) => isOf(ip) && has(rules, set, `${packet.from} . ${packet.to}`),
    ],
    [
      /^(ip6?) daddr \. (\w+) dport @(\S+) /,
      ([, ip, protocol, set]) =>
        isOf(ip) && packet.protocol === protocol && has(rules, set, `${packet.to} . ${packet.port}`),
    ],
    [/^(ip6?) (saddr|daddr) != @(\S+) /, ([, ip, side, set]) => isOf(ip) && !has(rules, set, address(side))],
    [/^(ip6?) (saddr|daddr) @(\S+) /, ([, ip, side, set]) => isOf(ip) && has(rules, set, address(side))],
    [/^(ip6?) (saddr|daddr) != (\S+) /, ([, ip, side, cidr]) => isOf(ip) && !isInCidr(cidr, address(side))],
    [/^(ip6?) (saddr|daddr) ([^@\s]+) /, ([, ip, side, cidr]) => isOf(ip) && isInCidr(cidr, address(side))],
    [/^meta l4proto (\w+) /, ([, protocol]) => packet.protocol === protocol],
    [
      /^(\w+) dport \{ ([^}]*) \} /,
      ([, protocol, ports]) => packet.protocol === protocol && ports.split(', ').some((p) => isInPorts(p, packet.port)),
    ],
    [/^ct original ip6? daddr (\S+) /, ([, daddr]) => packet.original?.address === daddr],
    [/^ct original proto-dst (\d+) /, ([, port]) => packet.original?.port === Number(port)],
  ];
  for (const [pattern, matches] of steps) {
    const found = pattern.exec(text);
    if (found) return matches(found) ? rest(rules, text.slice(found[0].length), packet) : undefined;
  }
  throw new Error(`test-packets.ts does not know the expression: ${text}`);
}

const numberOf = (address: string) => must(parseIp(address), address).value;

function has(rules: Ruleset, set: string, element: string): boolean {
  const { elements } = must(rules.sets.get(set), set);
  if (elements.has(element)) return true;
  return [...elements.keys()].some((range) => {
    const [first, last] = range.split('-');
    return last !== undefined && numberOf(first) <= numberOf(element) && numberOf(element) <= numberOf(last);
  });
}

function isInPorts(range: string, port: number): boolean {
  const [first, last = first] = range.split('-').map(Number);
  return first <= port && port <= last;
}

function isInCidr(cidr: string, address: string): boolean {
  const [base, prefix] = cidr.split('/');
  const ip = must(parseIp(base), base);
  if (ip.family !== must(parseIp(address), address).family) return false;
  const bits = BigInt((ip.family === 4 ? 32 : 128) - Number(prefix));
  return ip.value >> bits === numberOf(address) >> bits;
}
