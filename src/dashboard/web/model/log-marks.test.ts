import { expect, test } from 'vitest';
import { logMarks } from './log-marks.ts';

const line = (second: number, text: string, source = 0) => ({
  ...{ source, text },
  time: new Date(second * 1_000).toISOString(),
});

test('errors and warnings are marks, those at about one time are one', () => {
  const marks = logMarks([
    line(1, 'started'),
    line(2, 'E1127 06:00:00 file.go:1] no route'),
    line(3, 'time=x level=error msg=boom'),
    line(4, '{"level":"warn","msg":"slow"}'),
    line(9, 'panic: nil'),
    line(30, 'java.lang.IllegalStateException: Exception in thread'),
    line(31, 'ERROR other container', 1),
    line(32, 'no errors were found'),
    { source: 0, time: '', text: 'ERROR without a time' },
  ]);
  expect(marks.map(({ timeMs, count, isError, source }) => [timeMs / 1_000, count, isError, source])).toEqual([
    ...[
      [2, 3, true, 0],
      [4, 1, false, 0],
      [30, 1, true, 0],
      [31, 1, true, 1],
    ],
  ]);
});

test('the newest marks are kept', () => {
  const marks = logMarks(Array.from({ length: 500 }, (_, i) => line(i * 60, `ERROR ${i}`)));
  expect([marks.length, marks.at(-1)?.text]).toEqual([30, 'ERROR 499']);
});
