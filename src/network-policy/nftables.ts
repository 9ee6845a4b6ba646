// The isolation of a node's pods as nftables rules. Both directions have a chain at the forward hook, after DNAT and
// before masquerading, so rules see pods' own addresses and ports. Traffic of the node itself has other hooks.

import { createHash } from 'node:crypto';
import { familyOf } from '../machinery/ip.ts';
import { finish, type Steps } from '../machinery/time/steps.ts';
import type { AddressRange } from './address-ranges.ts';
import type { Direction, Isolation, Peer, Permission, PortMatch } from './permissions.ts';

type Family = 4 | 6;

/** Of one line for nft, too. */
const elementsPerStep = 5_000;

interface NamedSet {
  /** set, or map. */
  readonly declaration: string;
  /** With the verdict of each, if it is a map. */
  readonly elements: ReadonlyMap<string, string>;
}

interface Chain {
  /** Of a base chain. */
  readonly hook?: string;
  readonly rules: readonly string[];
}

/** The desired contents of a table. */
export interface Ruleset {
  readonly sets: ReadonlyMap<string, NamedSet>;
  readonly chains: ReadonlyMap<string, Chain>;
}

export const emptyRuleset: Ruleset = { sets: new Map(), chains: new Map() };

export interface Site {
  /** Devices that connect the pods of the node. */
  readonly devices: readonly string[];
  /** Ranges of the node's pods. */
  readonly nodeCidrs: readonly string[];
  /** Ranges of the cluster's pods. */
  readonly clusterCidrs: readonly string[];
  /** Addresses of the service of cluster DNS. */
  readonly dnsAddresses: readonly string[];
}

const families: readonly Family[] = [4, 6];
const ip = (family: Family) => (family === 4 ? 'ip' : 'ip6');
const addressType = (family: Family) => (family === 4 ? 'ipv4_addr' : 'ipv6_addr');
const hashOf = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 16);
const elementsOf = (keys: Iterable<string>): Map<string, string> => new Map([...keys].map((key) => [key, '']));
/** The side of the peer, and that of the isolated pod. */
const sides = { ingress: { peer: 'saddr', pod: 'daddr' }, egress: { peer: 'daddr', pod: 'saddr' } } as const;

/** Egress is judged first; both must permit. Other tables judge at priority filter (0). */
const priorities: Readonly<Record<Direction, number>> = { egress: -12, ingress: -11 };

export const ruleset = (isolation: Isolation, site: Site): Ruleset => finish(rulesetOf(isolation, site));

export function* rulesetOf(isolation: Isolation, site: Site): Steps<Ruleset> {
  const builder = new Builder(isolation);
  builder.frame(site);
  for (const direction of ['egress', 'ingress'] as const) yield* builder.judge(direction);
  return builder;
}

class Builder implements Ruleset {
  readonly sets = new Map<string, NamedSet>();
  readonly chains = new Map<string, Chain>();
  readonly #isolation: Isolation;

  constructor(isolation: Isolation) {
    this.#isolation = isolation;
  }

  frame({ devices, nodeCidrs, clusterCidrs, dnsAddresses }: Site): void {
    const { ownAddresses, isolated, awaitsAddress } = this.#isolation;
    const own = [...ownAddresses];
    const bridged = devices.map((device) => `iifname "${device}" oifname "${device}"`);
    for (const family of families) {
      const ofFamily = (text: string) => familyOf(text) === family;
      const both = [...new Set([...isolated.ingress.keys(), ...isolated.egress.keys()])].filter(ofFamily);
      const pairs = both.map((address) => `${address} . ${address}`);
      this.#set(`itself-${family}`, `${addressType(family)} . ${addressType(family)}`, pairs);
      this.#set(`own-${family}`, addressType(family), own.filter(ofFamily));
    }
    this.chains.set('always', {
      rules: [
        'ct state established,related accept',
        'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, nd-router-advert } accept',
        ...families.map((family) => `${ip(family)} saddr . ${ip(family)} daddr @itself-${family} accept`),
      ],
    });
    // Rules know pods by their addresses: a pod must not reach another one by an address that is not its own.
    this.chains.set('indirect', {
      rules: bridged.flatMap((match) => [
        `${match} fib daddr type { broadcast, multicast } drop`,
        `${match} ip6 daddr fe80::/10 drop`,
      ]),
    });
    // A pod that starts has no rules before its address is in the API.
    const unknown = (side: 'saddr' | 'daddr') =>
      nodeCidrs.map((cidr) => {
        const family = familyOf(cidr);
        return `${ip(family)} ${side} ${cidr} ${ip(family)} ${side} != @own-${family} drop`;
      });
    this.chains.set('starting', { rules: awaitsAddress ? [...unknown('saddr'), ...unknown('daddr')] : [] });
    // Cluster DNS that runs beside the nodes, as a part of them: pods always reach their node.
    this.chains.set('node-services', {
      rules: dnsAddresses.flatMap((address) => {
        const family = ip(familyOf(address));
        const outside = clusterCidrs.filter((cidr) => familyOf(cidr) === familyOf(address));
        const noPod = outside.map((cidr) => ` ${family} daddr != ${cidr}`).join('');
        return ['udp', 'tcp'].map(
          (protocol) =>
            `meta l4proto ${protocol} ct original ${family} daddr ${address} ct original proto-dst 53${noPod} accept`,
        );
      }),
    });
  }

