// Cron schedules by the rules of robfig/cron, which Kubernetes uses: five fields, or one of the @ forms, in a time zone.
// https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-syntax

import { parseGoDuration } from './duration.ts';
import { isTimeZone, zoneOffset } from './time-zone.ts';

export interface Schedule {
  /** The first time after `ms`, both in milliseconds since the epoch; undefined when there is none in five years. */
  next(ms: number): number | undefined;
  /** The latest time after `ms` that is not after `until`, counted from `ms` on. */
  last(ms: number, until: number): number | undefined;
}

/** The text is not a schedule; Kubernetes defines `message`. */
export class ScheduleError extends Error {
  override readonly name = 'ScheduleError';
}

const dayMs = 86_400_000;
/** A schedule without a time before the end of this many years, such as 31 February, has none. */
const horizonYears = 5;
/** A clock that is set back repeats at most this much of the day. */
const repeatedMs = 3 * 3_600_000;

const descriptors: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

/** Throws ScheduleError. `timeZone` is an IANA name, UTC when left out. */
export function parseSchedule(text: string, timeZone = 'UTC'): Schedule {
  if (text === '') throw new ScheduleError('empty spec string');
  const { spec, zone } = withoutZone(text, timeZone);
  if (spec.startsWith('@every ')) return every(spec);
  if (spec.startsWith('@') && !(spec in descriptors)) throw new ScheduleError(`unrecognized descriptor: ${spec}`);
  const parts = (descriptors[spec] ?? spec).split(/\s+/).filter(Boolean);
  if (parts.length !== bounds.length)
    throw new ScheduleError(`expected exactly 5 fields, found ${parts.length}: [${parts.join(' ')}]`);
  return new FieldSchedule(
    parts.map((part, i) => parseField(part, bounds[i])),
    zone,
  );
}

/** The old form, with the zone in front. */
function withoutZone(text: string, zone: string): { spec: string; zone: string } {
  if (!text.startsWith('TZ=') && !text.startsWith('CRON_TZ=')) return { spec: text, zone };
  const space = text.indexOf(' ');
  const from = text.indexOf('=') + 1;
  if (space < 0)
    throw new ScheduleError(`invalid schedule format: runtime error: slice bounds out of range [${from}:-1]`);
  const named = text.slice(from, space);
  if (!isTimeZone(named)) throw new ScheduleError(`provided bad location ${named}: unknown time zone ${named}`);
  return { spec: text.slice(space).trim(), zone: named };
}

/** A fixed distance of whole seconds, at least one. */
function every(spec: string): Schedule {
  const text = spec.slice('@every '.length);
  const { ms, fault } = parseGoDuration(text);
  if (fault) throw new ScheduleError(`failed to parse duration ${spec}: ${fault}`);
  const stepMs = Math.max(1000, Math.floor(ms / 1000) * 1000);
  const whole = (at: number) => Math.floor(at / 1000) * 1000;
  return {
    next: (at) => whole(at) + stepMs,
    last(at, until) {
      const steps = Math.floor((until - whole(at)) / stepMs);
      return steps > 0 ? whole(at) + steps * stepMs : undefined;
    },
  };
}

interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const bounds: readonly Bounds[] = [
  { min: 0, max: 59 },
  { min: 0, max: 23 },
  { min: 1, max: 31 },
  { min: 1, max: 12, names: months },
  { min: 0, max: 6, names: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] },
];

/** The matching values, ascending, and whether the field means "any". */
interface Field {
  readonly values: readonly number[];
  readonly star: boolean;
}

function parseField(text: string, bound: Bounds): Field {
  const values = new Set<number>();
  let star = false;
  for (const part of text.split(',')) {
    if (!part) continue;
    const range = parseRange(part, bound);
    for (let value = range.from; value <= range.to; value += range.step) values.add(value);
    star ||= range.star;
  }
  return { values: [...values].sort((a, b) => a - b), star };
}

