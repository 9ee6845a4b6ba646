import { humanDuration } from '../../machinery/time/duration.ts';
import { parseTime } from '../time.ts';

/** "5m" since a time, `<unknown>` when there is none. `now` is in milliseconds. */
export function age(time: string | null | undefined, now: number): string {
  const ms = time ? parseTime(time) : undefined;
  return ms === undefined ? '<unknown>' : humanDuration(now - ms);
}
