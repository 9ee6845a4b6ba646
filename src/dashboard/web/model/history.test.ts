import { describe, expect, test } from 'vitest';
import { heightsOf, historyIn, placeOf, placeQuery, stepBack, stepForward, timeOf } from './history.ts';

const mark = (timeMs: number) => ({ revision: timeMs / 10, timeMs, added: 1, changed: 0, deleted: 0 });
const history = historyIn({
  since: { revision: 10, timeMs: 100 },
  now: { revision: 90, timeMs: 900 },
  marks: [mark(300), mark(500)],
});

describe('steps from change to change', () => {
  test.each([
    { atMs: 900, back: 500, forward: undefined },
    { atMs: 500, back: 300, forward: undefined },
    { atMs: 400, back: 300, forward: 500 },
    { atMs: 300, back: 100, forward: 500 },
    { atMs: 100, back: 100, forward: 300 },
  ])('at $atMs', ({ atMs, back, forward }) => {
    expect(stepBack(history, atMs).timeMs).toBe(back);
    expect(stepForward(history, atMs)?.timeMs).toBe(forward);
  });
});

test.each([
  { revision: 5, timeMs: 300 },
  { revision: 30, timeMs: 300 },
  { revision: 31, timeMs: 500 },
  { revision: 51, timeMs: undefined },
])('revision $revision is of $timeMs', ({ revision, timeMs }) => expect(timeOf(history.marks, revision)).toBe(timeMs));

test.each([undefined, 'text', { since: 'x', marks: [null, 5, { revision: '7', timeMs: -1 }], moment: 3 }])(
  'an answer of another shape is an empty history: %j',
  (answer) => {
    const { since, moment, marks } = historyIn(answer);
    expect([since.timeMs, moment, ...marks.map(({ revision }) => revision)].filter(Boolean)).toEqual([]);
  },
);

test('the place of a kind', () => {
  expect(placeQuery(placeOf('deployments.apps', 'default', 'web'))).toEqual({
    ...{ group: 'apps', resource: 'deployments', namespace: 'default', name: 'web' },
  });
  expect(placeOf('ingresses.networking.k8s.io', '')).toEqual({ group: 'networking.k8s.io', resource: 'ingresses' });
  expect(placeOf('nodes', '')).toEqual({ group: '', resource: 'nodes' });
});

test('a single change is visible beside many', () => {
  const [one, many] = heightsOf([mark(1), { ...mark(2), changed: 5_000 }]);
  expect([one > 0.25, many]).toEqual([true, 1]);
});
