// Values of answers of a cloud: each is checked for its type and its bounds before it is used.

import { isLinkLocal, isLinkLocalMulticast, isLoopback, isUnspecified, parseIp } from '../../machinery/ip.ts';
import { type Fields, isFields, isList } from '../../machinery/parsed.ts';

const longestText = 1_024;

export const wrong = (field: string, fault: string) => new Error(`the answer's ${field} ${fault}`);

export function textOf(from: Fields, field: string, where: string, fallback?: string): string {
  const value = from[field] ?? fallback;
  if (typeof value !== 'string' || value.length > longestText)
    throw wrong(`${where}${field}`, `must be a text of up to ${longestText} characters`);
  return value;
}

export function flagOf(from: Fields, field: string, where: string, fallback?: boolean): boolean {
  const value = from[field] ?? fallback;
  if (typeof value !== 'boolean') throw wrong(`${where}${field}`, 'must be true or false');
  return value;
}

export function itemsOf(from: Fields, field: string, where: string, most: number): Fields[] {
  const value = from[field] ?? [];
  if (!isList(value) || value.length > most || !value.every(isFields))
    throw wrong(`${where}${field}`, `must be a list of up to ${most} objects`);
  return value;
}

/** A number that JavaScript keeps exactly. */
export function idOf(from: Fields, field: string, where: string): number {
  const value = from[field];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw wrong(`${where}${field}`, 'must be a whole number');
  return value;
}

export function objectOf(from: Fields, field: string, where: string): Fields {
  const value = from[field];
  if (!isFields(value)) throw wrong(`${where}${field}`, 'must be an object');
  return value;
}

/** Addresses that lead to another place on each machine would lead traffic of a node to itself. */
export function checkIp(text: string, place: string): void {
  const ip = parseIp(text);
  if (!ip) throw wrong(place, 'must be an IP address');
  if (isLoopback(ip) || isUnspecified(ip) || isLinkLocal(ip) || isLinkLocalMulticast(ip))
    throw wrong(place, `must be an address that other machines reach, not ${text}`);
}
