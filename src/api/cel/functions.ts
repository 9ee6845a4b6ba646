// What Kubernetes adds to CEL. https://kubernetes.io/docs/reference/using-api/cel/#cel-options-language-features-and-libraries

import type { Environment } from '@marcbachmann/cel-js';
import {
  cidrContains,
  formatIp,
  isLinkLocal,
  isLoopback,
  isUnspecified,
  parseCidr,
  parseIp,
} from '../../machinery/ip.ts';
import { addQuantities, canonicalQuantity, compareQuantities, subtractQuantities } from '../../machinery/quantity.ts';

class Quantity {
  readonly text: string;
  constructor(text: string) {
    this.text = canonicalQuantity(text);
  }
}

class Address {
  readonly text: string;
  constructor(text: string) {
    const ip = parseIp(text);
    if (!ip) throw new Error(`IP Address ${JSON.stringify(text)} parse error during conversion from string`);
    this.text = formatIp(ip);
  }
}

class Network {
  readonly text: string;
  constructor(text: string) {
    if (!parseCidr(text)) throw new Error(`network address parse error during conversion from string: ${text}`);
    this.text = text;
  }
}

class Sets {}

const holds = (check: () => unknown): boolean => {
  try {
    check();
    return true;
  } catch {
    return false;
  }
};

const order = (a: any, b: any): number => (a < b ? -1 : a > b ? 1 : 0);
const same = (a: any, b: any): boolean =>
  a === b || (typeof a === 'object' && typeof b === 'object' && text(a) === text(b));
const text = (value: unknown) => JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? `${part}n` : part));
const includes = (list: readonly any[], value: any) => list.some((one) => same(one, value));
const whole = (quantity: string) => /^-?\d+$/.test(canonicalQuantity(quantity)) && BigInt(canonicalQuantity(quantity));

export function addKubernetesFunctions(env: Environment): Environment {
  addStrings(env);
  addLists(env);
  addQuantity(env);
  addNetwork(env);
  return env;
}

function addStrings(env: Environment): void {
  env
    .registerFunction('string.replace(string, string): string', (s: string, a: string, b: string) => s.replaceAll(a, b))
    .registerFunction(
      'string.replace(string, string, int): string',
      (s: string, a: string, b: string, most: bigint) => {
        const parts = s.split(a);
        const cut = most < 0n ? parts.length : Math.min(Number(most), parts.length - 1);
        return [parts.slice(0, cut + 1).join(b), ...parts.slice(cut + 1)].join(a);
      },
    )
    .registerFunction('string.charAt(int): string', (s: string, at: bigint) => [...s][Number(at)] ?? '')
    .registerFunction('string.reverse(): string', (s: string) => [...s].reverse().join(''))
    .registerFunction('string.find(string): string', (s: string, p: string) => new RegExp(p, 'u').exec(s)?.[0] ?? '')
    .registerFunction(
      'string.findAll(string): list<string>',
      (s: string, p: string) => s.match(new RegExp(p, 'gu')) ?? [],
    )
    .registerFunction(
      'isURL(string): bool',
      (s: string) => /^[a-z][a-z0-9+.-]*:\/\/[^\s]+$/i.test(s) || s.startsWith('/'),
    );
}

function addLists(env: Environment): void {
  const sorted = (list: readonly any[]) => list.every((value, i) => i === 0 || order(list[i - 1], value) <= 0);
  const sum = (list: readonly any[]) => (list.length ? list.reduce((a, b) => a + b) : 0n);
  const pick = (wanted: number) => (list: readonly any[]) => {
    if (!list.length) throw new Error(`${wanted < 0 ? 'min' : 'max'} called on empty list`);
    return list.reduce((best, value) => (order(value, best) === wanted ? value : best));
  };
  const index = (list: readonly any[], value: any) => BigInt(list.findIndex((one) => same(one, value)));
  const lastIndex = (list: readonly any[], value: any) => BigInt(list.findLastIndex((one) => same(one, value)));
  env
    .registerFunction('list<dyn>.isSorted(): bool', sorted)
    .registerFunction('list<dyn>.sum(): dyn', sum)
    .registerFunction('list<dyn>.min(): dyn', pick(-1))
    .registerFunction('list<dyn>.max(): dyn', pick(1))
    .registerFunction('list<dyn>.indexOf(dyn): int', index)
    .registerFunction('list<dyn>.lastIndexOf(dyn): int', lastIndex)
    .registerType('SetsNamespace', Sets)
    .registerConstant('sets', 'SetsNamespace', new Sets() as never)
    .registerFunction('SetsNamespace.contains(list<dyn>, list<dyn>): bool', (_: Sets, a: any[], b: any[]) =>
      b.every((value) => includes(a, value)),
    )
    .registerFunction('SetsNamespace.intersects(list<dyn>, list<dyn>): bool', (_: Sets, a: any[], b: any[]) =>
      b.some((value) => includes(a, value)),
    )
    .registerFunction(
      'SetsNamespace.equivalent(list<dyn>, list<dyn>): bool',
      (_: Sets, a: any[], b: any[]) => b.every((value) => includes(a, value)) && a.every((value) => includes(b, value)),
    );
}

