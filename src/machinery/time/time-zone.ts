// Time zones by their IANA names.

/** A day has few offsets, and computing one is slow. */
const quarterMs = 900_000;
const mostKept = 4_096;
const zones = new Map<string, (ms: number) => number>();

/** How far a zone's wall clock is ahead of UTC at an instant, in milliseconds. Throws RangeError for an unknown zone. */
export function zoneOffset(timeZone: string): (ms: number) => number {
  let offset = zones.get(timeZone);
  if (!offset) {
    offset = timeZone === 'UTC' || timeZone === 'Etc/UTC' ? () => 0 : offsetIn(timeZone);
    if (zones.size >= mostKept) zones.clear();
    zones.set(timeZone, offset);
  }
  return offset;
}

export function isTimeZone(name: string): boolean {
  try {
    zoneOffset(name);
    return true;
  } catch {
    return false;
  }
}

function offsetIn(timeZone: string): (ms: number) => number {
  const date = { year: 'numeric', month: 'numeric', day: 'numeric' } as const;
  const time = { hour: 'numeric', minute: 'numeric', second: 'numeric' } as const;
  const format = new Intl.DateTimeFormat('en-US', { timeZone, hourCycle: 'h23', ...date, ...time });
  const kept = new Map<number, number>();
  return (ms) => {
    // Clocks change at full quarters of an hour.
    const quarter = Math.floor(ms / quarterMs);
    let offset = kept.get(quarter);
    if (offset === undefined) {
      offset = measured(format, quarter * quarterMs);
      if (kept.size >= mostKept) kept.clear();
      kept.set(quarter, offset);
    }
    return offset;
  };
}

function measured(format: Intl.DateTimeFormat, ms: number): number {
  const parts = Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]));
  return Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute, parts.second) - ms;
}
