// Addresses and ports, as several kinds check them.

import {
  type Cidr,
  canonicalIpText,
  formatCidr,
  formatIp,
  isLinkLocal,
  isLinkLocalMulticast,
  isLoopback,
  isUnspecified,
  parseCidr,
  parseIp,
} from '../../machinery/ip.ts';
import { must } from '../../machinery/must.ts';
import { portNameFaults, portNumberFaults } from '../../machinery/text/names.ts';
import type { FieldError } from '../errors.ts';
import { invalidValue, invalidValues } from '../fields.ts';
import type { Rule } from './rules.ts';

const ipMessage = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';
const cidrMessage = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';

/** Parts of IPv4 addresses with leading zeros, which old parsers took for decimal numbers, lose them. */
export const withoutZeros = (text: string): string =>
  text.length > longest ? text : text.replace(/(^|[.:])0+(?=\d+(\.|\/|$))/g, '$1');
/** No text of an address is longer: the pattern above takes quadratic time. */
const longest = 256;
const isMapped = (text: string): boolean => /^::ffff:|^(0+:){5}ffff:/i.test(text) || isMappedValue(text);
const isMappedValue = (text: string): boolean => {
  const ip = parseIp(text);
  return ip?.family === 6 && ip.value >> 32n === 0xffffn;
};

const nothing: ReadonlySet<string> = new Set();

/** Addresses in fields that once took forms which are ambiguous; an address that was there before may stay. */
export function legacyIp(path: string, text: string, before = nothing): FieldError[] {
  const fault = before.has(text) ? undefined : legacyIpFault(text);
  return fault === undefined ? [] : [invalidValue(path, text, fault)];
}

function legacyIpFault(text: string): string | undefined {
  if (!parseIp(text)) return parseIp(withoutZeros(text)) ? 'must not have leading 0s' : ipMessage;
  return isMapped(text) ? 'must not be an IPv4-mapped IPv6 address' : undefined;
}

/** Addresses in one form only: the canonical one. */
export function canonicalIp(path: string, text: string): FieldError[] {
  const fault = canonicalIpFault(text);
  return fault === undefined ? [] : [invalidValue(path, text, fault)];
}

export function canonicalIpFault(text: string): string | undefined {
  const fault = legacyIpFault(text);
  if (fault !== undefined) return fault;
  const canonical = canonicalIpText(text);
  return canonical === text ? undefined : `must be in canonical form ("${canonical}")`;
}

/** The range, also where its numbers have leading zeros. */
export const parseLegacyCidr = (text: string): ReturnType<typeof parseCidr> =>
  parseCidr(text) ?? parseCidr(withoutZeros(text.replace(/\/0+(?=\d)/, '/')));

export function legacyCidr(path: string, text: string, before = nothing): FieldError[] {
  if (before.has(text)) return [];
  const cidr = parseCidr(text);
  if (!cidr) {
    const fault = parseLegacyCidr(text) ? 'must not have leading 0s in IP or prefix length' : cidrMessage;
    return [invalidValue(path, text, fault)];
  }
  if (cidr.family === 6 && cidr.address >> 32n === 0xffffn)
    return [invalidValue(path, text, 'must not have an IPv4-mapped IPv6 address')];
  return cidr.address === cidr.base
    ? []
    : [invalidValue(path, text, 'must not have bits set beyond the prefix length')];
}

export function canonicalCidr(path: string, text: string): FieldError[] {
  const errors = legacyCidr(path, text);
  const canonical = errors.length ? text : formatCidr(must(parseCidr(text), 'range'));
  return canonical === text ? errors : [invalidValue(path, text, `must be in canonical form ("${canonical}")`)];
}