function addQuantity(env: Environment): void {
  const other = (value: Quantity | bigint) => (typeof value === 'bigint' ? String(value) : value.text);
  env
    .registerType('Quantity', Quantity)
    .registerFunction('quantity(string): Quantity', (value: string) => new Quantity(value))
    .registerFunction('isQuantity(string): bool', (value: string) => holds(() => canonicalQuantity(value)))
    .registerFunction('Quantity.sign(): int', (q: Quantity) => BigInt(compareQuantities(q.text, '0')))
    .registerFunction('Quantity.isInteger(): bool', (q: Quantity) => whole(q.text) !== false)
    .registerFunction('Quantity.asInteger(): int', (q: Quantity) => {
      const value = whole(q.text);
      if (value === false) throw new Error('cannot convert value to integer');
      return value;
    })
    .registerFunction(
      'Quantity.isLessThan(Quantity): bool',
      (a: Quantity, b: Quantity) => compareQuantities(a.text, b.text) < 0,
    )
    .registerFunction(
      'Quantity.isGreaterThan(Quantity): bool',
      (a: Quantity, b: Quantity) => compareQuantities(a.text, b.text) > 0,
    )
    .registerFunction('Quantity.compareTo(Quantity): int', (a: Quantity, b: Quantity) =>
      BigInt(compareQuantities(a.text, b.text)),
    );
  for (const type of ['Quantity', 'int'])
    env
      .registerFunction(
        `Quantity.add(${type}): Quantity`,
        (a: Quantity, b: Quantity | bigint) => new Quantity(addQuantities(a.text, other(b))),
      )
      .registerFunction(
        `Quantity.sub(${type}): Quantity`,
        (a: Quantity, b: Quantity | bigint) => new Quantity(subtractQuantities(a.text, other(b))),
      );
}

function addNetwork(env: Environment): void {
  const ip = (value: string) => parseIp(value)!;
  const cidr = ({ text: value }: Network) => parseCidr(value)!;
  env
    .registerType('net.IP', Address)
    .registerType('net.CIDR', Network)
    .registerFunction('ip(string): net.IP', (value: string) => new Address(value))
    .registerFunction('isIP(string): bool', (value: string) => parseIp(value) !== undefined)
    .registerFunction('cidr(string): net.CIDR', (value: string) => new Network(value))
    .registerFunction('isCIDR(string): bool', (value: string) => parseCidr(value) !== undefined)
    .registerFunction('string(net.IP): string', (a: Address) => a.text)
    .registerFunction('net.IP.family(): int', (a: Address) => BigInt(ip(a.text).family))
    .registerFunction('net.IP.isLoopback(): bool', (a: Address) => isLoopback(ip(a.text)))
    .registerFunction('net.IP.isUnspecified(): bool', (a: Address) => isUnspecified(ip(a.text)))
    .registerFunction('net.IP.isLinkLocalUnicast(): bool', (a: Address) => isLinkLocal(ip(a.text)))
    .registerFunction('net.CIDR.containsIP(string): bool', (n: Network, value: string) =>
      cidrContains(cidr(n), ip(value)),
    )
    .registerFunction('net.CIDR.containsIP(net.IP): bool', (n: Network, a: Address) =>
      cidrContains(cidr(n), ip(a.text)),
    )
    .registerFunction('net.CIDR.prefixLength(): int', (n: Network) => BigInt(cidr(n).prefix));
}
