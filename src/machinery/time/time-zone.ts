// Time zones by their IANA names.

import { zoneNames } from './zone-names.ts';

/** A day has few offsets, and computing one is slow. */
const quarterMs = 900_000;
const mostOffsets = 4_096;
/** No zone changed its offset before. */
const firstMs = Date.UTC(1800, 0, 1);
const zones = new Map<string, (ms: number) => number>();

/** How far a zone's wall clock is ahead of UTC at an instant, in milliseconds. Throws RangeError for an unknown zone. */
export function zoneOffset(timeZone: string): (ms: number) => number {
  let offset = zones.get(timeZone);
  if (!offset) {
    // Intl also takes other cases and offsets, which Go's time.LoadLocation does not.
    if (!zoneNames.has(timeZone)) throw new RangeError(`unknown time zone ${timeZone}`);
    offset = timeZone === 'UTC' || timeZone === 'Etc/UTC' ? () => 0 : offsetIn(timeZone);
    zones.set(timeZone, offset);
  }
  return offset;
}

export const isTimeZone = (name: string): boolean => zoneNames.has(name);

function offsetIn(timeZone: string): (ms: number) => number {
  const date = { year: 'numeric', month: 'numeric', day: 'numeric' } as const;
  const time = { hour: 'numeric', minute: 'numeric', second: 'numeric' } as const;
  const format = new Intl.DateTimeFormat('en-US', { timeZone, hourCycle: 'h23', ...date, ...time });
  const kept = new Map<number, number>();
  return (ms) => {
    // Clocks change at full quarters of an hour.
    const quarter = Math.floor(Math.max(ms, firstMs) / quarterMs);
    let offset = kept.get(quarter);
    if (offset === undefined) {
      offset = measured(format, quarter * quarterMs);
      if (kept.size >= mostOffsets) kept.clear();
      kept.set(quarter, offset);
    }
    return offset;
  };
}

function measured(format: Intl.DateTimeFormat, ms: number): number {
  const parts = Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]));
  return Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute, parts.second) - ms;
}
