// Addresses and ports, as several kinds check them.

import {
  isLinkLocal,
  isLinkLocalMulticast,
  isLoopback,
  isUnspecified,
  parseCidr,
  parseIp,
} from '../../machinery/ip.ts';
import { portNameFaults, portNumberFaults } from '../../machinery/names.ts';
import type { FieldError } from '../errors.ts';
import { invalidValue, invalidValues } from '../fields.ts';

export const ipMessage = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';
export const cidrMessage = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';

export const validateCidr = (path: string, text: string): FieldError[] =>
  parseCidr(text) ? [] : [invalidValue(path, text, cidrMessage)];

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
