import { describe, expect, test } from 'vitest';
import fc from '../test-property.ts';
import { parseSchedule, ScheduleError } from './cron-schedule.ts';
import { isTimeZone } from './time-zone.ts';

const iso = (ms: number | undefined) => ms && new Date(ms).toISOString().replace('.000', '');
const berlin = 'Europe/Berlin';

test.each([
  { schedule: '*/15 * * * *', from: '2026-01-01T00:00:00Z', next: '2026-01-01T00:15:00Z' },
  { schedule: '30 4 1,15 * 5', from: '2026-01-01T05:00:00Z', next: '2026-01-02T04:30:00Z' }, // either day field
  { schedule: '0 0 */1 * 5', from: '2026-01-01T05:00:00Z', next: '2026-01-02T00:00:00Z' }, // a step of one is any
  { schedule: '0 0 */2 * 5', from: '2026-01-02T05:00:00Z', next: '2026-01-03T00:00:00Z' }, // a longer one is not
  { schedule: '0 0 29 feb *', from: '2026-01-01T00:00:00Z', next: '2028-02-29T00:00:00Z' },
  { schedule: '0 0 31 2 *', from: '2026-01-01T00:00:00Z', next: undefined },
  { schedule: ', * * * *', from: '2026-01-01T00:00:00Z', next: undefined },
  { schedule: '@hourly', from: '2026-01-01T00:30:00Z', next: '2026-01-01T01:00:00Z' },
  { schedule: '0 9 * * mon-fri', from: '2026-01-02T10:00:00Z', next: '2026-01-05T09:00:00Z' },
  { schedule: '55/2 * * * *', from: '2026-01-01T00:00:00Z', next: '2026-01-01T00:55:00Z' },
  { schedule: '? 0 ? * ?', from: '2026-01-01T00:59:00Z', next: '2026-01-02T00:00:00Z' },
  { schedule: '@every 0s', from: '2026-01-01T00:00:00Z', next: '2026-01-01T00:00:01Z' },
  { schedule: '@every -1m', from: '2026-01-01T00:00:00Z', next: '2026-01-01T00:00:01Z' },
  { schedule: '@every 1h30m5.7s', from: '2026-01-01T00:00:00Z', next: '2026-01-01T01:30:05Z' },
  { schedule: '0 12 * * *', from: '2026-07-01T00:00:00Z', zone: berlin, next: '2026-07-01T10:00:00Z' },
  { schedule: '30 2 * * *', from: '2026-03-29T00:00:00Z', zone: berlin, next: '2026-03-30T00:30:00Z' }, // skipped hour
  { schedule: '30 2 * * *', from: '2026-10-25T00:00:00Z', zone: berlin, next: '2026-10-25T00:30:00Z' },
  { schedule: '30 2 * * *', from: '2026-10-25T00:30:00Z', zone: berlin, next: '2026-10-25T01:30:00Z' }, // shown twice
  { schedule: '*/30 * * * *', from: '2026-10-25T00:30:00Z', zone: berlin, next: '2026-10-25T01:00:00Z' },
  { schedule: 'TZ=Asia/Tokyo 0 9 * * *', from: '2026-01-01T00:00:00Z', next: '2026-01-02T00:00:00Z' },
])('schedule $schedule after $from: $next', ({ schedule, from, zone, next }) =>
  expect(iso(parseSchedule(schedule, zone).next(Date.parse(from)))).toBe(next),
);

test.each([
  ['', 'empty spec string'],
  ['* * * *', 'expected exactly 5 fields, found 4: [* * * *]'],
  [' 0  0 31 2 ', 'expected exactly 5 fields, found 4: [0 0 31 2]'],
  ['*/0.00001 * * * *', 'failed to parse int from 0.00001: strconv.Atoi: parsing "0.00001": invalid syntax'],
  ['60 * * * *', 'end of range (60) above maximum (59): 60'],
  ['0 0 * * 7', 'end of range (7) above maximum (6): 7'],
  ['0 0 0 * *', 'beginning of range (0) below minimum (1): 0'],
  ['5-1 * * * *', 'beginning of range (5) beyond end of range (1): 5-1'],
  ['1-2-3 * * * *', 'too many hyphens: 1-2-3'],
  ['1/2/3 * * * *', 'too many slashes: 1/2/3'],
  ['*/0 * * * *', 'step of range should be a positive number: */0'],
  ['a * * * *', 'failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax'],
  ['*/-1 * * * *', 'negative number (-1) not allowed: -1'],
  ['1e400 * * * *', 'failed to parse int from 1e400: strconv.Atoi: parsing "1e400": invalid syntax'],
  [
    `${'9'.repeat(30)} * * * *`,
    `failed to parse int from ${'9'.repeat(30)}: strconv.Atoi: parsing "${'9'.repeat(30)}": value out of range`,
  ],
  ['@never', 'unrecognized descriptor: @never'],
  ['@every', 'unrecognized descriptor: @every'],
  ['@every 5', 'failed to parse duration @every 5: time: missing unit in duration "5"'],
  ['@every 5y', 'failed to parse duration @every 5y: time: unknown unit "y" in duration "5y"'],
  ['@every x', 'failed to parse duration @every x: time: invalid duration "x"'],
  ['@every 9999999h', 'failed to parse duration @every 9999999h: time: invalid duration "9999999h"'],
  ['TZ=Nowhere * * * * *', 'provided bad location Nowhere: unknown time zone Nowhere'],
])('schedule %s: %s', (text, message) => expect(() => parseSchedule(text)).toThrow(new ScheduleError(message)));

describe('laws', () => {
  const field = (min: number, max: number) => {
    const value = fc.integer({ min, max });
    const range = fc.tuple(value, value).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`);
    const step = fc
      .tuple(fc.oneof(fc.constant('*'), range), fc.integer({ min: 1, max: 40 }))
      .map(([a, b]) => `${a}/${b}`);
    return fc.array(fc.oneof(fc.constant('*'), value.map(String), range, step), { minLength: 1, maxLength: 3 });
  };
  const fields = fc
    .tuple(field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 6))
    .map((lists) => lists.map((list) => list.join(',')).join(' '));
  const schedule = fc.oneof(
    fields,
    fc.integer({ min: 0, max: 100_000 }).map((seconds) => `@every ${seconds}s`),
  );
  const time = fc.integer({ min: Date.UTC(2020), max: Date.UTC(2030) });
  const zone = fc.constantFrom('UTC', berlin, 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kolkata');

  test('the last time until the next one is the next one, and there is none before it', () =>
    fc.assert(
      fc.property(schedule, zone, time, (text, name, from) => {
        const parsed = parseSchedule(text, name);
        const next = parsed.next(from);
        if (next === undefined) return;
        expect(next).toBeGreaterThan(from);
        expect(parsed.last(from, next)).toBe(next);
        expect(parsed.last(from, next - 1)).toBeUndefined();
      }),
    ));
});

test.each([
  ['Europe/Berlin', true],
  ['US/Eastern', true],
  ['Etc/GMT+5', true],
  ['UTC', true],
  ['europe/berlin', false],
  ['utc', false],
  ['+0100', false],
  ['Nowhere', false],
])('%s is a time zone: %s', (name, isOne) => expect(isTimeZone(name)).toBe(isOne));
