import { expect, test } from 'vitest';
import { mergedMarks, momentAt, objectChanges, touchedBy, type WatchEvent } from './changes.ts';

const object = (uid: string, a: number, manager = 'm') => ({
  metadata: {
    uid,
    name: uid,
    namespace: 'default',
    managedFields: [{ manager, operation: 'Update', time: String(a) }],
  },
  data: { a },
});
const event = (type: WatchEvent['type'], uid: string, a = 1) => ({ type, object: object(uid, a) });

test('objects that came and went, and those without a difference, are left out', () => {
  const touched = touchedBy([
    event('ADDED', 'new'),
    event('MODIFIED', 'new', 2),
    event('ADDED', 'short'),
    event('DELETED', 'short'),
    event('MODIFIED', 'same', 2),
    event('MODIFIED', 'same', 1),
    event('MODIFIED', 'other', 2),
    event('MODIFIED', 'gone', 2),
    event('DELETED', 'gone', 2),
    { type: 'MODIFIED', object: 'not an object' },
  ]);
  expect(touched.map(({ key }) => key)).toEqual(['new', 'same', 'other', 'gone', '/']);
  const before = new Map(['same', 'other'].map((uid) => [uid, object(uid, 1, 'before')]));
  expect(objectChanges(touched, before).filter(({ name }) => name)).toMatchObject([
    { kind: 'deleted', name: 'gone' },
    { kind: 'added', name: 'new', changes: [] },
    { kind: 'changed', name: 'other', managers: ['m'], changes: [{ path: 'data.a', before: 1, after: 2 }] },
  ]);
});

const mark = (timeMs: number, added = 1) => ({ revision: timeMs / 10, timeMs, added, changed: 0, deleted: 0 });

test('a moment common to several histories', () => {
  const histories = [
    { since: { revision: 1, timeMs: 0 }, marks: [mark(100), mark(300)] },
    { since: { revision: 5, timeMs: 0 }, marks: [mark(200)] },
  ];
  expect([50, 100, 250, 400].map((timeMs) => momentAt(histories, timeMs).revision)).toEqual([5, 10, 20, 30]);
  expect(momentAt([], 7)).toEqual({ revision: 0, timeMs: 7 });
});

test('marks of several resources', () => {
  const marks = mergedMarks(
    [
      [mark(50), mark(100), mark(900)],
      [mark(110), mark(950, 3)],
    ],
    100,
    1_100,
    10,
  );
  expect(marks.map(({ timeMs, added, revision }) => [timeMs, added, revision])).toEqual([
    ...[
      [110, 2, 11],
      [950, 4, 95],
    ],
  ]);
});
