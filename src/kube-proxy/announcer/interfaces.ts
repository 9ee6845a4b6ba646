// Addresses of this machine's interfaces. The kernel answers ARP and neighbour solicitations for an address while an
// interface has it.

import dgram from 'node:dgram';
import os from 'node:os';
import { cidrContains, formatCidr, formatIp, isLinkLocal, parseCidr, parseIp } from '../../machinery/ip.ts';
import { run } from '../run.ts';
import { type Family, isOfFamily, isWithin } from '../service-ports.ts';

export interface Network {
  readonly device: string;
  /** Such as 192.0.2.0/24. */
  readonly cidr: string;
  /** Of this machine. */
  readonly address: string;
}

const addressBits = { 4: 32, 6: 128 } as const;
const familyOf = (ip: string): Family => (isOfFamily(ip, 6) ? 6 : 4);

/** Networks in which this machine has an address and neighbours. */
export function ownNetworks(interfaces = os.networkInterfaces()): Network[] {
  return Object.entries(interfaces).flatMap(([device, addresses = []]) =>
    addresses.flatMap(({ internal, cidr: text, address }) => {
      const cidr = text === null ? undefined : parseCidr(text);
      if (internal || !cidr || cidr.prefix >= addressBits[cidr.family] - 1) return [];
      return isLinkLocal({ family: cidr.family, value: cidr.base }) && cidr.family === 6
        ? []
        : [{ device, cidr: formatCidr(cidr), address }];
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

const placeOf = ({ ip, network: { device } }: Held): string => `${ip}/${addressBits[familyOf(ip)]} dev ${device}`;

/** This machine must not use an IPv6 address of a service for its connections to others: it is never preferred. */
const lifetimes = ({ ip }: Held, seconds: number): string =>
  `valid_lft ${seconds} preferred_lft ${familyOf(ip) === 6 ? 0 : seconds}`;

/** Adds addresses, or prolongs them: without that the kernel removes them, also after this process was killed. */
export async function keepAddresses(addresses: readonly Held[], lifetimeSeconds: number): Promise<void> {
  if (addresses.length === 0) return;
  const lines = addresses.map((held) => {
    const nodad = familyOf(held.ip) === 6 ? ' nodad' : '';
    return `addr replace ${placeOf(held)} ${lifetimes(held, lifetimeSeconds)}${nodad}\n`;
  });
  await run('ip', ['-batch', '-'], lines.join(''));
}

export async function removeAddresses(addresses: readonly Held[]): Promise<void> {
  if (addresses.length === 0) return;
  const lines = addresses.map((held) => `addr del ${placeOf(held)}\n`);
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

/** The kernel looks the target up by ARP, or by a neighbour solicitation. */
async function sendDatagram(from: string, to: string): Promise<void> {
  const socket = dgram.createSocket(familyOf(from) === 6 ? 'udp6' : 'udp4');
  await new Promise<void>((resolve) => {
    socket.once('error', () => resolve());
    socket.bind(0, from, () => socket.send('', discardPort, to, () => resolve()));
  });
  socket.close();
}

/** Announces the new place of addresses to all neighbours. */
export async function tellNeighbours(addresses: readonly Held[], lifetimeSeconds: number): Promise<void> {
  const six = addresses.filter(({ ip }) => familyOf(ip) === 6);
  await Promise.all([
    ...addresses.filter(({ ip }) => familyOf(ip) === 4).map(requestByArp),
    // One process, because the scripts change settings of devices and restore them.
    six.length > 0 &&
      run('sh', ['-c', six.map((held) => advertisement(held, lifetimeSeconds)).join('\n')]).catch(() => {}),
  ]);
}

/**
 * A datagram from the address to a neighbour that the kernel must look up makes the kernel broadcast an ARP request with
 * the address as sender, three times without an answer. Neighbours that have an entry for the address update it (RFC 826).
 */
async function requestByArp({ ip, network }: Held): Promise<void> {
  const neighbour = anyNeighbour(ip, network);
  if (!neighbour) return;
  await run('ip', ['neigh', 'del', neighbour, 'dev', network.device]).catch(() => {}); // there was no entry
  await sendDatagram(ip, neighbour);
}

/**
 * With ndisc_notify the kernel sends an unsolicited neighbour advertisement for an address that is added and judged
 * unique. Without accept_dad that is so at once: `otherUser` has asked before.
 */
const advertisement = (held: Held, lifetimeSeconds: number): string => `
settings='/proc/sys/net/ipv6/conf/${held.network.device.replaceAll("'", '')}'
echo 1 >"$settings/ndisc_notify"
dad=$(cat "$settings/accept_dad")
echo 0 >"$settings/accept_dad"
ip addr del ${placeOf(held)} 2>/dev/null
ip addr add ${placeOf(held)} ${lifetimes(held, lifetimeSeconds)}
sleep 0.05
echo "$dad" >"$settings/accept_dad"`;

const discardPort = 9;

/** The last host address of the network that is not this machine's. */
export function anyNeighbour(ip: string, { cidr: text, address }: Network): string | undefined {
  const cidr = parseCidr(text);
  if (!cidr) return undefined;
  const last = cidr.base + (1n << BigInt(addressBits[4] - cidr.prefix)) - 2n;
  const own = [ip, address].map((each) => parseIp(each)?.value);
  const found = [last, last - 1n, last - 2n].find((value) => !own.includes(value));
  const neighbour = found === undefined ? undefined : ({ family: 4, value: found } as const);
  return neighbour && cidrContains(cidr, neighbour) ? formatIp(neighbour) : undefined;
}
