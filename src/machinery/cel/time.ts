// Durations as Go writes them, time stamps of RFC 3339, and fields of a time in a zone.

import { shortInteger } from '../text/digits.ts';
import { isTimeZone, zoneOffset as offsetOf } from '../time/time-zone.ts';
import { Duration, Timestamp } from './values.ts';

const second = 1_000_000_000n;
const units: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: second,
  m: 60n * second,
  h: 3600n * second,
};
const mostNanos = 2n ** 63n - 1n;
/** Further digits are less than a nanosecond of an hour. */
const fractionDigits = 18;

/** Undefined when Go's time.ParseDuration refuses it. */
export function durationFromText(text: string): Duration | undefined {
  const [, sign, body = ''] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  if (body === '0') return new Duration(0n);
  const part = /(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)/y;
  let nanos = 0n;
  let at = 0;
  while (at < body.length) {
    part.lastIndex = at;
    const found = part.exec(body);
    if (!found || (!found[1] && !found[2])) return undefined;
    const unit = units[found[3] as string] as bigint;
    const whole = shortInteger(found[1]);
    if (whole === undefined) return undefined;
    const fraction = (found[2] ?? '').slice(0, fractionDigits);
    nanos += whole * unit + (BigInt(fraction || '0') * unit) / 10n ** BigInt(fraction.length);
    if (nanos > mostNanos + 1n) return undefined;
    at += found[0].length;
  }
  if (!body || (sign !== '-' && nanos > mostNanos)) return undefined;
  return new Duration(sign === '-' ? -nanos : nanos);
}

const earliest = -62_135_596_800n * second;
const latest = 253_402_300_800n * second;
export const inRange = (nanos: bigint): boolean => nanos >= earliest && nanos < latest;

/** Undefined when it is no time of RFC 3339, or out of range. */
export function timestampFromText(text: string): Timestamp | undefined {
  const found = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:Z|([+-])(\d\d):(\d\d))$/.exec(text);
  if (!found) return undefined;
  const [year, month, day, hour, minute, seconds] = found.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const [offsetHours, offsetMinutes] = [Number(found[9] ?? 0), Number(found[10] ?? 0)];
  if (hour > 23 || minute > 59 || seconds > 59 || offsetHours > 24 || offsetMinutes > 60) return undefined;
  const ms = utc(year, month - 1, day, hour, minute, seconds);
  const date = new Date(ms);
  if (month < 1 || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  const offset = (offsetHours * 3600 + offsetMinutes * 60) * (found[8] === '-' ? -1 : 1);
  const fraction = BigInt((found[7] ?? '').slice(0, 9).padEnd(9, '0'));
  const nanos = (BigInt(ms) / 1000n - BigInt(offset)) * second + fraction;
  return inRange(nanos) ? new Timestamp(nanos, offset) : undefined;
}

/** Date.UTC takes years below 100 as 19xx. */
function utc(year: number, month: number, day: number, hour: number, minute: number, seconds: number): number {
  const date = new Date(Date.UTC(2000, month, day, hour, minute, seconds));
  date.setUTCFullYear(year, month, day);
  return date.getTime();
}

const secondsOf = (nanos: bigint): bigint => (nanos - (((nanos % second) + second) % second)) / second;
export const unixSeconds = ({ nanos }: Timestamp): bigint => secondsOf(nanos);

/** RFC 3339 with as many digits of the second as it has. */
export function formatTimestamp({ nanos, offsetSeconds }: Timestamp): string {
  const local = nanos + BigInt(offsetSeconds) * second;
  const whole = secondsOf(local);
  const date = new Date(Number(whole) * 1000);
  const fraction = (local - whole * second).toString().padStart(9, '0').replace(/0+$/, '');
  const two = (value: number) => String(value).padStart(2, '0');
  const year = String(date.getUTCFullYear()).padStart(4, '0');
  const day = `${year}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`;
  const time = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
  const size = Math.abs(offsetSeconds);
  const zone = offsetSeconds
    ? `${offsetSeconds < 0 ? '-' : '+'}${two(Math.floor(size / 3600))}:${two(Math.floor(size / 60) % 60)}`
    : 'Z';
  return `${day}T${time}${fraction && `.${fraction}`}${zone}`;
}

/** Seconds, without an exponent. */
export function formatDuration({ nanos }: Duration): string {
  const size = nanos < 0n ? -nanos : nanos;
  const fraction = (size % second).toString().padStart(9, '0').replace(/0+$/, '');
  return `${nanos < 0n ? '-' : ''}${size / second}${fraction && `.${fraction}`}s`;
}

export interface TimeParts {
  readonly year: number;
  /** From 0. */
  readonly month: number;
  readonly day: number;
  readonly dayOfYear: number;
  readonly dayOfWeek: number;
  readonly hours: number;
  readonly minutes: number;
  readonly seconds: number;
  readonly milliseconds: number;
}

/** Undefined for an unknown zone. Zones are names, or offsets such as +02:00. */
export function timeParts(time: Timestamp, zone: string): TimeParts | undefined {
  const offset = zoneOffset(time, zone);
  if (offset === undefined) return undefined;
  const local = time.nanos + BigInt(offset) * second;
  const date = new Date(Number(secondsOf(local)) * 1000);
  const year = date.getUTCFullYear();
  const start = utc(year, 0, 1, 0, 0, 0);
  return {
    year,
    month: date.getUTCMonth(),
    day: date.getUTCDate(),
    dayOfYear: Math.floor((date.getTime() - start) / 86_400_000),
    dayOfWeek: date.getUTCDay(),
    hours: date.getUTCHours(),
    minutes: date.getUTCMinutes(),
    seconds: date.getUTCSeconds(),
    milliseconds: Number((local - secondsOf(local) * second) / 1_000_000n),
  };
}

/** In seconds: more than any zone has, and little enough for exact numbers. */
const mostOffset = 2 ** 40;

/** In seconds. */
function zoneOffset(time: Timestamp, zone: string): number | undefined {
  if (zone === '') return 0;
  const numeric = /^([+-]?)(\d+):(\d+)$/.exec(zone);
  if (numeric) {
    const seconds = (Number(numeric[2]) * 60 + Number(numeric[3])) * 60 * (numeric[1] === '-' ? -1 : 1);
    return Math.abs(seconds) <= mostOffset ? seconds : undefined;
  }
  if (!isTimeZone(zone)) return undefined;
  return offsetOf(zone)(Number(time.nanos / 1_000_000n)) / 1000;
}
