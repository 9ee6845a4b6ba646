// Lines of a log that stand out: errors and warnings, and how many there are at about one time.

import type { LogLine } from './log-lines.ts';

export interface LogMark {
  readonly source: number;
  /** Milliseconds since the epoch. */
  readonly timeMs: number;
  readonly isError: boolean;
  /** The first line. */
  readonly text: string;
  readonly count: number;
}

const gapMs = 10_000;
const mostMarks = 30;
const longest = 300;

// klog's letter with the date; levels of structured logs; the words of most others.
const errors =
  /^[EF]\d{4} |level"?[=:] ?"?(error|fatal|panic)|\b(ERROR|FATAL|CRITICAL|panic:|[Ee]xception|error:|Error:)/;
const warnings = /^W\d{4} |level"?[=:] ?"?warn|\b(WARN|WARNING|warning:)\b/;

/** The newest marks of lines that are in order. */
export function logMarks(lines: readonly LogLine[]): readonly LogMark[] {
  const marks: LogMark[] = [];
  const last = new Map<string, { readonly index: number; readonly timeMs: number }>();
  for (const { source, time, text } of lines) {
    const head = text.slice(0, longest);
    const isError = errors.test(head);
    const timeMs = Date.parse(time);
    if ((!isError && !warnings.test(head)) || Number.isNaN(timeMs)) continue;
    const key = `${source} ${isError}`;
    const near = last.get(key);
    if (near && timeMs - near.timeMs < gapMs) {
      marks[near.index] = { ...marks[near.index], count: marks[near.index].count + 1 };
      last.set(key, { index: near.index, timeMs });
    } else {
      last.set(key, { index: marks.length, timeMs });
      marks.push({ source, timeMs, isError, text: head, count: 1 });
    }
  }
  return marks.slice(-mostMarks);
}
