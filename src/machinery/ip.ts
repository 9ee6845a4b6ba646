// IP addresses, CIDRs and ranges, without sockets.

import { must } from './must.ts';

export interface Ip {
  readonly family: 4 | 6;
  readonly value: bigint;
}

export interface Cidr {
  readonly family: 4 | 6;
  /** First address: the host bits are zero. */
  readonly base: bigint;
  readonly prefix: number;
  /** The address as written, host bits included. */
  readonly address: bigint;
}

/** Characters of the longest address: six groups and an IPv4 address. */
const longest = 45;

/** The address, undefined when the text is none. IPv4 parts with leading zeros are refused (RFC 6943, section 3.1.1). */
export function parseIp(text: string): Ip | undefined {
  if (text.length > longest) return undefined;
  if (text.includes(':')) {
    const value = parseV6(text);
    return value === undefined ? undefined : { family: 6, value };
  }
  const value = parseV4(text);
  return value === undefined ? undefined : { family: 4, value };
}

function parseV4(text: string): bigint | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || parts.some((part) => !/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255))
    return undefined;
  return parts.reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}

function parseV6(text: string): bigint | undefined {
  if (text.includes('%')) return undefined;
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')));
  const last = groups[groups.length - 1];
  const tail = last[last.length - 1];
  if (tail?.includes('.')) {
    const v4 = parseV4(tail);
    if (v4 === undefined) return undefined;
    last.splice(-1, 1, (v4 >> 16n).toString(16), (v4 & 0xffffn).toString(16));
  }
  const all = groups.flat();
  if (all.some((group) => !/^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  if (halves.length === 1 ? all.length !== 8 : all.length > 7) return undefined;
  const filled = halves.length === 1 ? all : [...groups[0], ...Array<string>(8 - all.length).fill('0'), ...groups[1]];
  return filled.reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n);
}

/** The canonical text (RFC 5952 for IPv6). */
export function formatIp({ family, value }: Ip): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
  // ::ffff:1.2.3.4 is an IPv4 address in IPv6 form, and written so.
  if (value >> 32n === 0xffffn) return `::ffff:${formatIp({ family: 4, value: value & 0xffffffffn })}`;
  const groups = Array.from({ length: 8 }, (_, i) => ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16));
  let best = { start: -1, length: 1 };
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && groups[i + length] === '0') length++;
    if (length > best.length) best = { start: i, length };
    i += length;
  }
  if (best.start < 0) return groups.join(':');
  return `${groups.slice(0, best.start).join(':')}::${groups.slice(best.start + best.length).join(':')}`;
}

export function parseCidr(text: string): Cidr | undefined {
  const match = /^(.+)\/(0|[1-9]\d{0,2})$/.exec(text);
  const ip = match && parseIp(match[1]);
  if (!match || !ip) return undefined;
  const bits = ip.family === 4 ? 32 : 128;
  const prefix = Number(match[2]);
  if (prefix > bits) return undefined;
  const host = (1n << BigInt(bits - prefix)) - 1n;
  return { family: ip.family, base: ip.value & ~host, prefix, address: ip.value };
}

/** CIDRs with commas between them; undefined when one of them is none. */
export function parseCidrs(text: string): readonly Cidr[] | undefined {
  const cidrs = text.split(',').flatMap((part) => parseCidr(part) ?? []);
  return cidrs.length === text.split(',').length ? cidrs : undefined;
}

export const formatCidr = ({ family, base, prefix }: Cidr): string => `${formatIp({ family, value: base })}/${prefix}`;

/** An address as the host of a URL. */
export const urlHost = (address: string): string => (address.includes(':') ? `[${address}]` : address);

/** How many addresses a CIDR has, network and broadcast included. */
export const cidrSize = ({ family, prefix }: Cidr): bigint => 1n << BigInt((family === 4 ? 32 : 128) - prefix);

export function cidrContains(cidr: Cidr, ip: Ip): boolean {
  return cidr.family === ip.family && ip.value >= cidr.base && ip.value < cidr.base + cidrSize(cidr);
}

/** Whether a host may have the address: not the first one of the CIDR, nor, of IPv4, the last one (broadcast). */
export const cidrHasHost = (cidr: Cidr, ip: Ip): boolean =>
  cidrContains(cidr, ip) &&
  ip.value !== cidr.base &&
  (cidr.family === 6 || ip.value !== cidr.base + cidrSize(cidr) - 1n);

export const cidrsOverlap = (a: Cidr, b: Cidr): boolean =>
  a.family === b.family && a.base < b.base + cidrSize(b) && b.base < a.base + cidrSize(a);

/** The `index`th address of a CIDR, 0 being its base. */
export const nthAddress = (cidr: Cidr, index: bigint | number): string =>
  formatIp({ family: cidr.family, value: cidr.base + BigInt(index) });

/** The `index`th subnet of `prefix` bits inside a CIDR, undefined beyond its end. */
export function nthSubnet(cidr: Cidr, prefix: number, index: number): Cidr | undefined {
  const bits = cidr.family === 4 ? 32 : 128;
  const base = cidr.base + (BigInt(index) << BigInt(bits - prefix));
  if (base >= cidr.base + cidrSize(cidr)) return undefined;
  return { family: cidr.family, base, prefix, address: base };
}

const inV4 = (cidr: string) => {
  const parsed = must(parseCidr(cidr), cidr);
  return (ip: Ip) => cidrContains(parsed, ip);
};
const loopback4 = inV4('127.0.0.0/8');
const linkLocal4 = inV4('169.254.0.0/16');
const linkLocalMulticast4 = inV4('224.0.0.0/24');
const linkLocal6 = inV4('fe80::/10');
const linkLocalMulticast6 = inV4('ff02::/16');

export const isLoopback = (ip: Ip): boolean => loopback4(ip) || (ip.family === 6 && ip.value === 1n);
export const isUnspecified = (ip: Ip): boolean => ip.value === 0n;
export const isLinkLocal = (ip: Ip): boolean => linkLocal4(ip) || linkLocal6(ip);
export const isLinkLocalMulticast = (ip: Ip): boolean => linkLocalMulticast4(ip) || linkLocalMulticast6(ip);

/** Both ends belong to it. */
export interface IpRange {
  readonly family: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
}

/** From a CIDR, or from two addresses with a dash between. */
export function parseIpRange(text: string): IpRange | undefined {
  const cidr = parseCidr(text);
  if (cidr) return { family: cidr.family, first: cidr.base, last: cidr.base + cidrSize(cidr) - 1n };
  const [from, to, more] = text.split('-');
  const first = parseIp(from.trim());
  const last = parseIp((to ?? '').trim());
  if (!first || !last || more !== undefined || first.family !== last.family || first.value > last.value)
    return undefined;
  return { family: first.family, first: first.value, last: last.value };
}

export const rangeContains = ({ family, first, last }: IpRange, ip: Ip): boolean =>
  ip.family === family && ip.value >= first && ip.value <= last;

export const rangesOverlap = (a: IpRange, b: IpRange): boolean =>
  a.family === b.family && a.first <= b.last && b.first <= a.last;

/** The canonical form of an address; a text that is no address stays as it is. */
export function canonicalIpText(text: string): string {
  const ip = parseIp(text);
  return ip ? formatIp(ip) : text;
}

/** The canonical form of a range; a text that is no range stays as it is. */
export function canonicalCidrText(text: string): string {
  const cidr = parseCidr(text);
  return cidr ? formatCidr(cidr) : text;
}

/** The family of an address or a range that is valid. */
export const familyOf = (text: string): 4 | 6 => (text.includes(':') ? 6 : 4);
