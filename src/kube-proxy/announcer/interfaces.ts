// Addresses of this machine's interfaces. The kernel answers ARP for an address while an interface has it.

import dgram from 'node:dgram';
import os from 'node:os';
import { cidrContains, formatCidr, formatIp, parseCidr, parseIp } from '../../machinery/ip.ts';
import { run } from '../run.ts';
import { isWithin } from '../service-ports.ts';

export interface Network {
  readonly device: string;
  /** Such as 192.0.2.0/24. */
  readonly cidr: string;
  /** Of this machine. */
  readonly address: string;
}

const addressBits = 32;

/** IPv4 networks in which this machine has an address and neighbours. */
export function ownNetworks(): Network[] {
  return Object.entries(os.networkInterfaces()).flatMap(([device, addresses = []]) =>
    addresses.flatMap(({ family, internal, cidr: text, address }) => {
      const cidr = text === null ? undefined : parseCidr(text);
      if (family !== 'IPv4' || internal || !cidr || cidr.prefix >= addressBits - 1) return [];
      return [{ device, cidr: formatCidr(cidr), address }];
    }),
  );
}

/** The smallest network with the address. */
export const networkOf = (ip: string, networks: readonly Network[]): Network | undefined =>
  networks
    .filter(({ cidr }) => isWithin(ip, [cidr]))
    .sort((a, b) => (parseCidr(b.cidr)?.prefix ?? 0) - (parseCidr(a.cidr)?.prefix ?? 0))[0];

export interface Held {
  readonly ip: string;
  readonly network: Network;
}

/** Adds addresses, or prolongs them: without that the kernel removes them, also after this process was killed. */
export async function keepAddresses(addresses: readonly Held[], lifetimeSeconds: number): Promise<void> {
  if (addresses.length === 0) return;
  const lines = addresses.map(
    ({ ip, network: { device } }) =>
      `addr replace ${ip}/${addressBits} dev ${device} valid_lft ${lifetimeSeconds} preferred_lft ${lifetimeSeconds}\n`,
  );
  await run('ip', ['-batch', '-'], lines.join(''));
}

export async function removeAddresses(addresses: readonly Held[]): Promise<void> {
  if (addresses.length === 0) return;
  const lines = addresses.map(({ ip, network: { device } }) => `addr del ${ip}/${addressBits} dev ${device}\n`);
  await run('ip', ['-force', '-batch', '-'], lines.join('')).catch(() => {}); // the kernel was faster
}

/**
 * The hardware address of another machine that answers for an address; undefined: none does. `wait` is the time that an
 * answer may take.
 */
export async function otherUser({ ip, network }: Held, wait: () => Promise<void>): Promise<string | undefined> {
  const place = [ip, 'dev', network.device];
  await run('ip', ['neigh', 'del', ...place]).catch(() => {}); // there was no entry
  await sendDatagram(network.address, ip);
  await wait();
  const shown = await run('ip', ['neigh', 'show', ...place]).catch(() => '');
  return / lladdr (\S+) (?:REACHABLE|STALE|DELAY|PROBE)/.exec(shown)?.[1];
}

/** The kernel looks the target up by ARP. */
async function sendDatagram(from: string, to: string): Promise<void> {
  const socket = dgram.createSocket('udp4');
  await new Promise<void>((resolve) => {
    socket.once('error', () => resolve());
    socket.bind(0, from, () => socket.send('', discardPort, to, () => resolve()));
  });
  socket.close();
}

/**
 * Tells all neighbours where the address is now. A datagram from it to a neighbour that the kernel must look up makes
 * the kernel broadcast an ARP request with the address as sender, three times without an answer. Neighbours that have an
 * entry for the address update it (RFC 826).
 */
export async function tellNeighbours({ ip, network }: Held): Promise<void> {
  const neighbour = anyNeighbour(ip, network);
  if (!neighbour) return;
  await run('ip', ['neigh', 'del', neighbour, 'dev', network.device]).catch(() => {}); // there was no entry
  await sendDatagram(ip, neighbour);
}

const discardPort = 9;

/** The last host address of the network that is not this machine's. */
export function anyNeighbour(ip: string, { cidr: text, address }: Network): string | undefined {
  const cidr = parseCidr(text);
  if (!cidr) return undefined;
  const last = cidr.base + (1n << BigInt(addressBits - cidr.prefix)) - 2n;
  const own = [ip, address].map((each) => parseIp(each)?.value);
  const found = [last, last - 1n, last - 2n].find((value) => !own.includes(value));
  const neighbour = found === undefined ? undefined : ({ family: 4, value: found } as const);
  return neighbour && cidrContains(cidr, neighbour) ? formatIp(neighbour) : undefined;
}