  *judge(direction: Direction): Steps<void> {
    const { isolated, permissions } = this.#isolation;
    for (const [policy, permitted] of permissions[direction])
      this.chains.set(policyChain(direction, policy), { rules: yield* this.#rules(direction, permitted) });
    const verdicts = { 4: new Map<string, string>(), 6: new Map<string, string>() };
    for (const [address, policies] of isolated[direction]) {
      yield;
      const name = `${direction}-pods-${hashOf(policies.join(' '))}`;
      if (!this.chains.has(name))
        this.chains.set(name, { rules: [...policies.map((key) => `jump ${policyChain(direction, key)}`), 'drop'] });
      verdicts[familyOf(address)].set(address, `goto ${name}`);
    }
    for (const family of families)
      this.sets.set(`${direction}-${family}`, {
        declaration: `map { type ${addressType(family)} : verdict; }`,
        elements: verdicts[family],
      });
    this.chains.set(direction, {
      hook: `type filter hook forward priority ${priorities[direction]}; policy accept;`,
      rules: [
        'jump always',
        ...(direction === 'egress' ? ['jump indirect', 'jump starting', 'jump node-services'] : []),
        ...families.map((family) => `${ip(family)} ${sides[direction].pod} vmap @${direction}-${family}`),
      ],
    });
  }

  *#rules(direction: Direction, permissions: readonly Permission[]): Steps<string[]> {
    const rules: string[] = [];
    for (const { peers, ports } of permissions)
      for (const peer of peers) {
        yield;
        const from = { 4: yield* this.#peer(direction, peer, 4), 6: yield* this.#peer(direction, peer, 6) };
        for (const port of ports) {
          // A rule without addresses is for both families.
          const both = peer.kind === 'any' && port.kind !== 'named';
          for (const family of both ? [undefined] : families) {
            const to = this.#port(port, family);
            const parts = [family ? from[family] : '', to, 'accept'];
            if (!parts.includes(undefined)) rules.push(parts.filter((part) => part !== '').join(' '));
          }
        }
      }
    return rules;
  }

  /** Undefined: no packet matches. */
  *#peer(direction: Direction, peer: Peer, family: Family): Steps<string | undefined> {
    if (peer.kind === 'any') return '';
    const set = peer.kind === 'pods' ? this.#podSet(peer.key, family) : yield* this.#blockSet(peer.ranges, family);
    return set && `${ip(family)} ${sides[direction].peer} @${set}`;
  }

  #podSet(key: string, family: Family): string {
    return this.#shared(`pods-${hashOf(key)}-${family}`, addressType(family), () =>
      [...(this.#isolation.peers.get(key) ?? [])].filter((address) => familyOf(address) === family),
    );
  }

  *#blockSet(ranges: readonly AddressRange[], family: Family): Steps<string | undefined> {
    const elements = new Map<string, string>();
    const hash = createHash('sha256');
    for (const range of ranges) {
      if (range.family !== family) continue;
      const element = range.first === range.last ? range.first : `${range.first}-${range.last}`;
      hash.update(elements.size > 0 ? `,${element}` : element);
      elements.set(element, '');
      if (elements.size % elementsPerStep === 0) yield;
    }
    if (elements.size === 0) return undefined;
    const name = `block-${hash.digest('hex').slice(0, 16)}`;
    if (!this.sets.has(name))
      this.sets.set(name, { declaration: `set { type ${addressType(family)}; flags interval; }`, elements });
    return name;
  }

