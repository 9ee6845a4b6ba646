import { describe, expect, test } from 'vitest';
import { arrange, type Column, gridColumns, type Row, rearrange, windowOf } from './rows.ts';

const column = (name: string): Column => ({ name, type: 'string', format: '', description: '', priority: 0 });
const columns = [column('Name'), column('Restarts'), column('Age')];
const row = (name: string, restarts: string | number | null, created: number, namespace = 'a'): Row => ({
  ...{ key: name, namespace, name, created, isDeleting: false },
  cells: [name, restarts, 'x'],
});
const rows = [row('web-2', '10 (5m ago)', 1), row('DB-1', '2', 3), row('web-1', null, 2, 'b'), row('web-0', 2, 4)];
const names = (column: number, isDescending = false, filter: string[] = []) =>
  arrange(rows, columns, filter, { column, isDescending }).map(({ name }) => name);

describe('arrange', () => {
  test('by namespace and name without an order', () => expect(names(-1)).toEqual(['DB-1', 'web-0', 'web-2', 'web-1']));
  test('by numbers at the beginning of texts', () => expect(names(1)).toEqual(['web-1', 'DB-1', 'web-0', 'web-2']));
  test('descending', () => expect(names(0, true)).toEqual(['web-2', 'web-1', 'web-0', 'DB-1']));
  test('by age: the newest first', () => expect(names(2)).toEqual(['web-0', 'DB-1', 'web-1', 'web-2']));
  test('filtered by parts of names', () => expect(names(0, false, ['web', '1'])).toEqual(['web-1']));
});

test.each([
  [0, 0, 500, { first: 0, end: 0 }],
  [5, 0, 500, { first: 0, end: 5 }],
  [100_000, 0, 360, { first: 0, end: 18 }],
  [100_000, 36_000, 360, { first: 992, end: 1018 }],
  [100_000, 3_599_640, 360, { first: 99_982, end: 100_000 }],
  [10, 99_999, 360, { first: 9, end: 10 }],
])('window of %d rows at %d, %d high', (total, top, height, expected) =>
  expect(windowOf(total, 36, top, height)).toEqual(expected),
);

test('widths follow the longest of the first texts', () =>
  expect(gridColumns([{ name: 'A' }, { name: 'B' }], [['x'.repeat(30), 'y']])).toBe(
    'minmax(22ch, 30fr) minmax(5ch, 5fr)',
  ));

test('rows of which few have changed are arranged as all of them', () => {
  const rowOf = (key: string, number: number): Row => ({
    ...{ key, namespace: number % 2 ? 'a' : 'b', name: `pod-${key}`, cells: [key, number, 'x'], created: number },
    isDeleting: false,
  });
  for (const order of [
    { column: -1, isDescending: false },
    { column: 1, isDescending: true },
  ])
    for (const names of [[], ['7']]) {
      const rows = new Map(Array.from({ length: 300 }, (_, i) => [String(i), rowOf(String(i), (i * 37) % 100)]));
      let shown: readonly Row[] | undefined = arrange(rows.values(), columns, names, order);
      for (let round = 1; round < 30; round++) {
        const changes: { before: Row | undefined; after: Row | undefined }[] = [];
        const put = (key: string, after: Row | undefined) => {
          changes.push({ before: rows.get(key), after });
          if (after) rows.set(key, after);
          else rows.delete(key);
        };
        put(`new-${round}7`, rowOf(`new-${round}7`, round * 3));
        for (let i = round; i < 300; i += 29) put(String(i), i % 5 ? rowOf(String(i), (i * round) % 90) : undefined);
        shown = rearrange(shown ?? [], changes, columns, names, order);
        expect(shown).toEqual(arrange(rows.values(), columns, names, order));
      }
    }
  expect(
    rearrange([], [{ before: rowOf('1', 1), after: undefined }], columns, [], { column: -1, isDescending: false }),
  ).toBe(undefined);
});
