// Times as the API writes them: RFC 3339 in UTC, in whole seconds (Time) or microseconds (MicroTime).

const rfc3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(Z|[-+]\d\d:\d\d)$/;

/** Milliseconds since the epoch, undefined when the text is no RFC 3339 time. */
export function parseTime(text: string): number | undefined {
  if (!rfc3339.test(text) || !isDay(text)) return undefined;
  const ms = Date.parse(text.replace(',', '.'));
  return Number.isNaN(ms) ? undefined : ms;
}

/** Date reads 30 February as a day in March. Only days above 28 need the check. */
function isDay(text: string): boolean {
  const day = Number(text.slice(8, 10));
  return (
    day <= 28 || new Date(Date.UTC(Number(text.slice(0, 4)), Number(text.slice(5, 7)) - 1, day)).getUTCDate() === day
  );
}

/** Whole seconds, as creationTimestamp has them. */
export const formatTime = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;

/** The day, such as 2026-01-31. */
export const formatDate = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/** Microseconds, as a Lease's renewTime has them. */
export const formatMicroTime = (ms: number): string => {
  const micros = Math.floor((ms - Math.floor(ms)) * 1000);
  return `${new Date(Math.floor(ms)).toISOString().slice(0, 23)}${String(micros).padStart(3, '0')}Z`;
};

/** Undefined when the text is no time. */
export function canonicalTime(text: string): string | undefined {
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text) && parseTime(text) !== undefined) return text;
  const ms = parseTime(text);
  return ms === undefined ? undefined : formatTime(ms);
}

/** Undefined if the text is not a time. Keeps microseconds, which a Date cannot hold. */
export function canonicalMicroTime(text: string): string | undefined {
  const match = rfc3339.exec(text);
  const ms = parseTime(text);
  if (!match || ms === undefined) return undefined;
  const fraction = (match[7] ?? '').padEnd(6, '0').slice(0, 6);
  return `${new Date(ms).toISOString().slice(0, 19)}.${fraction}Z`;
}