  #portSet(key: string, family: Family): string {
    return this.#shared(`ports-${hashOf(key)}-${family}`, `${addressType(family)} . inet_service`, () =>
      (this.#isolation.namedPorts.get(key) ?? [])
        .filter(({ address }) => familyOf(address) === family)
        .map(({ address, port }) => `${address} . ${port}`),
    );
  }

  #port(port: PortMatch, family: Family | undefined): string | undefined {
    switch (port.kind) {
      case 'any':
        return '';
      case 'protocol':
        return `meta l4proto ${port.protocol}`;
      case 'ranges': {
        const ranges = port.ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`));
        return `${port.protocol} dport { ${ranges.join(', ')} }`;
      }
      case 'named':
        return family && `${ip(family)} daddr . ${port.protocol} dport @${this.#portSet(port.key, family)}`;
    }
  }

  /** The name of a set that several rules may use. */
  #shared(name: string, type: string, elements: () => Iterable<string>): string {
    if (!this.sets.has(name)) this.#set(name, type, elements());
    return name;
  }

  #set(name: string, type: string, elements: Iterable<string>): void {
    this.sets.set(name, { declaration: `set { type ${type}; }`, elements: elementsOf(elements) });
  }
}

const policyChain = (direction: Direction, policy: string): string =>
  `${direction}-policy-${hashOf(policy)}-${policy.replace(/[^a-z0-9-]/g, '-').slice(0, 60)}`;

/** One script for all differences; empty when there is none. */
export const transaction = (table: string, from: Ruleset, to: Ruleset): string => finish(changesOf(table, from, to));

export function* changesOf(table: string, from: Ruleset, to: Ruleset): Steps<string> {
  const lines: string[] = [];
  for (const [name, { declaration }] of to.sets) {
    const [kind, ...rest] = declaration.split(' ');
    if (!from.sets.has(name)) lines.push(`add ${kind} ${table} ${name} ${rest.join(' ')}`);
  }
  const changed: [string, Chain][] = [];
  for (const [name, chain] of to.chains) {
    if (from.chains.get(name)?.rules.join('\n') !== chain.rules.join('\n')) changed.push([name, chain]);
    yield;
  }
  for (const [name, { hook }] of changed)
    if (from.chains.has(name)) lines.push(`flush chain ${table} ${name}`);
    else lines.push(`add chain ${table} ${name}${hook ? ` { ${hook} }` : ''}`);
  for (const [name, { rules }] of changed) for (const rule of rules) lines.push(`add rule ${table} ${name} ${rule}`);
  for (const [name, { elements }] of to.sets) {
    yield* changedElements(table, name, from.sets.get(name)?.elements ?? new Map(), elements, lines);
    yield;
  }
  const gone = [...from.chains.keys()].filter((name) => !to.chains.has(name));
  for (const name of gone) lines.push(`flush chain ${table} ${name}`);
  for (const name of gone) lines.push(`delete chain ${table} ${name}`);
  for (const [name, { declaration }] of from.sets)
    if (!to.sets.has(name)) lines.push(`delete ${declaration.split(' ')[0]} ${table} ${name}`);
  return lines.length > 0 ? `${lines.join('\n')}\n` : '';
}

function* changedElements(
  table: string,
  name: string,
  from: ReadonlyMap<string, string>,
  to: ReadonlyMap<string, string>,
  lines: string[],
): Steps<void> {
  for (const [verb, before, after] of [
    ['delete', to, from],
    ['add', from, to],
  ] as const) {
    let elements: string[] = [];
    const flush = () => {
      if (elements.length > 0) lines.push(`${verb} element ${table} ${name} { ${elements.join(', ')} }`);
      elements = [];
    };
    for (const [key, verdict] of after) {
      if (before.get(key) === verdict) continue;
      elements.push(verb === 'add' && verdict ? `${key} : ${verdict}` : key);
      if (elements.length < elementsPerStep) continue;
      flush();
      yield;
    }
    flush();
  }
}
