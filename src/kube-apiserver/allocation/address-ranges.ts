// The ranges that services get their addresses from: that of the configuration, and those of ready ServiceCIDRs.
// https://kubernetes.io/docs/concepts/services-networking/cluster-ip-allocation/

import { type ApiObject, conditionOf, type ServiceCIDR } from '../../api/api.ts';
import {
  type Cidr,
  cidrContains,
  cidrHasHost,
  cidrSize,
  formatCidr,
  type Ip,
  nthAddress,
  parseCidr,
  parseIp,
} from '../../machinery/ip.ts';
import type { Random } from '../../machinery/random.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { Following } from '../watch-cache/following.ts';
import type { ResourceCache } from '../watch-cache/resource-cache.ts';
import type { RangeUsage } from './allocators.ts';
import { type Index, Pool, reservedOf } from './pool.ts';

interface Options {
  readonly random: Random;
  readonly clock: Clock;
  readonly stopping?: AbortSignal;
  ranges?: (() => Promise<ResourceCache>) | undefined;
}

interface Range {
  readonly cidr: Cidr;
  readonly pool: Pool;
}

/** Of larger ranges (IPv6) addresses are drawn from the first part only, whose numbers are exact. */
const largest = 1n << 48n;

/** Ranges may overlap: an address is taken in all of them. */
export class AddressRanges {
  readonly #family: 4 | 6;
  readonly #random: Random;
  /** By their texts, that of the configuration first. */
  readonly #ranges = new Map<string, Range>();
  /** That of the configuration. */
  readonly configured: string;
  /** How many services have an address: for ranges that are added later. */
  readonly #held = new Map<string, { readonly ip: Ip | undefined; count: number }>();
  readonly #following: Following | undefined;

  constructor(configured: Cidr, options: Options) {
    this.#family = configured.family;
    this.#random = options.random;
    this.configured = formatCidr(configured);
    this.#add(this.configured, configured);
    const { ranges } = options;
    this.#following =
      ranges &&
      new Following(ranges, { reset: (cache) => this.#follow(cache), event: () => void this.#refresh() }, options);
  }

  #cache: ResourceCache | undefined;

  ready(): Promise<void> {
    return this.#following?.ready() ?? Promise.resolve();
  }

  usage(): readonly RangeUsage[] {
    return [...this.#ranges].map(([cidr, { pool }]) => ({ kind: 'address', cidr, size: pool.size, used: pool.used }));
  }

  /** The range that an address is in; undefined when it is in none. */
  rangeOf(address: string): string | undefined {
    const ip = parseIp(address);
    return ip && [...this.#ranges].find(([, { cidr }]) => cidrContains(cidr, ip))?.[0];
  }

  /** Whether services may have the address: the ends of a range are not for them. */
  offers(address: string): boolean {
    return this.#placesOf(address).length > 0;
  }

  /** The base of the configured range, which no service gets. */
  get first(): string {
    return this.configured.replace(/\/.*/, '');
  }

  has(address: string): boolean {
    return this.#placesOf(address).some(([pool, index]) => pool.has(index));
  }

  /** For a service that has the address. */
  hold(address: string): void {
    const held = this.#held.get(address);
    if (held) held.count++;
    else this.#held.set(address, { ip: parseIp(address), count: 1 });
    for (const [pool, index] of this.#placesOf(address)) pool.hold(index);
  }

  drop(address: string): void {
    const held = this.#held.get(address);
    if (held && --held.count === 0) this.#held.delete(address);
    for (const [pool, index] of this.#placesOf(address)) pool.drop(index);
  }

  /** For a write in progress. */
  book(address: string): void {
    for (const [pool, index] of this.#placesOf(address)) pool.book(index);
  }

  cancel(address: string): void {
    for (const [pool, index] of this.#placesOf(address)) pool.cancel(index);
  }

  /** Drops all addresses that services hold. */
  reset(): void {
    this.#held.clear();
    for (const { pool } of this.#ranges.values()) pool.reset();
  }

  /** Books a free address; undefined when there is none. */
  draw(): string | undefined {
    for (const { cidr, pool } of this.#ranges.values()) {
      const index = pool.draw();
      if (index === undefined) continue;
      const address = nthAddress(cidr, index);
      pool.cancel(index);
      this.book(address);
      return address;
    }
    return undefined;
  }

  #placesOf(address: string): (readonly [pool: Pool, index: Index])[] {
    const ip = parseIp(address);
    if (!ip) return [];
    return [...this.#ranges.values()].flatMap(({ cidr, pool }) => {
      if (!cidrHasHost(cidr, ip)) return [];
      return [[pool, indexOf(cidr, ip)] as const];
    });
  }

  #follow(cache: ResourceCache): void {
    this.#cache = cache;
    this.#refresh();
  }

  #refresh(): void {
    const cache = this.#cache;
    if (!cache) return;
    const wanted = new Map<string, Cidr>();
    const { prefix } = cache;
    cache.tree.forEach(prefix, `${prefix.slice(0, -1)}0`, ({ object }) => {
      for (const { text, cidr } of usable(object)) if (cidr.family === this.#family) wanted.set(text, cidr);
    });
    for (const text of this.#ranges.keys())
      if (text !== this.configured && !wanted.has(text)) this.#ranges.delete(text);
    for (const [text, cidr] of wanted) if (!this.#ranges.has(text)) this.#add(text, cidr);
  }

  #add(text: string, cidr: Cidr): void {
    const size = Number(cidrSize(cidr) > largest ? largest : cidrSize(cidr));
    const pool = new Pool(size, reservedOf(size, 16, 256), this.#random);
    pool.book(0);
    if (cidr.family === 4) pool.book(size - 1);
    for (const { ip, count } of this.#held.values()) {
      if (!ip || !cidrContains(cidr, ip)) continue;
      for (let i = 0; i < count; i++) pool.hold(indexOf(cidr, ip));
    }
    this.#ranges.set(text, { cidr, pool });
  }
}

function indexOf(cidr: Cidr, ip: Ip): Index {
  const index = ip.value - cidr.base;
  return index < largest ? Number(index) : index;
}

interface NamedCidr {
  readonly text: string;
  readonly cidr: Cidr;
}
const parsed = new WeakMap<ApiObject, readonly NamedCidr[]>();

/** The ranges of an object are parsed once: each change of one looks at all. */
function usable(object: ApiObject): readonly NamedCidr[] {
  let ranges = parsed.get(object);
  if (!ranges) parsed.set(object, (ranges = usableCidrs(object).map((cidr) => ({ text: formatCidr(cidr), cidr }))));
  return ranges;
}

/**
 * A range that is being deleted gives no more addresses. One without the condition does, as in Kubernetes: there may be
 * no controller that sets it.
 */
function usableCidrs(object: ApiObject): Cidr[] {
  const range = object as ServiceCIDR & ApiObject;
  if (range.metadata.deletionTimestamp || (conditionOf(range, 'Ready')?.status ?? 'True') !== 'True') return [];
  return (range.spec?.cidrs ?? []).flatMap((text) => parseCidr(text) ?? []);
}
