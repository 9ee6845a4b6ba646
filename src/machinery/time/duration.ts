// Go's durations ("1h30m", "250ms") and the short ages that tables show.

const unitMs: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ns: 1e-6,
};

/** Milliseconds of a duration such as "1h15m30.5s"; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  const { ms, fault } = parseGoDuration(text);
  return fault === undefined ? ms : undefined;
}

/** A duration holds nanoseconds as an int64. */
const longestMs = 2 ** 63 / 1e6;

/** Same, with Go's error message. */
export function parseGoDuration(text: string): { ms: number; fault?: string } {
  const fail = (fault: string) => ({ ms: 0, fault: `time: ${fault} ${JSON.stringify(text)}` });
  const sign = text[0] === '-' ? -1 : 1;
  const body = /^[-+]/.test(text) ? text.slice(1) : text;
  if (body === '0') return { ms: 0 };
  if (body === '') return fail('invalid duration');
  let ms = 0;
  const part = /(\d+(?:\.\d*)?|\.\d+)([^.\d]*)/y;
  for (let match = part.exec(body); ; match = part.exec(body)) {
    if (!match) return fail('invalid duration');
    const [, number, unit] = match;
    if (!unit) return fail('missing unit in duration');
    const size = Object.hasOwn(unitMs, unit) ? unitMs[unit] : undefined;
    if (size === undefined) return fail(`unknown unit ${JSON.stringify(unit)} in duration`);
    ms += Number(number) * size;
    if (ms >= longestMs) return fail('invalid duration');
    if (part.lastIndex === body.length) return { ms: sign * ms };
  }
}

/** Go's way of writing a duration: "1h15m30.5s", "250ms", "0s". */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  const sign = ms < 0 ? '-' : '';
  const size = Math.abs(ms);
  if (size < 1000) return size >= 1 ? `${sign}${trim(size)}ms` : `${sign}${trim(size * 1000)}µs`;
  const hours = Math.floor(size / 3_600_000);
  const minutes = Math.floor((size % 3_600_000) / 60_000);
  const seconds = trim((size % 60_000) / 1000);
  return `${sign}${hours ? `${hours}h` : ''}${hours || minutes ? `${minutes}m` : ''}${seconds}s`;
}

const trim = (value: number) => String(Number(value.toFixed(9)));

/** The age as kubectl and tables show it: two units at most, one where that is precise enough ("3d4h", "12m"). */
export function humanDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return pair(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 8) return pair(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.floor(hours / 24);
  if (hours < 24 * 8) return pair(days, 'd', hours % 24, 'h');
  if (hours < 24 * 365 * 2) return `${days}d`;
  const years = Math.floor(days / 365);
  if (hours < 24 * 365 * 8) return pair(years, 'y', days % 365, 'd');
  return `${years}y`;
}

const pair = (a: number, unitA: string, b: number, unitB: string) =>
  b === 0 ? `${a}${unitA}` : `${a}${unitA}${b}${unitB}`;
