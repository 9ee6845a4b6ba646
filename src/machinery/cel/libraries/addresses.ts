// IP addresses and prefixes. https://pkg.go.dev/k8s.io/apiserver/pkg/cel/library#IP

import { formatIp } from '../../ip.ts';
import { type AstSize, add, type CostRange, fixed, scale, sizeEstimate, stringFactor } from '../cost/cost-range.ts';
import {
  type CallCost,
  type CallEstimator,
  type FunctionDeclaration,
  global,
  type Library,
  member,
} from '../declarations.ts';
import { boolType, intType, opaqueType, stringType } from '../types.ts';
import { fail, sizeOf, type Value } from '../values.ts';
import { access, reading } from './kubernetes.ts';
import { type Address, type Prefix, parseAddress, parsePrefix } from './net-parse.ts';
import { CidrValue, IpValue } from './objects.ts';

const ipType = opaqueType('net.IP');
const cidrType = opaqueType('net.CIDR');

const isMapped = ({ family, value }: Address): boolean => family === 6 && value >> 32n === 0xffffn;

function addressFault(text: string, address: Address | string): string | undefined {
  if (typeof address === 'string')
    return `IP Address ${JSON.stringify(text)} parse error during conversion from string: ${address}`;
  if (address.zone) return `IP address ${JSON.stringify(text)} with zone value is not allowed`;
  return isMapped(address) ? `IPv4-mapped IPv6 address ${JSON.stringify(text)} is not allowed` : undefined;
}

function ipOf(text: string): IpValue {
  const address = parseAddress(text);
  const fault = addressFault(text, address);
  return fault === undefined ? new IpValue(address as Address) : fail(fault);
}

const isIp = (text: string): boolean => addressFault(text, parseAddress(text)) === undefined;

function prefixFault(text: string, prefix: Prefix | string): string | undefined {
  if (typeof prefix === 'string') return `network address parse error during conversion from string: ${prefix}`;
  return isMapped(prefix.address) ? `IPv4-mapped IPv6 address ${JSON.stringify(text)} is not allowed` : undefined;
}

function cidrOf(text: string): CidrValue {
  const prefix = parsePrefix(text);
  const fault = prefixFault(text, prefix);
  return fault === undefined
    ? new CidrValue(prefix as Prefix)
    : fail(`network address parse error during conversion from string: ${fault}`);
}

const hostBits = ({ address, bits }: Prefix): bigint => BigInt((address.family === 4 ? 32 : 128) - bits);
const network = (prefix: Prefix): bigint => prefix.address.value >> hostBits(prefix);

const containsIp = ({ prefix }: CidrValue, { address }: IpValue): boolean =>
  address.family === prefix.address.family && address.value >> hostBits(prefix) === network(prefix);

const containsCidr = (outer: CidrValue, inner: CidrValue): boolean =>
  outer.prefix.bits <= inner.prefix.bits && containsIp(outer, new IpValue(inner.prefix.address));

function masked({ prefix }: CidrValue): CidrValue {
  const { address, bits } = prefix;
  const shift = hostBits(prefix);
  return new CidrValue({ address: { ...address, value: (address.value >> shift) << shift }, bits });
}

const is = (name: string, id: string, holds: (address: Address) => boolean): FunctionDeclaration =>
  access(name, id, ipType, boolType, ({ address }: IpValue) => holds(address));

const top = ({ family, value }: Address, bits: number): bigint => value >> BigInt((family === 4 ? 32 : 128) - bits);
const isLoopback = (ip: Address) => (ip.family === 4 ? top(ip, 8) === 127n : ip.value === 1n);
const isLinkLocal = (ip: Address) => (ip.family === 4 ? top(ip, 16) === 0xa9fen : top(ip, 10) === 0x3fan);
const isMulticast = (ip: Address) => (ip.family === 4 ? top(ip, 4) === 0xen : top(ip, 8) === 0xffn);
const isLinkLocalMulticast = (ip: Address) =>
  ip.family === 4 ? top(ip, 24) === 0xe00000n : (top(ip, 16) & 0xff0fn) === 0xff02n;
const isGlobal = (ip: Address) =>
  ip.value !== 0n &&
  !(ip.family === 4 && ip.value === 0xffffffffn) &&
  !isLoopback(ip) &&
  !isMulticast(ip) &&
  !isLinkLocal(ip);

