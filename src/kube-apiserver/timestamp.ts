import { formatTime } from '../api/api.ts';

let second = Number.NaN;
let text = '';

/** RFC 3339 with whole seconds, as metav1.Time is written. `ms` since the epoch. */
export function timestamp(ms: number): string {
  const asked = Math.floor(ms / 1_000);
  // Many objects are written in one second, and formatting a date is slow.
  if (asked !== second) {
    second = asked;
    text = formatTime(asked * 1_000);
  }
  return text;
}