/** `number | number "-" number [ "/" number ]`; "N/step" means "N-max/step". */
function parseRange(part: string, bound: Bounds): { from: number; to: number; step: number; star: boolean } {
  const fail = (message: string) => new ScheduleError(`${message}: ${part}`);
  const [range, step, ...slashes] = part.split('/');
  const [low, high, ...hyphens] = range.split('-');
  const any = low === '*' || low === '?';
  const from = any ? bound.min : parseNumber(low, bound);
  let to = any ? bound.max : from;
  if (!any && high !== undefined) {
    if (hyphens.length) throw fail('too many hyphens');
    to = parseNumber(high, bound);
  }
  if (slashes.length) throw fail('too many slashes');
  const by = step === undefined ? 1 : parseNumber(step);
  if (step !== undefined && high === undefined) to = bound.max;
  if (from < bound.min) throw fail(`beginning of range (${from}) below minimum (${bound.min})`);
  if (to > bound.max) throw fail(`end of range (${to}) above maximum (${bound.max})`);
  if (from > to) throw fail(`beginning of range (${from}) beyond end of range (${to})`);
  if (by === 0) throw fail('step of range should be a positive number');
  return { from, to, step: by, star: any && by === 1 };
}

function parseNumber(text: string, bound?: Bounds): number {
  const named = bound?.names?.indexOf(text.toLowerCase()) ?? -1;
  if (bound && named >= 0) return named + bound.min;
  const fail = (why: string) =>
    new ScheduleError(`failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: ${why}`);
  if (!/^[-+]?[0-9]+$/.test(text)) throw fail('invalid syntax');
  const value = Number(text);
  if (value >= 2 ** 63 || value < -(2 ** 63)) throw fail('value out of range');
  if (value < 0) throw new ScheduleError(`negative number (${value}) not allowed: ${text}`);
  return value;
}

/** "Local" is the zone's wall clock, written as if it were UTC. */
class FieldSchedule implements Schedule {
  readonly #minutes: readonly number[];
  readonly #hours: readonly number[];
  readonly #days: Field;
  readonly #months: ReadonlySet<number>;
  readonly #weekdays: Field;
  readonly #offset: (ms: number) => number;

  constructor([minutes, hours, days, monthField, weekdays]: readonly Field[], zone: string) {
    this.#minutes = minutes.values;
    this.#hours = hours.values;
    this.#days = days;
    this.#months = new Set(monthField.values);
    this.#weekdays = weekdays;
    this.#offset = zoneOffset(zone);
  }

  next(ms: number): number | undefined {
    const local = ms + this.#offset(ms);
    const first = dayOf(local - repeatedMs);
    const end = Date.UTC(new Date(local).getUTCFullYear() + horizonYears + 1, 0, 1);
    for (let day = first; day < end; day += dayMs) {
      if (!this.#dayMatches(day)) continue;
      const found = this.#firstOf(day, ms);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  last(ms: number, until: number): number | undefined {
    const local = until + this.#offset(until);
    const end = Math.max(dayOf(ms) - 2 * dayMs, local - (horizonYears + 1) * 366 * dayMs);
    for (let day = dayOf(local + repeatedMs); day >= end; day -= dayMs) {
      if (!this.#dayMatches(day)) continue;
      const found = this.#lastOf(day, until);
      if (found !== undefined) return found > ms ? found : undefined;
    }
    return undefined;
  }

  /** A day matches either of the day fields when both are given. */
  #dayMatches(day: number): boolean {
    const date = new Date(day);
    if (!this.#months.has(date.getUTCMonth() + 1)) return false;
    const byDay = this.#days.values.includes(date.getUTCDate());
    const byWeekday = this.#weekdays.values.includes(date.getUTCDay());
    return this.#days.star || this.#weekdays.star ? byDay && byWeekday : byDay || byWeekday;
  }

  #firstOf(day: number, after: number): number | undefined {
    let found: number | undefined;
    for (const instant of this.#instants(day, (local) => found === undefined || local < found + repeatedMs))
      if (instant > after && (found === undefined || instant < found)) found = instant;
    return found;
  }

  #lastOf(day: number, until: number): number | undefined {
    let found: number | undefined;
    for (const instant of this.#instants(day, () => true))
      if (instant <= until && (found === undefined || instant > found)) found = instant;
    return found;
  }

  /** The instants of a day: none for a skipped local time, two for a repeated one. */
  *#instants(day: number, goesOn: (instant: number) => boolean): Generator<number> {
    const [before, after] = [this.#offset(day - dayMs), this.#offset(day + 2 * dayMs)];
    for (const hour of this.#hours)
      for (const minute of this.#minutes) {
        const local = day + hour * 3_600_000 + minute * 60_000;
        if (before === after) yield local - before;
        else for (const offset of [before, after]) if (this.#offset(local - offset) === offset) yield local - offset;
        if (!goesOn(local - Math.max(before, after))) return;
      }
  }
}

const dayOf = (ms: number) => Math.floor(ms / dayMs) * dayMs;
