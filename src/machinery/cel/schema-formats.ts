// Strings of a schema with a format, as values.

import { shortInteger } from '../text/digits.ts';
import { durationFromText, timestampFromText } from './time.ts';
import { Duration, Timestamp } from './values.ts';

const nanosPer: Readonly<Record<string, bigint>> = {
  nano: 1n,
  micro: 1_000n,
  milli: 1_000_000n,
  second: 1_000_000_000n,
  minute: 60_000_000_000n,
  hour: 3_600_000_000_000n,
  day: 86_400_000_000_000n,
  week: 604_800_000_000_000n,
};
const units: readonly (readonly [pattern: RegExp, nanos: bigint])[] = [
  [/^(ns|nanos?|nanoseconds?)$/, nanosPer['nano'] as bigint],
  [/^(us|µs|micros?|microseconds?)$/, nanosPer['micro'] as bigint],
  [/^(ms|millis?|milliseconds?)$/, nanosPer['milli'] as bigint],
  [/^(s|secs?|seconds?)$/, nanosPer['second'] as bigint],
  [/^(m|mins?|minutes?)$/, nanosPer['minute'] as bigint],
  [/^(h|hrs?|hours?)$/, nanosPer['hour'] as bigint],
  [/^(d|days?)$/, nanosPer['day'] as bigint],
  [/^(w|wks?|weeks?)$/, nanosPer['week'] as bigint],
];

/** Go's durations, and a number with a longer unit, such as "3 weeks". */
export function durationOfSchema(text: string): Duration | undefined {
  const plain = durationFromText(text);
  if (plain) return plain;
  const parts = /((\d+)\s*([A-Za-zµ]+))/g;
  let nanos: bigint | undefined;
  for (const [, , count, unit] of text.matchAll(parts)) {
    const found = units.find(([pattern]) => pattern.test(unit as string));
    if (found) nanos = (nanos ?? 0n) + (shortInteger(count as string) ?? 2n ** 63n) * found[1];
  }
  return nanos === undefined || nanos >= 2n ** 63n ? undefined : new Duration(nanos);
}

/** RFC 3339, and the other accepted forms of a date-time. */
export function timestampOfSchema(text: string): Timestamp | undefined {
  const exact = timestampFromText(text);
  if (exact) return exact;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : new Timestamp(BigInt(ms) * 1_000_000n);
}