/** The address of an interface, including the bits after the network prefix. */
export function canonicalInterface(path: string, text: string): FieldError[] {
  const cidr = parseCidr(text) ?? parseCidr(withoutZeros(text.replace(/\/0+(?=\d)/, '/')));
  if (!cidr)
    return [invalidValue(path, text, 'must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)')];
  const { family, address, prefix } = unmapped(cidr);
  const canonical = `${formatIp({ family, value: address })}/${prefix}`;
  return canonical === text ? [] : [invalidValue(path, text, `must be in canonical form ("${canonical}")`)];
}

/** Warnings for an address that is valid and written in an unusual way. */
export function ipWarnings(path: string, text: string): string[] {
  const ip = parseIp(text) ?? parseIp(withoutZeros(text));
  if (!ip) return [];
  if (!parseIp(text) || (ip.family === 6 && ip.value >> 32n === 0xffffn)) {
    const plain = ip.family === 6 ? formatIp({ family: 4, value: ip.value & 0xffffffffn }) : formatIp(ip);
    return [`${path}: non-standard IP address "${text}" is invalid: use "${plain}"`];
  }
  const canonical = formatIp(ip);
  return ip.family === 6 && canonical !== text
    ? [`${path}: IPv6 address "${text}" should be in RFC 5952 canonical format ("${canonical}")`]
    : [];
}

/** IPv4 addresses in the form of IPv6 are IPv4 here, and so are ranges of them. */
function unmapped(cidr: Cidr): Cidr {
  const { family, address, base, prefix } = cidr;
  if (family !== 6 || address >> 32n !== 0xffffn) return cidr;
  const low = 0xffffffffn;
  return { family: 4, address: address & low, base: base & low, prefix: prefix < 96 ? prefix : prefix - 96 };
}

/** Warnings for a range that is valid and written in an unusual way. */
export function cidrWarnings(path: string, text: string): string[] {
  const strict = parseCidr(text);
  const cidr = strict ?? parseLegacyCidr(text);
  if (!cidr) return [];
  const { family, address, base, prefix } = unmapped(cidr);
  const range = formatCidr(unmapped(cidr));
  const warnings: string[] = [];
  if (address !== base) {
    const single = `${formatIp({ family, value: address })}/${family === 4 ? 32 : 128}`;
    warnings.push(`${path}: CIDR value "${text}" is ambiguous in this context (should be "${range}" or "${single}"?)`);
  }
  if (!strict || family !== cidr.family)
    warnings.push(`${path}: non-standard CIDR value "${text}" is invalid: use "${range}"`);
  const canonical = `${formatIp({ family, value: address })}/${prefix}`;
  if (!warnings.length && family === 6 && canonical !== text)
    warnings.push(`${path}: IPv6 CIDR value "${text}" should be in RFC 5952 canonical format ("${canonical}")`);
  return warnings;
}

/** Addresses that traffic may be sent to: not unspecified, loopback or link-local. The text must be an address. */
export function forwardableIpFaults(text: string): string[] {
  const ip = parseIp(text);
  if (!ip) return [];
  const faults: string[] = [];
  if (isUnspecified(ip)) faults.push(`may not be unspecified (${text})`);
  if (isLoopback(ip)) faults.push('may not be in the loopback range (127.0.0.0/8, ::1/128)');
  if (isLinkLocal(ip)) faults.push('may not be in the link-local range (169.254.0.0/16, fe80::/10)');
  if (isLinkLocalMulticast(ip)) faults.push('may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)');
  return faults;
}

/** A port by number or by name. */
export const validatePortNumberOrName = (path: string, port: number | string): FieldError[] =>
  invalidValues(path, port, typeof port === 'number' ? portNumberFaults(port) : portNameFaults(port));

export const portNumber: Rule = (port: number | undefined = 0, path) =>
  invalidValues(path, port, portNumberFaults(port));

interface Balanced {
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string }[] } };
}

/** Warnings about addresses that a load balancer reported. */
export const ingressAddressWarnings = ({ status }: Balanced): string[] =>
  (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }, i) =>
    ip ? ipWarnings(`status.loadBalancer.ingress[${i}]`, ip) : [],
  );
