// Addresses of this machine's nodes, in the families of the cluster.

import os from 'node:os';
import { isLinkLocal, isLoopback, parseCidrs, parseIp } from '../../machinery/ip.ts';
import { must } from '../../machinery/must.ts';
import { SettingError } from '../settings/setting-values.ts';

type Family = 4 | 6;

interface Address {
  readonly address: string;
  readonly family: Family;
  /** Length of its network's prefix. */
  readonly prefix: number;
}

const loopback = '127.0.0.1';
/** Load balancer addresses that this machine announces are addresses of one machine; so are those of some clouds. */
const oneMachine = { 4: 32, 6: 128 } as const;

/** Families of ranges with commas between them, the primary one first. */
export const familiesOf = (ranges: string): readonly Family[] => (parseCidrs(ranges) ?? []).map(({ family }) => family);

/** Names of the families in messages. */
export const familyNames = (families: readonly Family[]): string => families.map((each) => `IPv${each}`).join(' and ');

/** Bridges and pod interfaces of this and other container tools have no addresses of the machine. */
const ofContainers = /^(lo|docker|br-|veth|cni|cor-|corvx|virbr)/;

/** Addresses that others can reach. */
export function machineAddresses(interfaces = os.networkInterfaces(), ignored = ofContainers): readonly Address[] {
  const all = Object.entries(interfaces)
    .filter(([name]) => !ignored.test(name))
    .flatMap(([, addresses]) => addresses ?? [])
    .filter(({ internal, address }) => !internal && !isLinkLocal(must(parseIp(address), address)));
  return all.map(({ address, family, cidr }) => {
    const found = family === 'IPv6' ? 6 : 4;
    return { address, family: found, prefix: Number(cidr?.split('/')[1] ?? oneMachine[found]) };
  });
}

const firstOf = (family: Family, all: readonly Address[]): string | undefined => {
  const own = all.filter((each) => each.family === family);
  // The kernel lists newer IPv6 addresses first.
  const usual = family === 6 ? own.find(({ prefix }) => prefix < oneMachine[6]) : undefined;
  return (usual ?? own[0])?.address;
};

/** The machine's first address that others can reach, of IPv4 if it has one; the loopback address where there is none. */
export const primaryAddress = (all = machineAddresses()): string => firstOf(4, all) ?? firstOf(6, all) ?? loopback;

/**
 * The addresses of a node in a cluster with these ranges, that of the primary family first. `given` are those of
 * --node-ip. A machine without the second family has none of it. Throws SettingError.
 */
export function nodeAddresses(
  given: readonly string[] | undefined,
  serviceCidr: string,
  all = machineAddresses(),
): readonly string[] {
  const families = familiesOf(serviceCidr);
  if (given) return chosen(given, families);
  const found = families.map((family) => firstOf(family, all));
  const [primary, ...others] = found;
  if (primary === undefined && families[0] === 6)
    throw new SettingError(
      `the cluster has ${familyNames(families)}, and this machine has no IPv6 address but link-local ones: give it one, or name it with --node-ip`,
    );
  return [primary ?? loopback, ...others.filter((address) => address !== undefined)];
}

function chosen(given: readonly string[], families: readonly Family[]): readonly string[] {
  const familyOf = (address: string) => must(parseIp(address), address).family;
  const foreign = given.find((address) => !families.includes(familyOf(address)));
  if (foreign !== undefined)
    throw new SettingError(
      `--node-ip ${foreign}: the cluster has ${familyNames(families)} alone; give ranges of both families to --service-cidr and --cluster-cidr, or another address`,
    );
  const sorted = families.flatMap((family) => given.filter((address) => familyOf(address) === family));
  if (familyOf(sorted[0]) !== families[0])
    throw new SettingError(
      `--node-ip ${given.join()}: nodes of this cluster need an IPv${families[0]} address, the family of its first ranges`,
    );
  return sorted;
}

/** Whether other machines cannot reach it. */
export const isLocalOnly = (address: string): boolean => isLoopback(must(parseIp(address), address));

/** The address that a server listens on, so that all families of its node reach it. */
export const listenHost = (nodeIPs: readonly string[]): string =>
  nodeIPs.some((address) => address.includes(':')) ? '::' : '0.0.0.0';