/** Comparing two addresses of 4 to 16 bytes; parsing comes on top when one is given as text. */
const addressSizes: CostRange = { min: 4, max: 16 };
const compared = scale(add(addressSizes, addressSizes), stringFactor);

const containment = (
  extra: CostRange | undefined,
  textOverload: string,
): { cost: CallCost; estimate: CallEstimator } => ({
  cost: ([cidr, other], _, overload) => {
    const size = sizeOf(cidr as Value) ?? 1;
    let cost = Math.ceil(2 * size * stringFactor);
    if (extra) cost += Math.ceil(size * stringFactor) + 1;
    if (overload === textOverload) cost += Math.ceil((sizeOf(other as Value) ?? 1) * stringFactor);
    return cost;
  },
  estimate: ({ args, overload }, estimator) => {
    let cost = extra ? add(compared, extra) : compared;
    if (overload === textOverload) cost = add(cost, scale(sizeEstimate(args[0] as AstSize, estimator), stringFactor));
    return { cost };
  },
});

const ipReading: { cost: CallCost; estimate: CallEstimator } = {
  cost: (args, result, overload) => (overload === 'cidr_ip' ? 1 : reading().cost(args, result, overload)),
  estimate: (call, estimator) =>
    call.overload === 'cidr_ip' ? { cost: fixed(1) } : reading().estimate(call, estimator),
};

export const addresses: Library = {
  types: [
    ['net.IP', ipType],
    ['net.CIDR', cidrType],
  ],
  functions: [
    {
      name: 'ip',
      overloads: [
        global('string_to_ip', [stringType], ipType, ipOf),
        member('cidr_ip', [cidrType], ipType, ({ prefix }: CidrValue) => new IpValue(prefix.address)),
      ],
      ...ipReading,
    },
    access('family', 'ip_family', ipType, intType, ({ address }: IpValue) => BigInt(address.family)),
    {
      name: 'ip.isCanonical',
      overloads: [
        global('ip_is_canonical', [stringType], boolType, (text: string) => formatIp(ipOf(text).address) === text),
      ],
      ...reading(2),
    },
    is('isUnspecified', 'ip_is_unspecified', ({ value }) => value === 0n),
    is('isLoopback', 'ip_is_loopback', isLoopback),
    is('isLinkLocalMulticast', 'ip_is_link_local_multicast', isLinkLocalMulticast),
    is('isLinkLocalUnicast', 'ip_is_link_local_unicast', isLinkLocal),
    is('isGlobalUnicast', 'ip_is_global_unicast', isGlobal),
    { name: 'isIP', overloads: [global('is_ip', [stringType], boolType, isIp)], ...reading() },
    {
      name: 'string',
      overloads: [
        global('ip_to_string', [ipType], stringType, ({ address }: IpValue) => formatIp(address)),
        global(
          'cidr_to_string',
          [cidrType],
          stringType,
          ({ prefix }: CidrValue) => `${formatIp(prefix.address)}/${prefix.bits}`,
        ),
      ],
    },
    { name: 'cidr', overloads: [global('string_to_cidr', [stringType], cidrType, cidrOf)], ...reading() },
    {
      name: 'containsIP',
      overloads: [
        member('cidr_contains_ip_string', [cidrType, stringType], boolType, (cidr: CidrValue, text: string) =>
          containsIp(cidr, ipOf(text)),
        ),
        member('cidr_contains_ip_ip', [cidrType, ipType], boolType, containsIp),
      ],
      ...containment(undefined, 'cidr_contains_ip_string'),
    },
    {
      name: 'containsCIDR',
      overloads: [
        member('cidr_contains_cidr_string', [cidrType, stringType], boolType, (cidr: CidrValue, text: string) =>
          containsCidr(cidr, cidrOf(text)),
        ),
        member('cidr_contains_cidr', [cidrType, cidrType], boolType, containsCidr),
      ],
      ...containment(add(scale(addressSizes, stringFactor), fixed(1)), 'cidr_contains_cidr_string'),
    },
    access('prefixLength', 'cidr_prefix_length', cidrType, intType, ({ prefix }: CidrValue) => BigInt(prefix.bits)),
    access('masked', 'cidr_masked', cidrType, cidrType, masked),
    {
      name: 'isCIDR',
      overloads: [
        global('is_cidr', [stringType], boolType, (text: string) => prefixFault(text, parsePrefix(text)) === undefined),
      ],
      ...reading(),
    },
  ],
};
