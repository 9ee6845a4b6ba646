import { expect, test } from 'vitest';
import { RevisionTimes } from './revision-times.ts';

test('revisions have times, and times have revisions', () => {
  const times = new RevisionTimes();
  expect([times.timeOf(1), times.revisionAt(0)]).toEqual([undefined, undefined]);
  times.note(10, 1_000);
  times.note(12, 2_000);
  times.note(15, 2_050); // in the same step
  times.note(20, 3_000);
  expect([9, 10, 11, 15, 16, 20, 21].map((revision) => times.timeOf(revision))).toEqual([
    ...[1_000, 1_000, 2_000, 2_000, 3_000, 3_000, undefined],
  ]);
  expect([999, 1_000, 1_999, 2_000, 2_999, 9_000].map((ms) => times.revisionAt(ms))).toEqual([
    ...[undefined, 10, 10, 15, 15, 20],
  ]);
});

test('a clock that goes back does not mix the order', () => {
  const times = new RevisionTimes();
  times.note(1, 5_000);
  times.note(2, 1_000);
  expect([times.timeOf(2), times.revisionAt(5_000), times.revisionAt(4_999)]).toEqual([5_000, 2, undefined]);
});

test('the number of entries is limited; the recent past is exact, the older past coarse', () => {
  const times = new RevisionTimes();
  const count = 100_000;
  for (let i = 1; i <= count; i++) times.note(i, i * 1_000);
  expect(times.size).toBeLessThanOrEqual(8_192);
  for (const i of [count, count - 1, count - 4_000]) {
    expect(times.timeOf(i)).toBe(i * 1_000);
    expect(times.revisionAt(i * 1_000)).toBe(i);
  }
  // The first entry stays: everything has a time.
  expect(times.timeOf(1)).toBe(1_000);
  for (let i = 1; i < count; i += 997) expect(times.timeOf(i)).toBeGreaterThanOrEqual(i * 1_000);
});
