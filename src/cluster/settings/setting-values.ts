// How the values of settings are read from the command line.

import {
  formatCidr,
  formatIp,
  isLinkLocal,
  isUnspecified,
  parseCidr,
  parseIp,
  parseIpRange,
} from '../../machinery/ip.ts';
import { wholeValue } from '../../machinery/quantity.ts';
import { parseSchedule } from '../../machinery/time/cron-schedule.ts';

/** An invalid value. The message has the cause and the remedy. */
export class SettingError extends Error {
  override readonly name = 'SettingError';
}

export const text = (value: string): string => value;

export const list = (value: string): readonly string[] => value.split(',').map((part) => part.trim());

export function wholeNumber(least: number, most: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (value.trim() && Number.isInteger(number) && number >= least && number <= most) return number;
    throw new SettingError(`Give a whole number from ${least} to ${most}.`);
  };
}

export function schedule(value: string): string {
  try {
    parseSchedule(value);
    return value;
  } catch (error) {
    throw new SettingError(`${(error as Error).message}. Give five fields, such as 0 3 * * *, or @daily.`);
  }
}

export function httpUrl(value: string): string {
  if (/^https?:\/\/[^/]/.test(value)) return value;
  throw new SettingError('Give a URL, such as https://s3.example.com.');
}

export function trueOrFalse(value: string): boolean {
  if (value === 'true' || value === 'false') return value === 'true';
  throw new SettingError('Give true or false.');
}

export function namesOf<T extends string>(label: string, names: readonly T[]): (value: string) => readonly T[] {
  return (value) =>
    list(value).map((name) => {
      const found = names.find((allowed) => allowed === name);
      if (found === undefined) throw new SettingError(`unknown ${label} "${name}". Allowed: ${names.join(', ')}`);
      return found;
    });
}

/** The kubelet's signals of eviction. */
const evictionSignals = [
  ...['memory.available', 'pid.available', 'nodefs.available', 'nodefs.inodesFree'],
  ...['imagefs.available', 'imagefs.inodesFree'],
];

/** In the format of the kubelet's own flag. */
export function thresholds(value: string): Readonly<Record<string, string>> {
  const found = new Map<string, string>();
  for (const item of list(value)) {
    const [signal, amount = '', more] = item.split('<').map((part) => part.trim());
    if (!amount || more !== undefined)
      throw new SettingError(`"${item}" is no threshold. Give <signal><<amount>, such as memory.available<5%.`);
    if (!evictionSignals.includes(signal))
      throw new SettingError(`unknown eviction signal "${signal}". Allowed: ${evictionSignals.join(', ')}`);
    if (found.has(signal)) throw new SettingError(`${signal} has two thresholds.`);
    if (!isThreshold(amount))
      throw new SettingError(`"${amount}" is no amount of ${signal}. Give a positive quantity or 0% to 100%.`);
    found.set(signal, amount);
  }
  return Object.fromEntries(found);
}

function isThreshold(amount: string): boolean {
  if (!amount.endsWith('%')) {
    try {
      return wholeValue(amount) > 0;
    } catch {
      return false;
    }
  }
  const percent = Number(amount.slice(0, -1));
  return amount.length > 1 && percent >= 0 && percent <= 100;
}

/** One address of this machine, or one of each family. */
export function nodeAddress(value: string): string {
  const addresses = list(value).map((text) => {
    const address = parseIp(text);
    if (!address || isUnspecified(address) || isLinkLocal(address))
      throw new SettingError(
        `"${text}" is no address of a machine. Give one, such as 192.0.2.10, or one of each family with a comma between.`,
      );
    return address;
  });
  if (addresses.length > 2 || (addresses.length === 2 && addresses[0].family === addresses[1].family))
    throw new SettingError('Give one address, or one of each family.');
  return addresses.map(formatIp).join();
}

interface PrefixLengths {
  readonly largest: number;
  readonly smallest: number;
}

/** One range, or two of different families. */
export function ranges(v4: PrefixLengths, v6: PrefixLengths): (value: string) => string {
  return (value) => {
    const cidrs = list(value).map((text) => {
      const cidr = parseCidr(text);
      if (!cidr)
        throw new SettingError(`"${text}" is no range. Give one, such as 10.96.0.0/12 or fd00:10:96::/112, or both.`);
      if (cidr.base !== cidr.address)
        throw new SettingError(`${text} is an address inside a range: give the first address of the range.`);
      const { largest, smallest } = cidr.family === 4 ? v4 : v6;
      if (cidr.prefix < largest || cidr.prefix > smallest)
        throw new SettingError(`Give an IPv${cidr.family} range from /${largest} to /${smallest}.`);
      return cidr;
    });
    if (cidrs.length > 2 || (cidrs.length === 2 && cidrs[0].family === cidrs[1].family))
      throw new SettingError('Give one range, or one of each family.');
    return cidrs.map(formatCidr).join();
  };
}

const largestRange = 65_536n;

/** Each a CIDR or two addresses with a dash between. */
export function addressRanges(value: string): readonly string[] {
  return list(value).map((text) => {
    const range = parseIpRange(text);
    if (!range)
      throw new SettingError(`"${text}" is no range. Give two addresses, such as 192.0.2.200-192.0.2.220, or a CIDR.`);
    if (range.last - range.first >= largestRange) throw new SettingError(`${text} has more than 65536 addresses.`);
    return text;
  });
}

export function domain(value: string): string {
  const label = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?';
  if (value.length <= 253 && new RegExp(`^${label}(\\.${label})*$`).test(value)) return value;
  throw new SettingError('Give a DNS name in lower case, such as cluster.local.');
}

/** Entries as a list. */
export const pairs = (entries: Readonly<Record<string, string>> | undefined, between: string): string =>
  Object.entries(entries ?? {})
    .map(([key, value]) => `${key}${between}${value}`)
    .join(',');
