// Allocates addresses of the node's pod ranges. The sandboxes hold the state: after a restart each reserves its
// addresses.

import { isIPv6 } from 'node:net';
import { RuntimeError } from '../runtime-error.ts';

interface Range {
  readonly cidr: string;
  readonly family: 4 | 6;
  readonly prefix: number;
  readonly base: bigint;
  /** Offsets from `base` that pods may have; 0 is the network and 1 the gateway. */
  readonly last: number;
  readonly used: Set<number>;
  next: number;
}

/** More than a node ever has; keeps the offsets of wide IPv6 ranges small numbers. */
const mostAddresses = 2 ** 20;

export class PodAddresses {
  readonly #ranges: Range[];

  /** Ranges in CIDR notation, the primary family first. Throws RuntimeError('sandbox') for one that is none. */
  constructor(cidrs: readonly string[]) {
    this.#ranges = cidrs.map(parseRange);
  }

  /** One address per range, in rotation, so that an address is reused as late as possible. */
  allocate(): string[] {
    return this.#ranges.map((range) => {
      for (let tries = 2; tries <= range.last; tries++) {
        const offset = range.next;
        range.next = offset >= range.last ? 2 : offset + 1;
        if (range.used.has(offset)) continue;
        range.used.add(offset);
        return format(range, offset);
      }
      throw new RuntimeError('sandbox', `no IP addresses available in range set: ${range.cidr}`);
    });
  }

  /** Marks addresses found in use; those of other ranges are ignored. */
  reserve(ips: readonly string[]): void {
    this.#each(ips, (range, offset) => {
      range.used.add(offset);
      range.next = offset >= range.last ? 2 : offset + 1;
    });
  }

  release(ips: readonly string[]): void {
    this.#each(ips, (range, offset) => range.used.delete(offset));
  }

  /** The bridge's address in each range, which is the pods' default route. */
  get gateways(): readonly { family: 4 | 6; address: string; prefix: number; cidr: string }[] {
    return this.#ranges.map((range) => ({
      family: range.family,
      address: format(range, 1),
      prefix: range.prefix,
      cidr: range.cidr,
    }));
  }

  #each(ips: readonly string[], visit: (range: Range, offset: number) => void): void {
    for (const ip of ips)
      for (const range of this.#ranges) {
        if (range.family !== (isIPv6(ip) ? 6 : 4)) continue;
        const offset = parseAddress(ip) - range.base;
        if (offset >= 2n && offset <= BigInt(range.last)) visit(range, Number(offset));
      }
  }
}

function parseRange(cidr: string): Range {
  const [address, length] = cidr.split('/');
  const family = isIPv6(address) ? 6 : 4;
  const bits = family === 6 ? 128 : 32;
  const prefix = Number(length);
  if (!(prefix >= 0 && prefix <= bits - 2))
    throw new RuntimeError('sandbox', `invalid pod CIDR ${JSON.stringify(cidr)}`);
  const size = 1n << BigInt(bits - prefix);
  const base = parseAddress(address) & ~(size - 1n);
  // IPv4 has a broadcast address at the end of the range; IPv6 has none.
  const last = size > BigInt(mostAddresses) ? mostAddresses : Number(size) - (family === 4 ? 2 : 1);
  return { cidr: `${address}/${prefix}`, family, prefix, base, last, used: new Set(), next: 2 };
}

function parseAddress(ip: string): bigint {
  if (!isIPv6(ip)) return ip.split('.').reduce((sum, octet) => (sum << 8n) | BigInt(octet), 0n);
  const [head, tail] = ip.split('::').map((half) => (half ? half.split(':') : []));
  const groups = tail ? [...head, ...Array(8 - head.length - tail.length).fill('0'), ...tail] : head;
  return groups.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}

function format(range: Range, offset: number): string {
  const value = range.base + BigInt(offset);
  if (range.family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
  const groups = Array.from({ length: 8 }, (_, i) => ((value >> BigInt(16 * (7 - i))) & 0xffffn).toString(16));
  // The URL parser writes an IPv6 address in its canonical form (RFC 5952).
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}
