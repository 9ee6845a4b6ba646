// Cron schedules: five fields, names, ranges, steps, lists and the @ forms, in any time zone.
// https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-syntax

const fields: readonly { min: number; max: number; names?: readonly string[] }[] = [
  { min: 0, max: 59 },
  { min: 0, max: 23 },
  { min: 1, max: 31 },
  { min: 1, max: 12, names: ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'] },
  { min: 0, max: 6, names: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] },
];
const shorthands: Record<string, string> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};
const dayMs = 86_400_000;
/** A schedule without a match in this time, such as 30 February, has none. */
const horizonDays = 5 * 366;

export interface Schedule {
  /** The first time after `ms`, both in milliseconds since the epoch; undefined when there is none. */
  next(ms: number): number | undefined;
}

/** Throws with what is wrong. `timeZone` is an IANA name, UTC when left out. */
export function parseSchedule(text: string, timeZone = 'UTC'): Schedule {
  const every = /^@every (\d+)(s|m|h)$/.exec(text);
  if (every) {
    const stepMs = Number(every[1]) * { s: 1000, m: 60_000, h: 3_600_000 }[every[2] as 's' | 'm' | 'h'];
    return { next: (ms) => Math.floor(ms / 1000) * 1000 + stepMs };
  }
  const parts = (shorthands[text] ?? text).trim().split(/\s+/);
  if (parts.length !== 5) throw new Error(`expected exactly 5 fields, found ${parts.length}: [${text}]`);
  const [minutes, hours, days, months, weekdays] = parts.map((part, i) => parseField(part, fields[i]));
  const anyDay = /^[*?]/.test(parts[2]);
  const anyWeekday = /^[*?]/.test(parts[4]);
  const offset = offsetIn(timeZone);
  /** A day matches either kind of day field when both are given. */
  const dayMatches = (date: Date) => {
    if (!months.has(date.getUTCMonth() + 1)) return false;
    const byDay = days.has(date.getUTCDate());
    const byWeekday = weekdays.has(date.getUTCDay());
    return anyDay || anyWeekday ? byDay && byWeekday : byDay || byWeekday;
  };
  return {
    next(ms) {
      // "Local" is the zone's wall clock, written as if it were UTC.
      const firstDay = Math.floor((ms + offset(ms)) / dayMs) * dayMs;
      for (let day = firstDay; day < firstDay + horizonDays * dayMs; day += dayMs) {
        if (!dayMatches(new Date(day))) continue;
        for (const hour of hours)
          for (const minute of minutes) {
            const local = day + hour * 3_600_000 + minute * 60_000;
            const time = instantOf(local, offset);
            if (time !== undefined && time > ms) return time;
          }
      }
      return undefined;
    },
  };
}

function parseField(text: string, { min, max, names }: (typeof fields)[number]): Set<number> {
  const number = (word: string): number => {
    const named = names?.indexOf(word.toLowerCase()) ?? -1;
    const value = named >= 0 ? named + min : /^\d+$/.test(word) ? Number(word) : Number.NaN;
    // Sunday is also 7.
    return max === 6 && value === 7 ? 0 : value;
  };
  const values = new Set<number>();
  for (const part of text.split(',')) {
    const [range, step = '1'] = part.split('/');
    const every = Number(step);
    const [from, to] = /^[*?]$/.test(range) ? [min, max] : range.split('-').map(number);
    const last = to ?? (part.includes('/') ? max : from);
    if (!(from >= min && last <= max && from <= last && every > 0)) throw new Error(`failed to parse field: ${text}`);
    for (let value = from; value <= last; value += every) values.add(value);
  }
  return new Set([...values].sort((a, b) => a - b));
}

/** How far the zone's wall clock is ahead of UTC at an instant, in milliseconds. */
function offsetIn(timeZone: string): (ms: number) => number {
  if (timeZone === 'UTC' || timeZone === 'Etc/UTC') return () => 0;
  const options = { timeZone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric' } as const;
  const format = new Intl.DateTimeFormat('en-US', {
    ...options,
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  return (ms) => {
    const parts = Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]));
    const local = Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute, parts.second);
    return local - Math.floor(ms / 1000) * 1000;
  };
}

/** The instant at which the wall clock shows `local`; undefined for times that a change of the clock skips. */
function instantOf(local: number, offset: (ms: number) => number): number | undefined {
  for (const guess of [local - offset(local), local - offset(local - offset(local))])
    if (guess + offset(guess) === local) return guess;
  return undefined;
}
