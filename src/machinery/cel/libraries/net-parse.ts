// IP addresses and prefixes, with the error messages of Go's net/netip.

import { goQuote } from '../format.ts';

export interface Address {
  readonly family: 4 | 6;
  readonly value: bigint;
  readonly zone: string;
}

export interface Prefix {
  readonly address: Address;
  readonly bits: number;
}

class NotAnAddress {
  readonly message: string;
  readonly at: string;
  constructor(message: string, at = '') {
    this.message = message;
    this.at = at;
  }
}

const refuse = (message: string, at = ''): never => {
  throw new NotAnAddress(message, at);
};

/** The address, or why it is none. */
export function parseAddress(text: string): Address | string {
  try {
    return read(text);
  } catch (error) {
    if (!(error instanceof NotAnAddress)) throw error;
    return `ParseAddr(${goQuote(text)}): ${error.message}${error.at && ` (at ${goQuote(error.at)})`}`;
  }
}

function read(text: string): Address {
  const sign = /[.:%]/.exec(text)?.[0];
  if (sign === '.') return { family: 4, value: readV4(text), zone: '' };
  if (sign === ':') return readV6(text);
  return refuse(sign ? 'missing IPv6 address' : 'unable to parse IP');
}

function readV4(text: string): bigint {
  const fields: number[] = [];
  let value = 0;
  let digits = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at] as string;
    if (character >= '0' && character <= '9') {
      if (digits === 1 && value === 0) refuse('IPv4 field has octet with leading zero');
      value = value * 10 + Number(character);
      digits++;
      if (value > 255) refuse('IPv4 field has value >255');
    } else if (character === '.') {
      if (at === 0 || at === text.length - 1 || text[at - 1] === '.')
        refuse('IPv4 field must have at least one digit', text.slice(at));
      if (fields.length === 3) refuse('IPv4 address too long');
      fields.push(value);
      value = digits = 0;
    } else refuse('unexpected character', text.slice(at));
  }
  if (fields.length < 3) refuse('IPv4 address too short');
  return [...fields, value].reduce((all, field) => (all << 8n) | BigInt(field), 0n);
}

function readV6(text: string): Address {
  const percent = text.indexOf('%');
  const zone = percent < 0 ? '' : text.slice(percent + 1);
  if (percent >= 0 && !zone) refuse('zone must be a non-empty string');
  const { groups, ellipsis } = readGroups(percent < 0 ? text : text.slice(0, percent));
  const missing = 8 - groups.length;
  if (missing > 0 && ellipsis < 0) refuse('address string too short');
  if (missing === 0 && ellipsis >= 0) refuse('the :: must expand to at least one field of zeros');
  if (missing > 0) groups.splice(ellipsis, 0, ...Array<number>(missing).fill(0));
  return { family: 6, value: groups.reduce((all, group) => (all << 16n) | BigInt(group), 0n), zone };
}

/** The groups read so far, and the index of `::`. */
function readGroups(text: string): { groups: number[]; ellipsis: number } {
  let rest = text;
  let ellipsis = -1;
  const groups: number[] = [];
  if (rest.startsWith('::')) {
    ellipsis = 0;
    rest = rest.slice(2);
    if (!rest) return { groups, ellipsis };
  }
  while (groups.length < 8) {
    const digits = /^[0-9a-fA-F]*/.exec(rest)?.[0] ?? '';
    if (digits.length > 4) refuse('each group must have 4 or less digits', rest);
    if (!digits) refuse('each colon-separated field must have at least one digit', rest);
    if (rest[digits.length] === '.') {
      groups.push(...embeddedV4(rest, groups.length, ellipsis));
      rest = '';
      break;
    }
    groups.push(Number.parseInt(digits, 16));
    rest = rest.slice(digits.length);
    if (!rest) break;
    if (rest[0] !== ':') refuse('unexpected character, want colon', rest);
    if (rest.length === 1) refuse('colon must be followed by more characters', rest);
    rest = rest.slice(1);
    if (rest[0] !== ':') continue;
    if (ellipsis >= 0) refuse('multiple :: in address', rest);
    ellipsis = groups.length;
    rest = rest.slice(1);
    if (!rest) break;
  }
  if (rest) refuse('trailing garbage after address', rest);
  return { groups, ellipsis };
}

function embeddedV4(text: string, groups: number, ellipsis: number): [number, number] {
  if (ellipsis < 0 && groups !== 6)
    refuse('embedded IPv4 address must replace the final 2 fields of the address', text);
  if (groups > 6) refuse('too many hex fields to fit an embedded IPv4 at the end of the address', text);
  const value = Number(readV4(text));
  return [value >>> 16, value & 0xffff];
}

/** The prefix, or why it is none. */
export function parsePrefix(text: string): Prefix | string {
  const wrong = (why: string) => `netip.ParsePrefix(${goQuote(text)}): ${why}`;
  const slash = text.lastIndexOf('/');
  if (slash < 0) return wrong("no '/'");
  const address = parseAddress(text.slice(0, slash));
  if (typeof address === 'string') return wrong(address);
  if (address.zone) return wrong('IPv6 zones cannot be present in a prefix');
  const bits = text.slice(slash + 1);
  if (!/^(\d|[1-9]\d+)$/.test(bits)) return wrong(`bad bits after slash: ${goQuote(bits)}`);
  return Number(bits) > (address.family === 4 ? 32 : 128)
    ? wrong('prefix length out of range')
    : { address, bits: Number(bits) };
}
